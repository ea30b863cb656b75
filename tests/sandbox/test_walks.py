"""Random walks through the API: whatever is done, sums add up, and the same seed ends in the same state."""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from sandbox.app import create_app
from sandbox.config import Config
from tests.contract.checking import checked
from tests.sandbox.server import KEY

WALKS = int(os.environ.get("SANDBOX_WALKS", "4"))
STEPS = 70
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_mastercard", "pm_card_chargeCustomerFail")


class Walk:
    """A seeded choice of operations; its clock goes on by a while with each request."""

    def __init__(self, http: httpx.AsyncClient, seed: int) -> None:
        self.http = http
        self.chance = random.Random(seed)
        self.customers: list[str] = []
        self.prices: list[str] = []
        self.refused = 0

    async def ask(self, method: str, path: str, **params: Any) -> dict[str, Any]:
        given = {"params": params} if method == "GET" else {"data": params}
        answer = await self.http.request(method, path, **given)  # type: ignore[arg-type]
        assert answer.status_code < 500, answer.text
        self.refused += answer.status_code != 200
        found: dict[str, Any] = answer.json()
        return found

    async def all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        page = await self.ask("GET", path, limit=100, **params)
        assert not page["has_more"]
        found: list[dict[str, Any]] = page["data"]
        return found

    async def step(self) -> None:
        ways = (self.customer, self.price, self.subscribe, self.change, self.end, self.bill, self.pay, self.refund)
        await self.chance.choice((*ways, self.credit, self.bill, self.subscribe, self.note, self.term))()

    async def taxes(self, name: str) -> dict[str, str]:
        """Sometimes one or two tax rates, as parameters."""
        given = {}
        for place in range(self.chance.choice((0, 0, 1, 2))):
            percentage = str(self.chance.randrange(1, 3_000) / 100)
            inclusive = self.chance.choice(("true", "false"))
            made = await self.ask("POST", "/v1/tax_rates", display_name="T", percentage=percentage, inclusive=inclusive)
            given[f"{name}[{place}]"] = made["id"]
        return given

    async def customer(self) -> None:
        made = await self.ask("POST", "/v1/customers", name=f"C{self.chance.randrange(99)}")
        card = await self.ask("POST", f"/v1/payment_methods/{self.chance.choice(CARDS)}/attach", customer=made["id"])
        default = {"invoice_settings[default_payment_method]": card["id"]}
        await self.ask("POST", f"/v1/customers/{made['id']}", **default)
        self.customers.append(made["id"])

    async def price(self) -> None:
        every = self.chance.choice(("month", "year", "week"))
        given = {"recurring[interval]": every, "product_data[name]": "Plan", "currency": "usd"}
        made = await self.ask("POST", "/v1/prices", unit_amount=self.chance.randrange(1, 90_000), **given)
        self.prices.append(made["id"])

    async def subscribe(self) -> None:
        if not (self.customers and self.prices):
            return
        coupon = await self.ask("POST", "/v1/coupons", percent_off=self.chance.randrange(1, 101), duration="forever")
        given = {"items[0][price]": self.chance.choice(self.prices), "items[0][quantity]": self.chance.randrange(1, 9)}
        given |= {"discounts[0][coupon]": coupon["id"]} if self.chance.random() < 0.4 else {}
        given |= {"trial_period_days": 7} if self.chance.random() < 0.2 else {}
        given |= await self.taxes("default_tax_rates")
        await self.ask("POST", "/v1/subscriptions", customer=self.chance.choice(self.customers), **given)

    async def _subscription(self) -> dict[str, Any] | None:
        found = await self.all("/v1/subscriptions", status="all")
        return self.chance.choice(found) if found else None

    async def change(self) -> None:
        subscription = await self._subscription()
        if subscription:
            given = {"items[0][id]": subscription["items"]["data"][0]["id"]}
            given |= {"items[0][price]": self.chance.choice(self.prices)}
            given |= {"items[0][quantity]": str(self.chance.randrange(1, 9))}
            given |= {"proration_behavior": self.chance.choice(("create_prorations", "always_invoice", "none"))}
            await self.ask("POST", f"/v1/subscriptions/{subscription['id']}", **given)

    async def end(self) -> None:
        subscription = await self._subscription()
        if subscription and self.chance.random() < 0.4:
            await self.ask("DELETE", f"/v1/subscriptions/{subscription['id']}")

    async def bill(self) -> None:
        if not self.customers:
            return
        customer = self.chance.choice(self.customers)
        given = await self.taxes("default_tax_rates")
        if self.chance.random() < 0.3:
            coupon = await self.ask("POST", "/v1/coupons", amount_off=700, currency="usd", duration="once")
            given["discounts[0][coupon]"] = coupon["id"]
        draft = await self.ask("POST", "/v1/invoices", customer=customer, **given)
        for _ in range(self.chance.randrange(1, 4)):
            amount = self.chance.randrange(-3_000, 9_000)
            item = {"customer": customer, "invoice": draft["id"], "currency": "usd", "amount": amount}
            await self.ask("POST", "/v1/invoiceitems", **item)
        await self.ask("POST", f"/v1/invoices/{draft['id']}/finalize")
        verb = self.chance.choice(("pay", "pay", "void", "mark_uncollectible"))
        await self.ask("POST", f"/v1/invoices/{draft['id']}/{verb}")

    async def pay(self) -> None:
        if self.customers:
            customer = self.chance.choice(self.customers)
            owner = await self.ask("GET", f"/v1/customers/{customer}")
            given = {"payment_method": owner["invoice_settings"]["default_payment_method"], "confirm": "true"}
            given |= {"return_url": "https://example.org", "customer": customer, "currency": "usd"}
            await self.ask("POST", "/v1/payment_intents", amount=self.chance.randrange(50, 9_000), **given)

    async def note(self) -> None:
        """A credit note over a part of a line, of an invoice that is open or paid."""
        found = [one for one in await self.all("/v1/invoices") if one["status"] in ("open", "paid")]
        lines = [(one, line) for one in found for line in one["lines"]["data"] if line["amount"] > 1]
        if not lines:
            return
        invoice, line = self.chance.choice(lines)
        given = {"lines[0][type]": "invoice_line_item", "lines[0][invoice_line_item]": line["id"]}
        given |= {"lines[0][amount]": str(self.chance.randrange(1, line["amount"]))}
        shown = await self.ask("GET", "/v1/credit_notes/preview", invoice=invoice["id"], **given)
        back = {"credit_amount": shown["total"]} if invoice["status"] == "paid" and "total" in shown else {}
        await self.ask("POST", "/v1/credit_notes", invoice=invoice["id"], **given, **back)

    async def term(self) -> None:
        """A schedule of two phases, or the next phase of the walk's clock."""
        if not (self.customers and self.prices):
            return
        given = {"customer": self.chance.choice(self.customers), "start_date": "now", "end_behavior": "cancel"}
        for place in range(2):
            given[f"phases[{place}][items][0][price]"] = self.chance.choice(self.prices)
            given[f"phases[{place}][duration][interval]"] = "week"
        made = await self.ask("POST", "/v1/subscription_schedules", **given)
        if "id" in made and self.chance.random() < 0.5:
            verb = self.chance.choice(("cancel", "release"))
            await self.ask("POST", f"/v1/subscription_schedules/{made['id']}/{verb}")

    async def refund(self) -> None:
        charges = [one for one in await self.all("/v1/charges") if one["captured"] and not one["refunded"]]
        if charges:
            charge = self.chance.choice(charges)
            left = charge["amount"] - charge["amount_refunded"]
            await self.ask("POST", "/v1/refunds", charge=charge["id"], amount=self.chance.randrange(1, left + 9))

    async def credit(self) -> None:
        if self.customers:
            path = f"/v1/customers/{self.chance.choice(self.customers)}/balance_transactions"
            await self.ask("POST", path, amount=self.chance.randrange(-2_000, 2_000), currency="usd")


