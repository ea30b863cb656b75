"""Automatic tax of an account that is registered nowhere: the place is asked for, the tax is nothing."""

from typing import Any

from tests.sandbox.server import Caller
from tests.sandbox.test_billing_parameters import payer, price, subscribed

ON: Any = {"enabled": True}
HOME = {"country": "DE", "line1": "Straße 1"}


async def test_a_subscription_needs_to_know_where_its_customer_is(call: Caller) -> None:
    refused = await subscribed(call, automatic_tax=ON)
    assert refused["code"] == "customer_tax_location_invalid"
    made = await subscribed(call, customer=await payer(call, address=HOME), automatic_tax=ON)
    assert made["automatic_tax"] == {"disabled_reason": None, "enabled": True, "liability": {"type": "self"}}
    invoice = made["latest_invoice"]
    assert (invoice["automatic_tax"]["status"], invoice["total"], invoice["total_taxes"]) == ("complete", 3000, [])


async def test_an_invoice_is_finalised_only_when_the_place_is_known(call: Caller) -> None:
    customer = await payer(call)
    invoice = await call.post("/v1/invoices", {"customer": customer, "automatic_tax": ON})
    assert invoice["automatic_tax"]["status"] == "requires_location_inputs"
    item = {"customer": customer, "invoice": invoice["id"], "amount": 2000, "currency": "usd"}
    await call.post("/v1/invoiceitems", item)
    path = f"/v1/invoices/{invoice['id']}/finalize"
    assert (await call.post(path))["code"] == "customer_tax_location_invalid"
    await call.post(f"/v1/customers/{customer}", {"address": HOME})
    done = await call.post(path)
    assert (done["status"], done["automatic_tax"]["status"], done["total"]) == ("open", "complete", 2000)


async def test_previews_and_sessions_take_it(call: Caller) -> None:
    seats = await price(call, 3000)
    details = {"items": [{"price": seats["id"]}]}
    shown = await call.post(
        "/v1/invoices/create_preview",
        {"customer_details": {"address": HOME}, "automatic_tax": ON, "subscription_details": details},
    )
    assert (shown["automatic_tax"]["enabled"], shown["automatic_tax"]["status"], shown["total"]) == (
        True,
        "complete",
        3000,
    )
    given = {"mode": "subscription", "line_items": [{"price": seats["id"], "quantity": 1}], "automatic_tax": ON}
    session = await call.post("/v1/checkout/sessions", {**given, "success_url": "https://shop.example"})
    assert session["automatic_tax"] == {
        "enabled": True,
        "liability": {"type": "self"},
        "provider": "stripe",
        "status": "requires_location_inputs",
    }


async def test_a_subscription_asks_for_three_d_secure(call: Caller) -> None:
    customer = (await call.post("/v1/customers", {"payment_method": "pm_card_threeDSecureOptional"}))["id"]
    (card,) = (await call.get("/v1/payment_methods", {"customer": customer}))["data"]
    options = {"card": {"request_three_d_secure": "any"}}
    settings = {"payment_method_options": options, "payment_method_types": ["card", "link"]}
    made = await subscribed(call, customer=customer, default_payment_method=card["id"], payment_settings=settings)
    card_options = made["payment_settings"]["payment_method_options"]["card"]
    assert (made["status"], card_options) == ("incomplete", {"network": None, "request_three_d_secure": "any"})
    assert made["latest_invoice"]["payment_settings"]["payment_method_types"] == ["card", "link"]
