"""Previews of invoices: of new subscriptions, of changes, of schedules, of single items."""

from typing import Any

import pytest

from tests.sandbox.server import Caller
from tests.sandbox.test_billing_parameters import amounts, payer, price, subscribed

PATH = "/v1/invoices/create_preview"


async def test_a_new_subscription_with_discounts_and_items(call: Caller) -> None:
    customer, seats = await payer(call), await price(call, 3000)
    once = await price(call, 700, product=seats["product"])
    half = (await call.post("/v1/coupons", {"percent_off": 50}))["id"]
    shown = await call.post(
        PATH,
        {
            "customer": customer,
            "discounts": [{"coupon": half}],
            "invoice_items": [{"price": once["id"]}, {"amount": 100, "currency": "usd"}],
            "subscription_details": {"items": [{"price": seats["id"], "quantity": 2}]},
        },
    )
    assert (amounts(shown), shown["total"], shown["status"]) == ([700, 100, 6000], 3400, "draft")
    # nothing of it is left
    assert (await call.get("/v1/invoiceitems"))["data"] == []
    assert (await call.get("/v1/subscriptions", {"status": "all"}))["data"] == []
    assert (await call.get(f"/v1/coupons/{half}"))["times_redeemed"] == 0


async def test_somebody_who_is_no_customer_yet(call: Caller) -> None:
    seats = await price(call, 3000)
    details = {
        "address": {"country": "DE"},
        "tax_exempt": "reverse",
        "tax_ids": [{"type": "eu_vat", "value": "DE123456789"}],
    }
    shown = await call.post(
        PATH,
        {"customer_details": details, "currency": "usd", "subscription_details": {"items": [{"price": seats["id"]}]}},
    )
    assert (shown["total"], shown["customer_tax_exempt"], shown["customer_address"]["country"]) == (
        3000,
        "reverse",
        "DE",
    )
    assert (await call.get("/v1/customers"))["data"] == []


async def test_only_items(call: Caller) -> None:
    customer, once = await payer(call), await price(call, 700, product_data={"name": "Hour"})
    shown = await call.post(PATH, {"customer": customer, "invoice_items": [{"price": once["id"], "quantity": 3}]})
    assert (amounts(shown), shown["amount_due"]) == ([2100], 2100)
    assert (await call.post(PATH, {"customer": customer}))["code"] == "invoice_upcoming_none"


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"cancel_now": True}, [-3000]),
        ({"cancel_now": True, "proration_behavior": "none"}, []),
        ({}, [3000]),
    ],
)
async def test_an_existing_subscription(call: Caller, details: Any, expected: list[int]) -> None:
    made = await subscribed(call)
    shown = await call.post(PATH, {"subscription": made["id"], "subscription_details": details})
    assert amounts(shown) == expected
    assert (await call.get(f"/v1/subscriptions/{made['id']}"))["status"] == "active"


async def test_a_recurring_preview_leaves_out_what_waits(call: Caller) -> None:
    made = await subscribed(call)
    item = {"customer": made["customer"], "subscription": made["id"], "amount": 500, "currency": "usd"}
    await call.post("/v1/invoiceitems", item)
    shown = await call.post(PATH, {"subscription": made["id"]})
    again = await call.post(PATH, {"subscription": made["id"], "preview_mode": "recurring"})
    assert (amounts(shown), amounts(again)) == ([500, 3000], [3000])


async def test_a_schedule(call: Caller) -> None:
    made = await subscribed(call)
    schedule = await call.post("/v1/subscription_schedules", {"from_subscription": made["id"]})
    assert amounts(await call.post(PATH, {"schedule": schedule["id"]})) == [3000]
    seats = await price(call, 4000)
    phases = [{"items": [{"price": seats["id"]}], "duration": {"interval": "month"}}]
    shown = await call.post(PATH, {"customer": made["customer"], "schedule_details": {"phases": phases}})
    assert amounts(shown) == [4000]
