"""What invoices, invoice items, previews and subscriptions may be asked for beside their plain use."""

from typing import Any

import pytest

from tests.sandbox.server import Caller

DAY = 86_400
CAPABILITIES = {"card_payments": {"requested": True}, "transfers": {"requested": True}}


async def payer(call: Caller, token: str = "tok_visa", **more: Any) -> str:
    return str((await call.post("/v1/customers", {"source": token, **more}))["id"])


async def price(call: Caller, amount: int, **more: Any) -> Any:
    recurring = {"recurring": {"interval": "month"}, "product_data": {"name": "Seats"}}
    return await call.post("/v1/prices", {"currency": "usd", "unit_amount": amount, **(more or recurring)})


async def subscribed(call: Caller, **more: Any) -> Any:
    made = await price(call, 3000)
    given = {"customer": await payer(call), "items": [{"price": made["id"]}], "expand": ["latest_invoice"], **more}
    return await call.post("/v1/subscriptions", given)


async def connected(call: Caller) -> str:
    given = {"type": "express", "metadata": {"sandbox_enabled": "true"}, "capabilities": CAPABILITIES}
    return str((await call.post("/v1/accounts", given))["id"])


def amounts(invoice: Any) -> list[int]:
    return [line["amount"] for line in invoice["lines"]["data"]]


async def test_an_item_has_a_price_of_its_own_and_discounts(call: Caller) -> None:
    customer = await payer(call)
    product = (await call.post("/v1/products", {"name": "Hours"}))["id"]
    half = (await call.post("/v1/coupons", {"percent_off": 50}))["id"]
    invoice = await call.post("/v1/invoices", {"customer": customer})
    item = await call.post(
        "/v1/invoiceitems",
        {
            "customer": customer,
            "invoice": invoice["id"],
            "price_data": {"currency": "usd", "product": product, "unit_amount": 999},
            "quantity": 3,
            "discounts": [{"coupon": half}],
            "tax_behavior": "exclusive",
        },
    )
    assert (item["amount"], item["description"], item["pricing"]["price_details"]["product"]) == (
        2997,
        "Hours",
        product,
    )
    assert (await call.post(f"/v1/invoiceitems/{item['id']}", {"quantity": 2}))["amount"] == 1998
    other = {"unit_amount_decimal": "1000"}
    assert (await call.post(f"/v1/invoiceitems/{item['id']}", other))["amount"] == 2000
    await call.post(
        "/v1/invoiceitems", {"customer": customer, "invoice": invoice["id"], "amount": 500, "currency": "usd"}
    )
    done = await call.post(f"/v1/invoices/{invoice['id']}/finalize")
    assert (done["subtotal"], done["total"]) == (2500, 1500)
    assert done["total_discount_amounts"] == [{"amount": 1000, "discount": item["discounts"][0]}]
    assert [line["discounts"] for line in done["lines"]["data"]] == [item["discounts"], []]


async def test_a_proration_has_no_other_quantity(call: Caller) -> None:
    made = await subscribed(call)
    item = made["items"]["data"][0]["id"]
    await call.post(f"/v1/subscriptions/{made['id']}", {"items": [{"id": item, "quantity": 2}]})
    waiting = await call.get("/v1/invoiceitems", {"pending": True})
    refused = await call.post(f"/v1/invoiceitems/{waiting['data'][0]['id']}", {"quantity": 5})
    assert refused["message"] == "You cannot change the price or the quantity of a proration."


