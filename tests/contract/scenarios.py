"""Scenarios of our own that teach what the recordings teach: the states and amounts that real Stripe gives.

Each step is a request and the part of the answer that matters. Ids stand for whatever id the sandbox gives: the first
answer that shows one binds it. Amounts and names are ours; the rules are those seen in recorded traffic.
"""

from collections.abc import Iterable
from typing import Any

from tests.contract.recordings import Exchange, Scenario

START = 1_793_000_000
CUSTOMER = "cus_Scenario000001"
CARD = "pm_Scenario0000001"
SUBSCRIPTION = "sub_Scenario000001"
ITEM = "si_Scenario0000001"
Step = tuple[str, str, dict[str, str], int, dict[str, Any]]


def scenario(name: str, steps: Iterable[Step]) -> Scenario:
    """The steps, ten seconds apart."""
    return Scenario(
        name,
        tuple(
            Exchange(
                method,
                path,
                tuple(given.items()) if method != "POST" else (),
                tuple(given.items()) if method == "POST" else (),
                None,
                status,
                answer,
                "2026-10-28.endive",
                START + 10 * index,
            )
            for index, (method, path, given, status, answer) in enumerate(steps)
        ),
    )


def price(name: str, amount: int, interval: str | None = "month") -> Step:
    form = {"currency": "usd", "unit_amount": str(amount), "product_data[name]": name}
    if interval is not None:
        form["recurring[interval]"] = interval
    return ("POST", "/v1/prices", form, 200, {"id": f"price_Scenario{name:>08}", "unit_amount": amount})


def price_id(name: str) -> str:
    return f"price_Scenario{name:>08}"


def a_customer(card: str = "pm_card_visa") -> list[Step]:
    """A customer whose card is the default for invoices."""
    attached = {"id": CARD, "customer": CUSTOMER}
    default = {"invoice_settings[default_payment_method]": CARD}
    return [
        ("POST", "/v1/customers", {"email": "ada@example.org"}, 200, {"id": CUSTOMER, "email": "ada@example.org"}),
        ("POST", f"/v1/payment_methods/{card}/attach", {"customer": CUSTOMER}, 200, attached),
        ("POST", f"/v1/customers/{CUSTOMER}", default, 200,
         {"id": CUSTOMER, "invoice_settings": {"default_payment_method": CARD}}),
    ]  # fmt: skip


def subscribe(name: str, *, expect: dict[str, Any], **more: str) -> Step:
    form = {"customer": CUSTOMER, "items[0][price]": price_id(name), "expand[0]": "latest_invoice.payments", **more}
    return ("POST", "/v1/subscriptions", form, 200, {"id": SUBSCRIPTION, "customer": CUSTOMER, **expect})


def paid_invoice(amount: int) -> dict[str, Any]:
    return {
        "status": "paid",
        "total": amount,
        "amount_paid": amount,
        "attempt_count": 1,
        "attempted": True,
        "billing_reason": "subscription_create",
        "payments": {"data": [{"status": "paid", "amount_paid": amount, "is_default": True}]},
    }