@asynccontextmanager
async def walking(seed: int) -> AsyncIterator[Walk]:
    now = [1_793_000_000.0]

    def clock() -> float:
        now[0] += 977.0  # about a quarter of an hour: prorations are never of whole days
        return now[0]

    with checked(create_app(Config(api_keys=(KEY,), clock=clock, seed=seed))) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", auth=(KEY, "")) as http:
            walk = Walk(http, seed)
            for begin in (walk.customer, walk.price, walk.bill):
                await begin()
            for _ in range(STEPS):
                await walk.step()
            yield walk


async def _invoices_add_up(walk: Walk) -> int:
    invoices = await walk.all("/v1/invoices")
    for invoice in invoices:
        lines = await walk.all(f"/v1/invoices/{invoice['id']}/lines")
        assert invoice["subtotal"] == sum(line["amount"] for line in lines)
        reduced = sum(each["amount"] for each in invoice["total_discount_amounts"] or [])
        assert reduced == sum(each["amount"] for line in lines for each in line["discount_amounts"] or [])
        taxes = [each for line in lines for each in line["taxes"] or []]
        added = sum(each["amount"] for each in taxes if each["tax_behavior"] == "exclusive")
        assert sum(each["amount"] for each in invoice["total_taxes"] or []) == sum(each["amount"] for each in taxes)
        assert invoice["total"] == invoice["subtotal"] - reduced + added
        assert invoice["total_excluding_tax"] == invoice["total"] - sum(each["amount"] for each in taxes)
        assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
        if invoice["status"] != "draft":
            moved = invoice["ending_balance"] - invoice["starting_balance"]
            credited = invoice["pre_payment_credit_notes_amount"]
            assert invoice["amount_due"] == invoice["total"] - moved - credited
    return len(invoices)


async def _balances_add_up(walk: Walk) -> None:
    for customer in walk.customers:
        told = await walk.all(f"/v1/customers/{customer}/balance_transactions")
        owner = await walk.ask("GET", f"/v1/customers/{customer}")
        assert owner["balance"] == sum(one["amount"] for one in told)
        running = 0
        for one in reversed(told):
            running += one["amount"]
            assert one["ending_balance"] == running


async def _money_adds_up(walk: Walk) -> None:
    transactions = await walk.all("/v1/balance_transactions")
    assert all(one["fee"] == sum(each["amount"] for each in one["fee_details"]) for one in transactions)
    assert all(one["net"] == one["amount"] - one["fee"] for one in transactions)
    balance = await walk.ask("GET", "/v1/balance")
    held = sum(one["amount"] for state in ("available", "pending") for one in balance[state])
    assert held == sum(one["net"] for one in transactions)
    refunded: Counter[str] = Counter()
    for refund in await walk.all("/v1/refunds"):
        refunded[refund["charge"]] += refund["amount"]
    for charge in await walk.all("/v1/charges"):
        assert charge["amount_refunded"] == refunded[charge["id"]]
        assert charge["refunded"] is (charge["amount_refunded"] == charge["amount"] and charge["captured"])


@pytest.mark.parametrize("seed", range(WALKS))
async def test_whatever_is_done_sums_add_up_and_the_same_seed_ends_in_the_same_state(seed: int) -> None:
    states = []
    for _ in range(2):
        async with walking(seed) as walk:
            states.append((await walk.http.get("/_sandbox/state")).content)
            assert await _invoices_add_up(walk) > 0
            await _balances_add_up(walk)
            await _money_adds_up(walk)
    assert states[0] == states[1]