async def test_an_invoice_is_dressed_and_pays_somebody_else(call: Caller) -> None:
    account, customer = await connected(call), await payer(call)
    invoice = await call.post(
        "/v1/invoices",
        {
            "customer": customer,
            "application_fee_amount": 100,
            "on_behalf_of": account,
            "payment_settings": {"payment_method_types": ["card"]},
            "rendering": {"amount_tax_display": "exclude_tax", "pdf": {"page_size": "a4"}},
            "shipping_details": {"name": "Ada", "address": {"city": "Bern"}},
            "transfer_data": {"destination": account},
        },
    )
    assert (invoice["rendering"]["amount_tax_display"], invoice["rendering"]["pdf"]) == (
        "exclude_tax",
        {"page_size": "a4"},
    )
    assert (invoice["payment_settings"]["payment_method_types"], invoice["on_behalf_of"]) == (["card"], account)
    assert (invoice["shipping_details"]["name"], invoice["shipping_details"]["phone"]) == ("Ada", None)
    item = {"customer": customer, "invoice": invoice["id"], "amount": 2000, "currency": "usd"}
    await call.post("/v1/invoiceitems", item)
    await call.post(f"/v1/invoices/{invoice['id']}/pay")
    (payment,) = (await call.get("/v1/invoice_payments", {"invoice": invoice["id"]}))["data"]
    intent = await call.get(
        f"/v1/payment_intents/{payment['payment']['payment_intent']}", {"expand": ["latest_charge.transfer"]}
    )
    assert (intent["application_fee_amount"], intent["transfer_data"]) == (100, {"destination": account})
    assert intent["latest_charge"]["transfer"]["amount"] == 2000


async def test_a_revision_takes_the_place_of_its_invoice(call: Caller) -> None:
    customer = await payer(call)
    invoice = await call.post("/v1/invoices", {"customer": customer})
    item = {"customer": customer, "invoice": invoice["id"], "amount": 2000, "currency": "usd"}
    await call.post("/v1/invoiceitems", item)
    await call.post(f"/v1/invoices/{invoice['id']}/finalize")
    revision = await call.post("/v1/invoices", {"from_invoice": {"action": "revision", "invoice": invoice["id"]}})
    assert (revision["status"], revision["total"], revision["from_invoice"]["invoice"]) == (
        "draft",
        2000,
        invoice["id"],
    )
    await call.post(f"/v1/invoices/{revision['id']}/finalize")
    original = await call.get(f"/v1/invoices/{invoice['id']}")
    assert (original["status"], original["latest_revision"]) == ("void", revision["id"])


async def test_the_customers_own_footer_is_on_its_invoices(call: Caller) -> None:
    customer = await payer(call, invoice_settings={"footer": "Thanks", "custom_fields": [{"name": "PO", "value": "7"}]})
    invoice = await call.post("/v1/invoices", {"customer": customer})
    assert (invoice["footer"], invoice["custom_fields"]) == ("Thanks", [{"name": "PO", "value": "7"}])


async def test_a_subscription_that_began_earlier_pays_for_the_time_since(call: Caller) -> None:
    clock = await call.post("/v1/test_helpers/test_clocks", {"frozen_time": 1_793_000_000})  # 26 October 2026
    customer = await payer(call, test_clock=clock["id"])
    start = 1_793_000_000 - 15 * DAY
    made = await subscribed(call, customer=customer, backdate_start_date=start)
    assert (made["start_date"], made["billing_cycle_anchor"]) == (start, 1_793_000_000)
    # 15 of the 31 days from 11 October on
    assert (amounts(made["latest_invoice"]), made["latest_invoice"]["total"]) == ([1452, 3000], 4452)
    free = await subscribed(call, customer=customer, backdate_start_date=start, proration_behavior="none")
    assert (free["start_date"], amounts(free["latest_invoice"])) == (start, [3000])
    refused = await subscribed(call, customer=customer, backdate_start_date=1_793_000_001)
    assert refused["param"] == "backdate_start_date"


