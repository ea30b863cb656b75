"""Three demo tenants with plans, customers in different states, and a key for each audience."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from billing import customers, subscriptions
from billing.errors import BillingError
from billing.mirroring import Mirroring, apply_as_tenant
from billing.onboarding import Applicant, onboard
from billing.operations import Order
from gateway.runtime import Runtime, open_runtime
from gateway.settings import Settings
from mirror.models import Customer
from storage.binding import bind_tenant
from tenants import registry
from tenants.context import ROLE_SCOPES, Caller, Feature, Role
from tenants.models import ApiToken, Tenant

_KEY_NAME = "demo"
_ENABLED = (("sandbox_enabled", "true"),)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan to seed; `amount` is in minor units."""

    name: str
    amount: int
    interval: str
    lookup_key: str


@dataclass(frozen=True, slots=True)
class Payer:
    """A customer to seed: `method` is one of Stripe's test means of payment, `ends` cancels at the period's end."""

    name: str
    email: str
    method: str | None = None
    plan: int | None = None
    trial_days: int | None = None
    ends: bool = False


_FEATURES = tuple(Feature)
EXAMPLE_ORIGIN = "http://127.0.0.1:5173"  # where `make example` serves its page
TENANTS = (
    (
        Applicant(
            "mercy-health", "Mercy Health Network", "healthcare", "US", "usd", "billing@mercy.example",
            features=_FEATURES, metadata=_ENABLED,
        ),
        (
            Plan("Care membership", 4_900, "month", "care-monthly"),
            Plan("Family care membership", 9_900, "month", "family-monthly"),
            Plan("Care membership, yearly", 49_900, "year", "care-yearly"),
        ),
    ),
    (
        Applicant(
            "northfield", "Northfield University", "education", "US", "usd", "bursar@northfield.example",
            features=_FEATURES, metadata=_ENABLED,
        ),
        (
            Plan("Tuition instalments", 125_000, "month", "tuition-monthly"),
            Plan("Campus housing", 78_000, "month", "housing-monthly"),
            Plan("Library and laboratories", 15_000, "year", "library-yearly"),
        ),
    ),
    (
        Applicant(
            "brightdesk", "Brightdesk Software", "saas", "US", "usd", "accounts@brightdesk.example",
            features=_FEATURES, metadata=_ENABLED,
        ),
        (
            Plan("Starter", 1_900, "month", "starter-monthly"),
            Plan("Team", 7_900, "month", "team-monthly"),
            Plan("Team, yearly", 79_000, "year", "team-yearly"),
        ),
    ),
)  # fmt: skip
PAYERS = (
    Payer("Ada Lovelace", "ada@customers.example", "pm_card_visa", 0),
    Payer("Grace Hopper", "grace@customers.example", "pm_card_mastercard", 1, trial_days=14),
    Payer("Alan Turing", "alan@customers.example", "pm_card_chargeCustomerFail", 0),
    Payer("Emmy Noether", "emmy@customers.example", "pm_card_visa", 2, ends=True),
    Payer("Kurt Gödel", "kurt@customers.example"),
)


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """What a visitor needs of one tenant."""

    slug: str
    name: str
    account: str
    admin_key: str
    partner_key: str
    customer: str
    customer_token: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What demo.json tells; keys are fresh at each start."""

    settings: Settings
    tenants: tuple[DemoTenant, ...]
    platform_key: str

    def as_json(self) -> dict[str, Any]:
        """The shape of demo.json."""
        base, settings = self.settings.public_url, self.settings
        connect, platform = (*settings.webhook_secrets(), "", "")[:2]
        sidecar = f"http://{settings.gateway_host}:{settings.gateway_sidecar_port}"
        return {
            "gateway": base,
            "graphql": f"{base}/graphql",
            "webhooks": f"{sidecar}/webhooks/stripe",
            "sandbox": settings.stripe_api_base,
            "sandbox_key": settings.stripe_api_key.get_secret_value(),
            "webhook_secret": connect,
            "platform_webhook_secret": platform,
            "pages": {"graphiql": f"{base}/graphql"},
            "tenants": [{name: getattr(tenant, name) for name in DemoTenant.__slots__} for tenant in self.tenants],
            "platform_key": self.platform_key,
        }

    def lines(self) -> list[str]:
        """What to open, for people."""
        base = self.settings.public_url
        found = [f"GraphiQL       {base}/graphql   (open it in a browser, paste a key)"]
        found += [f"Stripe         {self.settings.stripe_description()}", ""]
        for tenant in self.tenants:
            found += [
                f"{tenant.name} ({tenant.slug})",
                f"  admin key       {tenant.admin_key}",
                f"  partner key     {tenant.partner_key}",
                f"  customer        {tenant.customer}",
                f"  customer token  {tenant.customer_token}",
            ]
        query = '{"query":"{ subscriptions(first: 5) { nodes { status customer { name } items { plan { name } } } } }"}'
        found += [f"platform key     {self.platform_key}", "", "Try:"]
        found += [f"curl -s {base}/graphql -H 'Authorization: Bearer {self.tenants[0].partner_key}' \\"]
        return [*found, f"  -H 'Content-Type: application/json' -d '{query}'"]


async def seed(settings: Settings) -> Demo:
    """Make what is missing (a second start finds it all there), and fresh keys."""
    async with open_runtime(settings) as runtime:
        made = await asyncio.gather(*(_tenant(runtime, applicant, plans) for applicant, plans in TENANTS))
        rows = await runtime.database.system.execute_query_dict(
            "select public_id from platform_tokens where name = $1 and revoked_at is null", [_KEY_NAME]
        )
        for row in rows:
            await registry.revoke_platform_key(runtime.database, row["public_id"])
        key = await registry.issue_platform_key(runtime.database, name=_KEY_NAME, livemode=settings.livemode)
        return Demo(settings, tuple(made), key)


async def _tenant(runtime: Runtime, applicant: Applicant, plans: tuple[Plan, ...]) -> DemoTenant:
    tenant = await onboard(runtime.database, runtime.stripe, applicant, livemode=runtime.settings.livemode)
    if EXAMPLE_ORIGIN not in tenant.cors_origins:
        tenant.cors_origins = [*tenant.cors_origins, EXAMPLE_ORIGIN]
        await registry.save_tenant(runtime.database, tenant)
    with bind_tenant(tenant.id):
        prices = [await _plan(runtime, tenant, plan) for plan in plans]
        for payer in PAYERS:
            await _payer(runtime, tenant, payer, prices)
        first = await Customer.get(email=PAYERS[0].email, livemode=tenant.livemode)
        old = await ApiToken.filter(name=_KEY_NAME, revoked_at=None).values_list("public_id", flat=True)
    for public_id in old:
        await registry.revoke_key(runtime.database, str(public_id))
    admin, partner = [
        await registry.issue_key(runtime.database, tenant, role=role, name=_KEY_NAME)
        for role in (Role.ADMIN, Role.PARTNER)
    ]
    now = datetime.now(UTC)
    token = runtime.sessions.mint(
        tenant=tenant.slug,
        customer=first.stripe_id,
        livemode=tenant.livemode,
        now=now,
        lifetime=timedelta(hours=1),
    )
    return DemoTenant(tenant.slug, tenant.name, tenant.account_id or "", admin, partner, first.stripe_id, token)


async def _create(runtime: Runtime, tenant: Tenant, act: Any, key: str) -> str:
    """Make one object of the catalog, under a key that a second start repeats."""
    way = Mirroring(runtime.stripe, tenant.id, tenant.account_id or "", tenant.livemode)
    answer = await runtime.stripe.call(tenant.account_id, act, idempotency_key=f"gw_demo_{tenant.slug}_{key}")
    await way.settle(way.arrival(answer), partial(apply_as_tenant, runtime.database))
    return str(answer.body["id"])


async def _plan(runtime: Runtime, tenant: Tenant, plan: Plan) -> str:
    rows = await runtime.database.app.execute_query_dict(
        "select stripe_id from prices where lookup_key = $1 and livemode = $2", [plan.lookup_key, tenant.livemode]
    )
    if rows:
        return str(rows[0]["stripe_id"])
    product = await _create(
        runtime, tenant, lambda v1, o: v1.products.create_async({"name": plan.name}, o), f"{plan.lookup_key}_product"
    )
    params = {
        "product": product,
        "currency": tenant.default_currency,
        "unit_amount": plan.amount,
        "recurring": {"interval": plan.interval},
        "lookup_key": plan.lookup_key,
    }
    return await _create(runtime, tenant, lambda v1, o: v1.prices.create_async(params, o), plan.lookup_key)


async def _payer(runtime: Runtime, tenant: Tenant, payer: Payer, prices: list[str]) -> None:
    caller = Caller(tenant.info(), Role.ADMIN, ROLE_SCOPES[Role.ADMIN], token=_KEY_NAME)

    def order(action: str) -> Order:
        return Order(caller, action, f"demo-{action}-{payer.email}", {"payer": payer.email}, str(uuid4()))

    fields = {"email": payer.email, "name": payer.name}
    made = await customers.create(runtime.operations, order("customerCreate"), fields)
    if payer.method is None or payer.plan is None:
        return
    method = payer.method

    async def attach(v1: Any, options: Any) -> Any:
        return await v1.payment_methods.attach_async(method, {"customer": made.object_id}, options)

    try:
        saved = await _create(runtime, tenant, attach, f"{payer.email}_method")
        new = subscriptions.NewSubscription(
            made.object_id, prices[payer.plan], payment_method=saved, trial_period_days=payer.trial_days
        )
        started = await subscriptions.create(runtime.operations, order("subscriptionCreate"), new)
        if payer.ends:
            asked = order("subscriptionCancel")
            await subscriptions.cancel(runtime.operations, asked, started.object_id, at_period_end=True)
    except BillingError:
        return  # a declined card is part of the demo
