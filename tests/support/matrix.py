"""Five tenants with real accounts in a sandbox, all their objects in the mirror, and a caller of each role for each."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from billing.customers import EXTERNAL_ID
from billing.pressure import Limits
from gateway.runtime import Runtime
from gateway.settings import Settings
from schema import ids
from storage.database import Database
from tenants import tokens
from tenants.context import Feature, Role
from tenants.registry import issue_key, issue_platform_key
from tests.support.gateway import endpoint_client
from tests.support.stripe_account import Account, accounts_running
from webhooks import jobs
from webhooks.jobs import JobKind, Jobs

TENANTS = 5
EACH = (1, 2)
# Objects of a tenant that its customers share.
SHARED = {"Plan", "Coupon"}
# What is the clock's or the bucket's own, and no oracle.
_OWN = re.compile(rb'"available":\d+|"requestId":"[^"]+"|"lagSeconds":[\d.e-]+')
Key = tuple[int, str, int]  # tenant, type, which


@dataclass(frozen=True)
class Caller:
    """A token; `tenant` counts from 1."""

    tenant: int
    role: Role
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.role} of tenant {self.tenant}"


@dataclass(frozen=True)
class Matrix:
    """`ids` has Stripe's id (or the public id of a key) of every object that any of the tenants has."""

    client: httpx.AsyncClient
    runtime: Runtime
    accounts: list[Account]
    callers: list[Caller]
    ids: dict[Key, str] = field(default_factory=dict)
    spare: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    """Objects of each tenant's first customer that a mutation may use up."""

    async def ask(self, caller: Caller, query: str, variables: Any = None) -> tuple[bytes, dict[str, Any]]:
        """The answer, as bytes without what differs by the clock, and as data."""
        asked = {"query": query, "variables": variables}
        answer = await self.client.post("/graphql", json=asked, headers=dict(caller.headers))
        assert answer.status_code in {200, 400}, (caller, query, answer.text)
        body: dict[str, Any] = answer.json()
        return _OWN.sub(b"", answer.content), body

    def own(self, caller: Caller, type_: str) -> str:
        return self.ids[caller.tenant, type_, 1]

    def foreign(self, caller: Caller, type_: str) -> list[str]:
        """The ids of every object of a type that the caller must not see."""
        return [found for (tenant, kind, which), found in self.ids.items() if kind == type_ and (
            tenant != caller.tenant or (caller.role is Role.CUSTOMER and type_ not in SHARED and which == 2)
        )]  # fmt: skip

    def nothing(self, type_: str) -> str:
        """An id that nobody has, as long as those that somebody has: answers are compared to the byte."""
        return self.ids[1, type_, 1][:-8] + "Nobody00"

    def word(self, id_: str) -> str:
        """What else names an object: the address and the external id of its customer."""
        found = next(((tenant, which) for (tenant, _, which), one in self.ids.items() if one == id_), (0, 0))
        return "secret-{}-{}".format(*found)

    def secrets(self, caller: Caller) -> list[bytes]:
        """Words and ids that stand on foreign objects alone."""
        words = [f"secret-{n}-" for n in range(1, TENANTS + 1) if n != caller.tenant]
        words += [account.id for n, account in enumerate(self.accounts, 1) if n != caller.tenant]
        types = {type_ for _, type_, _ in self.ids}
        words += [id_ for type_ in types for id_ in self.foreign(caller, type_)]
        if caller.role is Role.CUSTOMER:
            words.append(f"secret-{caller.tenant}-2")
        return [word.encode() for word in words]


@asynccontextmanager
async def matrix_of(database: Database) -> AsyncIterator[Matrix]:
    """The matrix, in a sandbox of its own; its buckets never run dry."""
    settings = Settings(graphql_token_points=10**7, graphql_tenant_points=10**8)
    limits = Limits(background_per_second=10_000)
    common = {"features": [each.value for each in Feature]}
    slugs = [f"secret-{number}-slug" for number in range(1, TENANTS + 1)]
    async with (
        accounts_running(database, slugs, tenants=common, limits=limits) as accounts,
        endpoint_client(database, settings=settings, stripe=accounts[0].stripe) as (client, runtime),
    ):
        found = Matrix(client, runtime, accounts, [])
        for number, account in enumerate(accounts, 1):
            found.ids.update(await _fill(account, number))
            await _mirrored(account, JobKind.BACKFILL)
            await database.system.execute_query(
                "update tenants set name = $2 where id = $1", [account.tenant.id, f"secret-{number}-name"]
            )
        platform = await issue_platform_key(database, name="platform", livemode=False)
        for number in range(1, TENANTS + 1):
            found.callers.extend([one async for one in _callers(found, number, platform)])
        yield found


