"""Who is asking, as the API shows it."""

from enum import StrEnum

import strawberry

from schema.types import Customer
from schema.values import Currency
from tenants.context import Role, Scope

strawberry.enum(Role, name="Role", description="The audiences of this API.")
strawberry.enum(Scope, name="TokenScope", description="What a token allows beyond being known.")


@strawberry.enum(description="How far a tenant is with its account at Stripe.")
class TenantStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DISCONNECTED = "disconnected"
    OTHER = "other"


@strawberry.enum(description="What a tenant does.")
class Industry(StrEnum):
    HEALTHCARE = "healthcare"
    EDUCATION = "education"
    SAAS = "saas"
    OTHER = "other"


@strawberry.type(description="The institution that the caller's token belongs to.")
class Tenant:
    slug: str = strawberry.field(description="Its short name, unique in the gateway.")
    name: str = strawberry.field(description="Its name.")
    industry: Industry = strawberry.field(description="What it does.")
    status: TenantStatus = strawberry.field(description="How far it is with its account at Stripe.")
    default_currency: Currency = strawberry.field(description="The currency of its account at Stripe.")
    stripe_account: str | None = strawberry.field(
        description="Its account's id at Stripe, which Stripe.js needs as `stripeAccount`; null before it has one."
    )
    livemode: bool = strawberry.field(description="False for test money.")


@strawberry.type(description="Who is asking, and what they may do.")
class Viewer:
    role: Role = strawberry.field(description="What kind of caller the token is for.")
    scopes: list[Scope] = strawberry.field(description="What the token allows.")
    tenant: Tenant = strawberry.field(description="Whose data the token opens.")
    customer: Customer | None = strawberry.field(description="The customer of a customer's token; null for others.")
