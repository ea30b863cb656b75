"""What each Stripe object becomes in its table: pure functions from the pinned version's fields to column values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


def moment(seconds: int | None) -> datetime | None:
    """Stripe's Unix seconds as a UTC time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def ref(value: Any) -> str | None:
    """The id of a field that Stripe answers as an id or, expanded, as an object."""
    found: str | None = value["id"] if isinstance(value, Mapping) else value
    return found


def decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def dig(value: Any, *path: str) -> Any:
    """Follow keys through nested objects; None where one is missing or null."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def account(o: Mapping[str, Any]) -> Row:
    return {
        "charges_enabled": bool(o.get("charges_enabled")),
        "payouts_enabled": bool(o.get("payouts_enabled")),
        "details_submitted": bool(o.get("details_submitted")),
        "country": o.get("country"),
        "default_currency": o.get("default_currency"),
        "disabled_reason": dig(o, "requirements", "disabled_reason"),
    }


def product(o: Mapping[str, Any]) -> Row:
    return {key: o.get(key) for key in ("name", "active", "description", "unit_label")}


def price(o: Mapping[str, Any]) -> Row:
    recurring = o.get("recurring") or {}
    plain = ("active", "type", "currency", "unit_amount", "billing_scheme", "tiers_mode", "nickname", "lookup_key")
    return {key: o.get(key) for key in plain} | {
        "product_id": ref(o["product"]),
        "unit_amount_decimal": decimal(o.get("unit_amount_decimal")),
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "usage_type": recurring.get("usage_type"),
        "trial_period_days": recurring.get("trial_period_days"),
    }


def coupon(o: Mapping[str, Any]) -> Row:
    percent = o.get("percent_off")
    plain = ("name", "valid", "duration", "duration_in_months", "amount_off", "currency")
    return {key: o.get(key) for key in plain} | {"percent_off": None if percent is None else Decimal(str(percent))}


def customer(o: Mapping[str, Any]) -> Row:
    plain = ("email", "name", "phone", "description", "address", "currency", "delinquent")
    return {key: o.get(key) for key in plain} | {
        "balance": o.get("balance") or 0,
        "default_payment_method_id": ref(dig(o, "invoice_settings", "default_payment_method")),
        "external_id": dig(o, "metadata", "external_id"),
    }


def payment_method(o: Mapping[str, Any]) -> Row:
    return {
        "customer_id": ref(o.get("customer")),
        "type": o["type"],
        "card_brand": dig(o, "card", "brand"),
        "card_last4": dig(o, "card", "last4"),
        "card_exp_month": dig(o, "card", "exp_month"),
        "card_exp_year": dig(o, "card", "exp_year"),
    }


def subscription(o: Mapping[str, Any]) -> Row:
    # since basil the period belongs to the items; a subscription's own is what its items span
    items = dig(o, "items", "data") or []
    starts = [item["current_period_start"] for item in items if item.get("current_period_start")]
    ends = [item["current_period_end"] for item in items if item.get("current_period_end")]
    times = ("cancel_at", "canceled_at", "ended_at", "start_date", "trial_start", "trial_end", "billing_cycle_anchor")
    plain = ("status", "currency", "collection_method", "cancel_at_period_end")
    return (
        {key: o.get(key) for key in plain}
        | {key: moment(o.get(key)) for key in times}
        | {
            "customer_id": ref(o["customer"]),
            "current_period_start": moment(min(starts, default=None)),
            "current_period_end": moment(max(ends, default=None)),
            "default_payment_method_id": ref(o.get("default_payment_method")),
            "latest_invoice_id": ref(o.get("latest_invoice")),
        }
    )


def subscription_items(o: Mapping[str, Any]) -> list[Row]:
    return [
        {
            "stripe_id": item["id"],
            "position": position,
            "price_id": ref(item["price"]),
            "quantity": item.get("quantity"),
            "current_period_start": moment(item.get("current_period_start")),
            "current_period_end": moment(item.get("current_period_end")),
        }
        for position, item in enumerate(dig(o, "items", "data") or [])
    ]


def invoice(o: Mapping[str, Any]) -> Row:
    plain: tuple[str, ...] = (
        "status",
        "number",
        "currency",
        "subtotal",
        "total",
        "amount_due",
        "amount_paid",
        "amount_remaining",
    )
    plain += ("attempt_count", "billing_reason", "collection_method", "hosted_invoice_url", "invoice_pdf")
    times = ("period_start", "period_end", "due_date", "next_payment_attempt")
    return (
        {key: o.get(key) for key in plain}
        | {key: moment(o.get(key)) for key in times}
        | {
            "customer_id": ref(o.get("customer")),
            "subscription_id": ref(dig(o, "parent", "subscription_details", "subscription")),
        }
    )


def invoice_lines(o: Mapping[str, Any]) -> list[Row]:
    return [
        {
            "stripe_id": line["id"],
            "position": position,
            "amount": line["amount"],
            "currency": line["currency"],
            "description": line.get("description"),
            "quantity": line.get("quantity"),
            "price_id": ref(dig(line, "pricing", "price_details", "price")),
            "proration": bool(
                dig(line, "parent", "subscription_item_details", "proration")
                or dig(line, "parent", "invoice_item_details", "proration")
            ),
            "period_start": moment(dig(line, "period", "start")),
            "period_end": moment(dig(line, "period", "end")),
        }
        for position, line in enumerate(dig(o, "lines", "data") or [])
    ]


def payment(o: Mapping[str, Any]) -> Row:
    return {
        "customer_id": ref(o.get("customer")),
        "status": o["status"],
        "amount": o["amount"],
        "amount_received": o.get("amount_received") or 0,
        "currency": o["currency"],
        "payment_method_id": ref(o.get("payment_method")),
        "failure_code": dig(o, "last_payment_error", "code"),
        "decline_code": dig(o, "last_payment_error", "decline_code"),
        "failure_message": dig(o, "last_payment_error", "message"),
    }


def invoice_payment(o: Mapping[str, Any]) -> Row:
    plain = ("status", "amount_paid", "amount_requested", "currency")
    return {key: o.get(key) for key in plain} | {
        "invoice_id": ref(o["invoice"]),
        "payment_id": ref(dig(o, "payment", "payment_intent")),
    }


def checkout_session(o: Mapping[str, Any]) -> Row:
    return {key: o.get(key) for key in ("mode", "status", "payment_status", "url")} | {
        "customer_id": ref(o.get("customer")),
        "subscription_id": ref(o.get("subscription")),
        "expires_at": moment(o.get("expires_at")),
    }
