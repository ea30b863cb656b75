"""A tenant whose account lives in a sandbox over HTTP, and what a test may do to it behind the gateway's back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from billing.mirroring import Mirroring
from billing.stripe_client import StripeGateway
from sandbox.app import create_app
from sandbox.config import Config
from storage.database import Database
from tenants.models import Tenant
from tests.contract.checking import checked
from tests.sandbox.server import KEY, serving
from tests.support.tenants import new_tenant

TABLES = {
    "customers": ("/v1/customers", {}),
    "products": ("/v1/products", {}),
    "prices": ("/v1/prices", {}),
    "coupons": ("/v1/coupons", {}),
    "subscriptions": ("/v1/subscriptions", {"status": "all"}),
    "invoices": ("/v1/invoices", {}),
    "payments": ("/v1/payment_intents", {}),
    "invoice_payments": ("/v1/invoice_payments", {}),
    "checkout_sessions": ("/v1/checkout/sessions", {}),
}
ACCOUNT = {"country": "US", "metadata[sandbox_enabled]": "true"}
ACCOUNT |= {f"capabilities[{name}][requested]": "true" for name in ("card_payments", "transfers")}
ACCOUNT |= {"controller[fees][payer]": "account", "controller[losses][payments]": "stripe"}
ACCOUNT |= {"controller[requirement_collection]": "stripe", "controller[stripe_dashboard][type]": "full"}
_LEFT_OUT = ("client_secret", "confirmation_secret", "payments")


@dataclass(frozen=True)
class Account:
    """A tenant with its account; `stripe` is the gateway's way to it, `http` a code path of its own."""

    database: Database
    stripe: StripeGateway
    http: httpx.AsyncClient
    tenant: Tenant

    @property
    def id(self) -> str:
        return self.tenant.account_id or ""

    @property
    def way(self) -> Mirroring:
        return Mirroring(self.stripe, self.tenant.id, self.id, livemode=False, background=True)

    async def ask(self, method: str, path: str, **params: Any) -> dict[str, Any]:
        """What the sandbox answers, by plain HTTP; names of nested parameters are written as Stripe has them."""
        given = {"params": params} if method == "GET" else {"data": params}
        answer = await self.http.request(method, path, headers={"Stripe-Account": self.id}, **given)  # type: ignore[arg-type]
        found: dict[str, Any] = answer.json()
        assert answer.status_code == 200, found
        return found

    async def all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All objects of a list."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = await self.ask("GET", path, limit=100, **params, **after)
            found += page["data"]
            if not page["has_more"]:
                return found

    async def control(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        """The sandbox's own controls."""
        answer = await self.http.request(method, f"/_sandbox/{path}", json=given)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def requests(self) -> int:
        """How many API requests the sandbox has answered."""
        return int((await self.control("GET", "requests"))["total"])

    async def differences(self) -> list[str]:
        """Every field of every object that the mirror has otherwise than Stripe's lists say."""
        found: list[str] = []
        for table, (path, params) in TABLES.items():
            listed = await self.all(path, **params)
            found += await self._differences(table, listed)
            if table == "customers":
                owned = [await self.all("/v1/payment_methods", customer=one["id"]) for one in listed]
                found += await self._differences("payment_methods", [one for methods in owned for one in methods])
        return found

    async def _differences(self, table: str, listed: list[dict[str, Any]]) -> list[str]:
        owned = " and customer_id is not null" if table == "payment_methods" else ""  # nobody's are in no list
        rows = await self.database.system.execute_query_dict(
            f"select stripe_id, data from {table} where tenant_id = $1 and not deleted{owned}", [self.tenant.id]
        )
        kept = {row["stripe_id"]: orjson.loads(row["data"]) for row in rows}
        found = [f"{table}: {id_} is in the mirror alone" for id_ in kept.keys() - {body["id"] for body in listed}]
        for body in listed:
            said = plain(await self._whole(body))
            if plain(kept.get(body["id"])) != said:
                found.append(f"{table}: {body['id']} differs")
        return found

    async def _whole(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["object"] == "invoice" and body["lines"]["has_more"]:
            lines = await self.all(f"/v1/invoices/{body['id']}/lines")
            return body | {"lines": body["lines"] | {"data": lines, "has_more": False}}
        return body


def plain(value: Any) -> Any:
    """Without secrets; an object inside another counts as its id."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: one["id"] if isinstance(one, dict) and {"object", "id"} <= one.keys() else plain(one)
        for key, one in value.items()
        if key not in _LEFT_OUT
    }


@asynccontextmanager
async def accounts_running(
    database: Database, slugs: Sequence[str], *, tenants: Mapping[str, Any] | None = None, **limits: Any
) -> AsyncIterator[list[Account]]:
    """A sandbox, whose every answer is held against the SDK's types, with a connected account for each new tenant."""
    with checked(create_app(Config(api_keys=(KEY,)))) as app:
        async with serving(app) as address, httpx.AsyncClient(base_url=address, auth=(KEY, ""), timeout=30) as http:
            stripe = StripeGateway(api_key=KEY, base=address, timeout=10.0, **limits)
            try:
                found = []
                for slug in slugs:
                    made = await http.post("/v1/accounts", data=ACCOUNT)
                    assert made.status_code == 200, made.text
                    tenant = await new_tenant(database, slug, account_id=made.json()["id"], **(tenants or {}))
                    found.append(Account(database, stripe, http, tenant))
                yield found
            finally:
                await stripe.close()


@asynccontextmanager
async def account_running(database: Database, **limits: Any) -> AsyncIterator[Account]:
    """A sandbox with one connected account, and its tenant."""
    async with accounts_running(database, ["harbour"], **limits) as (account,):
        yield account