PATH = f"/v1/subscriptions/{SUBSCRIPTION}"
PAYMENTS = [
    scenario(
        "a card that is declined cannot be attached",
        [
            ("POST", "/v1/customers", {}, 200, {"id": CUSTOMER}),
            ("POST", "/v1/payment_methods/pm_card_chargeDeclined/attach", {"customer": CUSTOMER}, 402,
             {"error": {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline",
                        "advice_code": "try_again_later", "network_decline_code": "01",
                        "message": "Your card was declined."}}),
            ("GET", "/v1/payment_methods", {"customer": CUSTOMER}, 200, {"data": [], "has_more": False}),
        ],
    ),
    scenario(
        "two refunds add up on the charge",
        [
            *a_customer(),
            ("POST", "/v1/payment_intents",
             {"amount": "5000", "currency": "usd", "customer": CUSTOMER, "payment_method": CARD, "confirm": "true",
              "return_url": "https://example.org", "expand[0]": "latest_charge"}, 200,
             {"id": "pi_Scenario0000001", "status": "succeeded", "amount_received": 5000,
              "latest_charge": {"id": "ch_Scenario0000001", "paid": True, "amount_refunded": 0}}),
            ("POST", "/v1/refunds", {"charge": "ch_Scenario0000001", "amount": "1500"}, 200,
             {"amount": 1500, "status": "succeeded", "charge": "ch_Scenario0000001"}),
            ("POST", "/v1/refunds", {"charge": "ch_Scenario0000001", "amount": "500"}, 200, {"amount": 500}),
            ("GET", "/v1/charges/ch_Scenario0000001", {}, 200, {"amount_refunded": 2000, "refunded": False}),
            ("POST", "/v1/refunds", {"charge": "ch_Scenario0000001", "amount": "3001"}, 400,
             {"error": {"type": "invalid_request_error"}}),
        ],
    ),
    scenario(
        "a second card becomes the default",
        [
            *a_customer(),
            ("POST", "/v1/payment_methods/pm_card_mastercard/attach", {"customer": CUSTOMER}, 200,
             {"id": "pm_Scenario0000002", "customer": CUSTOMER, "card": {"brand": "mastercard", "last4": "4444"}}),
            ("POST", f"/v1/customers/{CUSTOMER}",
             {"invoice_settings[default_payment_method]": "pm_Scenario0000002"}, 200,
             {"invoice_settings": {"default_payment_method": "pm_Scenario0000002"}}),
        ],
    ),
    scenario(
        "pending items are invoiced and paid",
        [
            *a_customer(),
            ("POST", "/v1/invoiceitems", {"customer": CUSTOMER, "amount": "700", "currency": "usd"}, 200,
             {"amount": 700, "invoice": None}),
            ("POST", "/v1/invoices", {"customer": CUSTOMER, "pending_invoice_items_behavior": "include"}, 200,
             {"id": "in_Scenario0000001", "status": "draft", "total": 700, "number": None, "auto_advance": False}),
            ("POST", "/v1/invoices/in_Scenario0000001/pay", {}, 200,
             {"id": "in_Scenario0000001", "status": "paid", "amount_paid": 700, "amount_remaining": 0}),
        ],
    ),
]  # fmt: skip
SUBSCRIPTIONS = [
    scenario(
        "a subscription is paid at once",
        [
            price("a", 2500),
            *a_customer(),
            subscribe("a", expect={"status": "active", "latest_invoice": paid_invoice(2500)}),
        ],
    ),
    scenario(
        "a trial starts with an invoice of nothing",
        [
            price("a", 2500),
            *a_customer(),
            subscribe(
                "a",
                expect={
                    "status": "trialing",
                    "trial_start": START + 40,
                    "trial_end": START + 40 + 15 * 86400,
                    "billing_cycle_anchor": START + 40 + 15 * 86400,
                    "latest_invoice": {"status": "paid", "total": 0, "attempt_count": 0, "payments": {"data": []}},
                },
                trial_period_days="15",
            ),
        ],
    ),
    scenario(
        "a card that asks leaves the subscription incomplete",
        [
            price("a", 2500),
            *a_customer("pm_card_authenticationRequired"),
            subscribe(
                "a",
                expect={
                    "status": "incomplete",
                    "latest_invoice": {
                        "status": "open",
                        "attempted": True,
                        "attempt_count": 0,
                        "amount_remaining": 2500,
                        "payments": {"data": [{"status": "open", "amount_paid": None}]},
                    },
                },
            ),
        ],
    ),
    scenario(
        "no card, no subscription",
        [
            price("a", 2500),
            ("POST", "/v1/customers", {}, 200, {"id": CUSTOMER}),
            ("POST", "/v1/subscriptions", {"customer": CUSTOMER, "items[0][price]": price_id("a")}, 400,
             {"error": {"code": "resource_missing", "type": "invalid_request_error"}}),
            ("GET", "/v1/subscriptions", {"customer": CUSTOMER, "status": "all"}, 200, {"data": []}),
        ],
    ),
    scenario(
        "cancelling now keeps the time of the first wish",
        [
            price("a", 2500),
            *a_customer(),
            subscribe("a", expect={"status": "active", "canceled_at": None}),
            ("POST", PATH, {"cancel_at_period_end": "true"}, 200,
             {"status": "active", "cancel_at_period_end": True, "canceled_at": START + 50,
              "cancellation_details": {"reason": "cancellation_requested"}}),
            ("POST", PATH, {"cancel_at_period_end": "false"}, 200,
             {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None,
              "cancellation_details": {"reason": None}}),
            ("POST", PATH, {"cancel_at_period_end": "true"}, 200, {"canceled_at": START + 70}),
            ("DELETE", PATH, {}, 200,
             {"status": "canceled", "cancel_at_period_end": False, "canceled_at": START + 70, "ended_at": START + 80}),
        ],
    ),
    scenario(
        "pausing collection changes no status",
        [
            price("a", 2500),
            *a_customer(),
            subscribe("a", expect={"status": "active", "pause_collection": None}),
            ("POST", PATH, {"pause_collection[behavior]": "void"}, 200,
             {"status": "active", "pause_collection": {"behavior": "void", "resumes_at": None}}),
            ("POST", PATH, {"pause_collection": ""}, 200, {"status": "active", "pause_collection": None}),
        ],
    ),
    scenario(
        "swapping to a dearer price invoices the difference at once",
        [
            price("a", 1000),
            price("b", 3000),
            *a_customer(),
            subscribe(
                "a", expect={"items": {"data": [{"id": ITEM, "quantity": 1}]}, "latest_invoice": paid_invoice(1000)}
            ),
            ("POST", PATH,
             {"items[0][id]": ITEM, "items[0][price]": price_id("b"), "proration_behavior": "always_invoice",
              "expand[0]": "latest_invoice"}, 200,
             {"items": {"data": [{"id": ITEM, "price": {"unit_amount": 3000}}]},
              "latest_invoice": {"status": "paid", "total": 2000, "billing_reason": "subscription_update"}}),
        ],
    ),
    scenario(
        "a coupon is taken off the first invoice",
        [
            price("a", 2500),
            ("POST", "/v1/coupons", {"id": "TENTH", "percent_off": "10", "duration": "once"}, 200, {"id": "TENTH"}),
            *a_customer(),
            subscribe(
                "a",
                expect={"latest_invoice": {"subtotal": 2500, "total": 2250, "amount_paid": 2250, "status": "paid"}},
                **{"discounts[0][coupon]": "TENTH"},
            ),
        ],
    ),
]  # fmt: skip
