"""Who is asking, as the API shows it."""

import strawberry

from schema.types import Customer
from tenants.context import Role, Scope

strawberry.enum(Role, name="Role", description="The audiences of this API.")
strawberry.enum(Scope, name="TokenScope", description="What a token allows beyond being known.")


@strawberry.type(description="The institution that the caller's token belongs to.")
class Tenant:
    slug: str = strawberry.field(description="Its short name, unique in the gateway.")
    name: str = strawberry.field(description="Its name.")
    industry: str = strawberry.field(description="healthcare, education or saas.")
    status: str = strawberry.field(description="pending, active or disconnected.")
    default_currency: str = strawberry.field(description="The currency of its account at Stripe.")
    livemode: bool = strawberry.field(description="False for test money.")


@strawberry.type(description="Who is asking, and what they may do.")
class Viewer:
    role: Role = strawberry.field(description="What kind of caller the token is for.")
    scopes: list[Scope] = strawberry.field(description="What the token allows.")
    tenant: Tenant = strawberry.field(description="Whose data the token opens.")
    customer: Customer | None = strawberry.field(description="The customer of a customer's token; null for others.")
