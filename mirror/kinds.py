"""The types of Stripe object that the mirror holds: one row each, from Stripe's name to our table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mirror import extract


@dataclass(frozen=True, slots=True)
class Children:
    """Parts that Stripe sends inside their parent and that are replaced with it."""

    table: str
    field: str
    rows: Callable[[Mapping[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One type: `object` is Stripe's word, `catalog` says that every customer of the tenant may see it."""

    object: str
    table: str
    columns: Callable[[Mapping[str, Any]], dict[str, Any]]
    children: Children | None = None
    catalog: bool = False
    status: str | None = None


_ITEMS = Children("subscription_items", "items", extract.subscription_items)
_LINES = Children("invoice_lines", "lines", extract.invoice_lines)

KINDS: Mapping[str, Kind] = {
    kind.object: kind
    for kind in (
        Kind("account", "accounts", extract.account),
        Kind("product", "products", extract.product, catalog=True),
        Kind("price", "prices", extract.price, catalog=True),
        Kind("coupon", "coupons", extract.coupon, catalog=True),
        Kind("customer", "customers", extract.customer),
        Kind("payment_method", "payment_methods", extract.payment_method),
        Kind("subscription", "subscriptions", extract.subscription, children=_ITEMS, status="status"),
        Kind("invoice", "invoices", extract.invoice, children=_LINES, status="status"),
        Kind("payment_intent", "payments", extract.payment, status="status"),
        Kind("invoice_payment", "invoice_payments", extract.invoice_payment, status="status"),
        Kind("checkout.session", "checkout_sessions", extract.checkout_session, status="status"),
    )
}