async def test_an_item_alone_may_have_a_discount(call: Caller) -> None:
    half = (await call.post("/v1/coupons", {"percent_off": 50, "duration": "forever"}))["id"]
    first, second = await price(call, 3000), await price(call, 5000)
    items = [{"price": first["id"], "discounts": [{"coupon": half}]}, {"price": second["id"]}]
    made = await subscribed(call, items=items)
    assert (made["latest_invoice"]["subtotal"], made["latest_invoice"]["total"]) == (8000, 6500)
    item = made["items"]["data"][0]
    changed = await call.post(f"/v1/subscription_items/{item['id']}", {"discounts": ""})
    assert (len(item["discounts"]), changed["discounts"]) == (1, [])


async def test_a_fixed_coupon_is_in_prorations_too(call: Caller) -> None:
    clock = await call.post("/v1/test_helpers/test_clocks", {"frozen_time": 1_793_000_000})
    off = (await call.post("/v1/coupons", {"amount_off": 1000, "currency": "usd", "duration": "forever"}))["id"]
    customer = await payer(call, test_clock=clock["id"])
    made = await subscribed(call, customer=customer, discounts=[{"coupon": off}])
    dear = await price(call, 5000)
    changed = await call.post(
        f"/v1/subscriptions/{made['id']}",
        {
            "items": [{"id": made["items"]["data"][0]["id"], "price": dear["id"]}],
            "proration_behavior": "always_invoice",
            "expand": ["latest_invoice"],
        },
    )
    assert amounts(changed["latest_invoice"]) == [-2000, 4000]


async def test_things_are_added_when_a_subscription_changes(call: Caller) -> None:
    made = await subscribed(call)
    product = (await call.post("/v1/products", {"name": "Setup"}))["id"]
    changed = await call.post(
        f"/v1/subscriptions/{made['id']}",
        {
            "add_invoice_items": [
                {"price_data": {"currency": "usd", "product": product, "unit_amount": 700}, "quantity": 2}
            ],
            "proration_behavior": "always_invoice",
            "expand": ["latest_invoice"],
        },
    )
    assert (amounts(changed["latest_invoice"]), changed["latest_invoice"]["status"]) == ([1400], "paid")


async def test_a_part_of_each_payment_goes_to_another_account(call: Caller) -> None:
    account = await connected(call)
    settings = {"footer": "F", "description": "D", "custom_fields": [{"name": "a", "value": "b"}]}
    made = await subscribed(
        call,
        transfer_data={"destination": account, "amount_percent": 80},
        on_behalf_of=account,
        invoice_settings=settings,
        billing_thresholds={"amount_gte": 9000},
    )
    assert made["transfer_data"] == {"amount_percent": 80.0, "destination": account}
    assert made["billing_thresholds"] == {"amount_gte": 9000, "reset_billing_cycle_anchor": None}
    invoice = made["latest_invoice"]
    assert (invoice["on_behalf_of"], invoice["footer"], invoice["description"]) == (account, "F", "D")
    (payment,) = (await call.get("/v1/invoice_payments", {"invoice": invoice["id"]}))["data"]
    intent = await call.get(f"/v1/payment_intents/{payment['payment']['payment_intent']}")
    assert intent["transfer_data"] == {"amount": 2400, "destination": account}
    refused = await subscribed(call, application_fee_percent=10)
    assert refused["param"] == "application_fee_percent"


async def test_pausing_gives_back_the_unused_time(call: Caller) -> None:
    made = await subscribed(call)
    assert (await call.post(f"/v1/subscriptions/{made['id']}/pause"))["status"] == "paused"
    (waiting,) = (await call.get("/v1/invoiceitems", {"pending": True}))["data"]
    assert (waiting["amount"], waiting["proration"]) == (-3000, True)
    resumed = await call.post(
        f"/v1/subscriptions/{made['id']}/resume",
        {
            "billing_cycle_anchor": {"type": "unchanged"},
            "proration_behavior": "always_invoice",
            "expand": ["latest_invoice"],
        },
    )
    assert (resumed["status"], amounts(resumed["latest_invoice"])) == ("active", [-3000, 3000])


