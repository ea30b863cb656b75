"""Parameters of accounts, coupons, promotion codes, credit notes, clocks and lists."""

from typing import Any

from tests.sandbox.server import Caller

PERSON = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "ssn_last_4": "0000",
    "dob": {"day": 1, "month": 2, "year": 1990},
}
BANK = {"object": "bank_account", "country": "US", "account_number": "000123456789", "routing_number": "110000000"}


async def test_an_account_that_is_told_all_is_enabled(call: Caller) -> None:
    given: dict[str, Any] = {
        "type": "custom",
        "business_type": "individual",
        "business_profile": {"mcc": "5734", "url": "https://example.org"},
        "capabilities": {"transfers": {"requested": True}},
        "individual": PERSON,
    }
    made = await call.post("/v1/accounts", given)
    assert made["requirements"]["currently_due"] == ["external_account", "tos_acceptance.date"]
    assert (made["individual"]["first_name"], made["individual"]["ssn_last_4_provided"]) == ("Ada", True)
    assert "ssn_last_4" not in made["individual"]
    more = {"external_account": BANK, "tos_acceptance": {"date": 1_793_000_000, "ip": "203.0.113.7"}}
    done = await call.post(f"/v1/accounts/{made['id']}", more)
    assert (done["charges_enabled"], done["payouts_enabled"], done["capabilities"]) == (
        True,
        True,
        {"transfers": "active"},
    )
    (bank,) = done["external_accounts"]["data"]
    assert (bank["last4"], bank["routing_number"], bank["currency"]) == ("6789", "110000000", "usd")


async def test_a_companys_secrets_are_only_said_to_be_known(call: Caller) -> None:
    company = {"name": "Analytical Engines", "tax_id": "000000000", "phone": "+15555550100"}
    made = await call.post("/v1/accounts", {"type": "express", "company": company})
    assert made["company"] == {"name": "Analytical Engines", "phone": "+15555550100", "tax_id_provided": True}
    assert (await call.post("/v1/accounts", {"type": "custom", "external_account": "btok_x"}))[
        "code"
    ] == "resource_missing"


async def test_a_fixed_coupon_has_a_sum_in_each_currency(call: Caller) -> None:
    options = {"eur": {"amount_off": 900}}
    given = {"amount_off": 1000, "currency": "usd", "currency_options": options, "expand": ["currency_options"]}
    coupon = await call.post("/v1/coupons", given)
    assert coupon["currency_options"] == options
    customer = (await call.post("/v1/customers"))["id"]
    taken = {"customer": customer, "currency": "eur", "discounts": [{"coupon": coupon["id"]}]}
    invoice = await call.post("/v1/invoices", taken)
    item = {"customer": customer, "invoice": invoice["id"], "amount": 2000, "currency": "eur"}
    await call.post("/v1/invoiceitems", item)
    assert (await call.post(f"/v1/invoices/{invoice['id']}/finalize"))["total"] == 1100


async def test_a_promotion_codes_minimum_is_told_in_other_currencies(call: Caller) -> None:
    coupon = (await call.post("/v1/coupons", {"percent_off": 10}))["id"]
    restrictions: Any = {"minimum_amount": 500, "minimum_amount_currency": "usd"}
    made = await call.post(
        "/v1/promotion_codes", {"promotion": {"type": "coupon", "coupon": coupon}, "restrictions": restrictions}
    )
    more = {"restrictions": {"currency_options": {"eur": {"minimum_amount": 450}}}}
    changed = await call.post(f"/v1/promotion_codes/{made['id']}", more)
    assert changed["restrictions"]["currency_options"] == {"eur": {"minimum_amount": 450}}


async def test_a_credit_note_names_a_refund_that_was_made_before(call: Caller) -> None:
    customer = (await call.post("/v1/customers", {"source": "tok_visa"}))["id"]
    invoice = (await call.post("/v1/invoices", {"customer": customer}))["id"]
    item = {"customer": customer, "invoice": invoice, "amount": 2000, "currency": "usd"}
    await call.post("/v1/invoiceitems", item)
    await call.post(f"/v1/invoices/{invoice}/pay")
    (payment,) = (await call.get("/v1/invoice_payments", {"invoice": invoice}))["data"]
    intent = payment["payment"]["payment_intent"]
    refund = (await call.post("/v1/refunds", {"payment_intent": intent, "amount": 700}))["id"]
    note = await call.post(
        "/v1/credit_notes", {"invoice": invoice, "amount": 1000, "credit_amount": 300, "refunds": [{"refund": refund}]}
    )
    assert [(one["refund"], one["amount_refunded"]) for one in note["refunds"]] == [(refund, 700)]
    assert (await call.get(f"/v1/customers/{customer}"))["balance"] == -300
    refused = await call.post("/v1/credit_notes", {"invoice": invoice, "amount": 500, "refunds": [{"refund": "re_x"}]})
    assert (refused["code"], refused["param"]) == ("resource_missing", "refunds[0][refund]")


async def test_a_customer_is_put_on_a_clock(call: Caller) -> None:
    customer = (await call.post("/v1/customers"))["id"]
    clock = await call.post("/v1/test_helpers/test_clocks", {"frozen_time": 1_793_000_000, "customer": customer})
    assert (await call.get(f"/v1/customers/{customer}"))["test_clock"] == clock["id"]
    again = await call.post("/v1/test_helpers/test_clocks", {"frozen_time": 1_793_000_000, "customer": customer})
    assert again["param"] == "customer"


async def test_lists_are_filtered_by_their_dates(call: Caller) -> None:
    customer = (await call.post("/v1/customers", {"source": "tok_visa"}))["id"]
    given = {"customer": customer, "collection_method": "send_invoice", "due_date": 1_900_000_000}
    invoice = (await call.post("/v1/invoices", given))["id"]
    found = [
        (await call.get("/v1/invoices", {"due_date": {"gte": at}}))["data"] for at in (1_900_000_000, 1_900_000_001)
    ]
    assert [[one["id"] for one in each] for each in found] == [[invoice], []]
    item = await call.post("/v1/invoiceitems", {"customer": customer, "amount": 500, "currency": "usd"})
    listed = await call.get("/v1/invoiceitems", {"created": {"gt": item["date"]}})
    assert listed["data"] == []
    assert (await call.get("/v1/payouts", {"arrival_date": {"lt": 1}}))["data"] == []
    assert (await call.get("/v1/subscription_schedules", {"canceled_at": {"gt": 1}}))["data"] == []