async def provide(matrix: Matrix) -> None:
    """Fill `spare`, for those who use things up."""
    for number, account in enumerate(matrix.accounts, 1):
        spare = await _spare(account, matrix.ids, number)
        matrix.spare.update({(number, type_): ids for type_, ids in spare.items()})
        await _mirrored(account, JobKind.RECONCILE)


async def _mirrored(account: Account, kind: JobKind) -> None:
    assert await jobs.request(account.database.system, account.tenant.id, kind)
    assert await Jobs(account.database, account.stripe, livemode=False).work_once()


async def _callers(matrix: Matrix, number: int, platform: str) -> AsyncIterator[Caller]:
    tenant = matrix.accounts[number - 1].tenant
    database = matrix.runtime.database
    for which in EACH:
        key = await issue_key(database, tenant, role=Role.PARTNER, name=f"secret-{number}-key")
        matrix.ids[number, "ApiToken", which] = tokens.parse(key).public_id
    for role in (Role.PARTNER, Role.ADMIN, Role.SUPPORT):
        key = await issue_key(database, tenant, role=role, name=f"secret-{number}-{role}")
        yield Caller(number, role, {"authorization": f"Bearer {key}"})
    session = matrix.runtime.sessions.mint(
        tenant=tenant.slug, customer=matrix.ids[number, "Customer", 1], livemode=False, now=datetime.now(UTC),
        lifetime=timedelta(hours=1),
    )  # fmt: skip
    yield Caller(number, Role.CUSTOMER, {"authorization": f"Bearer {session}"})
    yield Caller(number, Role.PLATFORM, {"authorization": f"Bearer {platform}", "billing-tenant": tenant.slug})


async def _spare(account: Account, known: Mapping[Key, str], number: int) -> dict[str, list[str]]:
    customer = known[number, "Customer", 1]
    found: dict[str, list[str]] = {"PaymentMethod": [], "Invoice": []}
    for _ in Role:
        card = await account.ask("POST", "/v1/payment_methods/pm_card_visa/attach", customer=customer)
        await account.ask("POST", "/v1/invoiceitems", customer=customer, amount="500", currency="usd")
        invoice = await account.ask(
            "POST", "/v1/invoices", customer=customer, pending_invoice_items_behavior="include", auto_advance="false"
        )
        await account.ask("POST", f"/v1/invoices/{invoice['id']}/finalize", auto_advance="false")
        found["PaymentMethod"].append(card["id"])
        found["Invoice"].append(invoice["id"])
    return found


async def _fill(account: Account, number: int) -> dict[Key, str]:
    """Two customers of a tenant, each with a paid subscription and one object of each other type."""
    made: dict[Key, str] = {}
    ask = account.ask
    await ask("POST", "/v1/billing_portal/configurations", **{"features[invoice_history][enabled]": "true"})
    for which in EACH:
        word, shared = f"secret-{number}-{which}", f"secret-{number}-plan-{which}"
        product = await ask("POST", "/v1/products", name=shared)
        given = {"recurring[interval]": "month", "nickname": shared}
        price = await ask(
            "POST", "/v1/prices", product=product["id"], currency="usd", unit_amount=100 * number, **given
        )
        coupon = await ask("POST", "/v1/coupons", id=f"OFF{number}{which}xxxxxxxx", percent_off=10, duration="once")
        customer = await ask(
            "POST", "/v1/customers", name=word, email=f"{word}@example.org", **{f"metadata[{EXTERNAL_ID}]": word}
        )
        id_ = customer["id"]
        card = await ask("POST", "/v1/payment_methods/pm_card_visa/attach", customer=id_)
        await ask("POST", f"/v1/customers/{id_}", **{"invoice_settings[default_payment_method]": card["id"]})
        subscription = await ask("POST", "/v1/subscriptions", customer=id_, **{"items[0][price]": price["id"]})
        (payment,) = await account.all("/v1/payment_intents", customer=id_)
        line = {"line_items[0][price]": price["id"], "line_items[0][quantity]": "1"}
        page = await ask(
            "POST", "/v1/checkout/sessions", mode="subscription", customer=id_, success_url="https://e.org", **line
        )
        objects = {
            "Plan": price, "Coupon": coupon, "Customer": customer, "PaymentMethod": card, "Payment": payment,
            "Subscription": subscription, "CheckoutSession": page, "Invoice": {"id": subscription["latest_invoice"]},
        }  # fmt: skip
        made |= {(number, type_, which): one["id"] for type_, one in objects.items()}
    return made


def global_id(type_: str, text: str) -> str:
    return str(ids.encode(type_, text))


def holds_nothing(data: Any) -> bool:
    """Whether an answer has no object, and no number but zero."""
    if isinstance(data, dict):
        return all(holds_nothing(value) for name, value in data.items() if name != "__typename")
    return data in (None, 0, False) or (isinstance(data, list) and all(holds_nothing(one) for one in data))
