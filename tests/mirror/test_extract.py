"""Every column is filled from where the pinned version keeps it, on objects made by hand from its fields."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mirror import extract
from mirror.kinds import KINDS

T1, T2, T3 = 1_790_000_000, 1_792_592_000, 1_795_184_000


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_an_account_says_what_it_may_do_and_why_not() -> None:
    row = extract.account(
        {
            "id": "acct_1",
            "charges_enabled": True,
            "payouts_enabled": False,
            "details_submitted": True,
            "country": "US",
            "default_currency": "usd",
            "requirements": {"disabled_reason": "requirements.past_due"},
        }
    )
    assert row == {
        "charges_enabled": True,
        "payouts_enabled": False,
        "details_submitted": True,
        "country": "US",
        "default_currency": "usd",
        "disabled_reason": "requirements.past_due",
    }


def test_a_price_keeps_fractions_of_a_cent_exactly() -> None:
    row = extract.price(
        {
            "product": "prod_1",
            "active": True,
            "type": "recurring",
            "currency": "usd",
            "unit_amount": None,
            "unit_amount_decimal": "0.000123456789",
            "billing_scheme": "per_unit",
            "recurring": {"interval": "month", "interval_count": 3, "usage_type": "metered", "trial_period_days": None},
            "lookup_key": "pro",
        }
    )
    assert row["unit_amount_decimal"] == Decimal("0.000123456789")
    assert (row["interval"], row["interval_count"], row["usage_type"]) == ("month", 3, "metered")
    assert (row["product_id"], row["lookup_key"], row["tiers_mode"]) == ("prod_1", "pro", None)


def test_a_one_time_price_has_no_interval() -> None:
    row = extract.price({"product": {"id": "prod_1"}, "recurring": None, "unit_amount": 5, "unit_amount_decimal": "5"})
    assert (row["product_id"], row["interval"], row["unit_amount"]) == ("prod_1", None, 5)


def test_a_coupons_percentage_is_exact() -> None:
    row = extract.coupon({"percent_off": 33.3333, "duration": "once", "valid": True})
    assert row["percent_off"] == Decimal("33.3333")
    assert extract.coupon({"percent_off": None, "amount_off": 500, "currency": "usd"})["percent_off"] is None


def test_a_customers_method_of_payment_stands_in_its_invoice_settings() -> None:
    row = extract.customer(
        {
            "email": "ada@example.org",
            "balance": -250,
            "invoice_settings": {"default_payment_method": "pm_1"},
            "metadata": {"external_id": "student-7"},
            "address": {"city": "Kyiv", "country": "UA"},
        }
    )
    assert row["default_payment_method_id"] == "pm_1"
    assert row["external_id"] == "student-7"
    assert row["balance"] == -250
    assert row["address"] == {"city": "Kyiv", "country": "UA"}


def test_a_payment_methods_card_is_flattened_and_others_have_none() -> None:
    card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030, "fingerprint": "x"}
    row = extract.payment_method({"type": "card", "customer": "cus_1", "card": card})
    assert row == {
        "customer_id": "cus_1",
        "type": "card",
        "card_brand": "visa",
        "card_last4": "4242",
        "card_exp_month": 12,
        "card_exp_year": 2030,
    }
    assert extract.payment_method({"type": "link", "customer": None})["card_brand"] is None


SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_1",
    "object": "subscription",
    "customer": "cus_1",
    "status": "active",
    "currency": "usd",
    "collection_method": "charge_automatically",
    "cancel_at_period_end": False,
    "start_date": T1,
    "billing_cycle_anchor": T1,
    "latest_invoice": "in_1",
    "default_payment_method": None,
    "items": {
        "object": "list",
        "has_more": False,
        "data": [
            {
                "id": "si_2",
                "price": "price_2",
                "quantity": 3,
                "current_period_start": T2,
                "current_period_end": T3,
            },
            {"id": "si_1", "price": "price_1", "current_period_start": T1, "current_period_end": T2},
        ],
    },
}


def test_a_subscriptions_period_is_what_its_items_span() -> None:
    row = extract.subscription(SUBSCRIPTION)
    assert (row["current_period_start"], row["current_period_end"]) == (_time(T1), _time(T3))
    assert (row["customer_id"], row["latest_invoice_id"], row["default_payment_method_id"]) == ("cus_1", "in_1", None)
    assert (row["start_date"], row["ended_at"]) == (_time(T1), None)


def test_a_subscription_without_items_has_no_period() -> None:
    row = extract.subscription(SUBSCRIPTION | {"items": {"data": []}})
    assert (row["current_period_start"], row["current_period_end"]) == (None, None)


def test_items_keep_stripes_order_and_a_metered_one_has_no_quantity() -> None:
    rows = extract.subscription_items(SUBSCRIPTION)
    assert [(r["stripe_id"], r["position"], r["price_id"], r["quantity"]) for r in rows] == [
        ("si_2", 0, "price_2", 3),
        ("si_1", 1, "price_1", None),
    ]


def test_an_invoices_subscription_stands_under_its_parent() -> None:
    parent = {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}}
    invoice = {"customer": "cus_1", "status": "open", "currency": "usd", "total": 100, "parent": parent}
    row = extract.invoice(invoice | {"due_date": T2})
    assert (row["subscription_id"], row["customer_id"], row["due_date"]) == ("sub_1", "cus_1", _time(T2))
    assert extract.invoice(invoice | {"parent": None})["subscription_id"] is None


@pytest.mark.parametrize(
    ("parent", "proration"),
    [
        ({"type": "subscription_item_details", "subscription_item_details": {"proration": True}}, True),
        ({"type": "invoice_item_details", "invoice_item_details": {"proration": True}}, True),
        ({"type": "subscription_item_details", "subscription_item_details": {"proration": False}}, False),
        (None, False),
    ],
)
def test_a_lines_price_stands_under_its_pricing_and_proration_under_its_parent(
    parent: dict[str, Any] | None, proration: bool
) -> None:
    line = {
        "id": "il_1",
        "amount": -300,
        "currency": "usd",
        "description": "Unused time",
        "quantity": 1,
        "period": {"start": T1, "end": T2},
        "pricing": {"type": "price_details", "price_details": {"price": "price_1", "product": "prod_1"}},
        "parent": parent,
    }
    (row,) = extract.invoice_lines({"lines": {"data": [line]}})
    assert (row["price_id"], row["amount"], row["proration"]) == ("price_1", -300, proration)
    assert (row["period_start"], row["period_end"], row["position"]) == (_time(T1), _time(T2), 0)


def test_a_declined_payment_says_why() -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "No."}
    payment = {"status": "requires_payment_method", "amount": 500, "currency": "usd", "last_payment_error": error}
    row = extract.payment(payment)
    assert (row["failure_code"], row["decline_code"], row["failure_message"]) == (
        "card_declined",
        "insufficient_funds",
        "No.",
    )
    assert extract.payment(payment | {"last_payment_error": None})["failure_code"] is None


def test_an_invoice_payment_joins_an_invoice_and_a_payment() -> None:
    body = {"invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}, "status": "paid"}
    row = extract.invoice_payment(body | {"amount_paid": 5, "amount_requested": 5, "currency": "usd"})
    assert (row["invoice_id"], row["payment_id"]) == ("in_1", "pi_1")


def test_a_checkout_session_may_have_no_customer_yet() -> None:
    row = extract.checkout_session({"mode": "subscription", "payment_status": "unpaid", "expires_at": T3})
    assert (row["customer_id"], row["subscription_id"], row["expires_at"]) == (None, None, _time(T3))


@pytest.mark.parametrize("value", [None, "x_1", {"id": "x_1"}])
def test_a_reference_is_an_id_or_an_object_with_one(value: Any) -> None:
    assert extract.ref(value) == (value and "x_1")


def test_each_type_has_a_table_of_its_own() -> None:
    assert len({kind.table for kind in KINDS.values()}) == len(KINDS)
    assert all(name == kind.object for name, kind in KINDS.items())