async def test_a_pause_without_credits_leaves_nothing_waiting(call: Caller) -> None:
    made = await subscribed(call)
    await call.post(f"/v1/subscriptions/{made['id']}/pause", {"bill_for": {"unused_time_from": {"type": "none"}}})
    assert (await call.get("/v1/invoiceitems", {"pending": True}))["data"] == []


@pytest.mark.parametrize(
    ("behavior", "status"), [("resume_on_payment_attempt", "past_due"), ("resume_on_payment_success", "paused")]
)
async def test_a_resumption_that_is_not_paid(call: Caller, behavior: str, status: str) -> None:
    made = await subscribed(call)
    nothing = {"bill_for": {"unused_time_from": {"type": "none"}}}
    await call.post(f"/v1/subscriptions/{made['id']}/pause", nothing)
    await call.post(f"/v1/customers/{made['customer']}", {"source": "tok_chargeCustomerFail"})
    given = {"payment_behavior": behavior, "expand": ["latest_invoice"]}
    resumed = await call.post(f"/v1/subscriptions/{made['id']}/resume", given)
    assert (resumed["status"], resumed["latest_invoice"]["status"]) == (status, "open")
    await call.post(f"/v1/customers/{made['customer']}", {"source": "tok_visa"})
    await call.post(f"/v1/invoices/{resumed['latest_invoice']['id']}/pay")
    found = await call.get(f"/v1/subscriptions/{made['id']}")
    assert (found["status"], found["status_details"]) == ("active", None)


async def test_a_new_plan_with_a_new_anchor_is_charged_whole(call: Caller) -> None:
    made = await subscribed(call)
    dear = await price(call, 5000)
    changed = await call.post(
        f"/v1/subscriptions/{made['id']}",
        {
            "items": [{"id": made["items"]["data"][0]["id"], "price": dear["id"]}],
            "billing_cycle_anchor": {"type": "now"},
            "expand": ["latest_invoice"],
        },
    )
    lines = changed["latest_invoice"]["lines"]["data"]
    details = [line["parent"]["subscription_item_details"]["proration"] for line in lines]
    assert (amounts(changed["latest_invoice"]), details) == ([-3000, 5000], [True, False])


async def test_a_trial_in_the_middle_credits_the_rest_of_the_period(call: Caller) -> None:
    made = await subscribed(call)
    end = made["start_date"] + 10 * DAY
    changed = await call.post(f"/v1/subscriptions/{made['id']}", {"trial_end": end, "expand": ["latest_invoice"]})
    assert (changed["status"], changed["billing_cycle_anchor"], changed["trial_end"]) == ("trialing", end, end)
    assert amounts(changed["latest_invoice"]) == [-3000, 0]


async def test_what_waits_is_invoiced_between_renewals(call: Caller) -> None:
    clock = await call.post("/v1/test_helpers/test_clocks", {"frozen_time": 1_793_000_000})
    customer = await payer(call, test_clock=clock["id"])
    made = await subscribed(call, customer=customer, pending_invoice_item_interval={"interval": "week"})
    assert made["next_pending_invoice_item_invoice"] == 1_793_000_000 + 7 * DAY
    item = {"customer": customer, "subscription": made["id"], "amount": 500, "currency": "usd"}
    await call.post("/v1/invoiceitems", item)
    path = f"/v1/test_helpers/test_clocks/{clock['id']}"
    await call.post(f"{path}/advance", {"frozen_time": 1_793_000_000 + 8 * DAY})
    while (await call.get(path))["status"] != "ready":
        pass
    (latest, _) = (await call.get("/v1/invoices", {"customer": customer}))["data"]
    assert (latest["billing_reason"], latest["total"], latest["status"]) == (
        "automatic_pending_invoice_item_invoice",
        500,
        "paid",
    )
    found = await call.get(f"/v1/subscriptions/{made['id']}")
    assert found["next_pending_invoice_item_invoice"] == 1_793_000_000 + 14 * DAY
