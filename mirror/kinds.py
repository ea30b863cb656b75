"""The types of Stripe object that the mirror holds: one row each, from Stripe's name to our table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror import extract


@dataclass(frozen=True, slots=True)
class Children:
    """Parts that Stripe sends inside their parent and that are replaced with it."""

    table: str
    field: str
    rows: Callable[[Mapping[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One type: `object` is Stripe's word, `catalog` says that every customer of the tenant may see it.

    `ranks` are statuses that an object passes in one direction only; what is not named has rank 0.
    `reusable` says that the tenant chooses the id, and may choose it again after a deletion. `owner` is the column that
    names the customer whose it is.
    """

    object: str
    table: str
    columns: Callable[[Mapping[str, Any]], dict[str, Any]]
    children: Children | None = None
    catalog: bool = False
    status: str | None = None
    ranks: Mapping[str, int] = field(default_factory=dict)
    reusable: bool = False
    owner: str | None = None


_ITEMS = Children("subscription_items", "items", extract.subscription_items)
_LINES = Children("invoice_lines", "lines", extract.invoice_lines)
# No subscription comes back to incomplete, no invoice to draft, and nothing from an end.
_SUBSCRIPTION = {"trialing": 1, "active": 1, "past_due": 1, "unpaid": 1, "paused": 1}
_SUBSCRIPTION |= {"canceled": 2, "incomplete_expired": 2}
_INVOICE = {"open": 1, "uncollectible": 2, "paid": 3, "void": 3}

KINDS: Mapping[str, Kind] = {
    kind.object: kind
    for kind in (
        Kind("account", "accounts", extract.account),
        Kind("product", "products", extract.product, catalog=True, reusable=True),
        Kind("price", "prices", extract.price, catalog=True),
        Kind("coupon", "coupons", extract.coupon, catalog=True, reusable=True),
        Kind("customer", "customers", extract.customer, owner="stripe_id"),
        Kind("payment_method", "payment_methods", extract.payment_method, owner="customer_id"),
        Kind(
            "subscription",
            "subscriptions",
            extract.subscription,
            children=_ITEMS,
            status="status",
            ranks=_SUBSCRIPTION,
            owner="customer_id",
        ),
        Kind(
            "invoice",
            "invoices",
            extract.invoice,
            children=_LINES,
            status="status",
            ranks=_INVOICE,
            owner="customer_id",
        ),
        Kind(
            "payment_intent",
            "payments",
            extract.payment,
            status="status",
            ranks={"succeeded": 1, "canceled": 1},
            owner="customer_id",
        ),
        Kind(
            "invoice_payment",
            "invoice_payments",
            extract.invoice_payment,
            status="status",
            ranks={"paid": 1, "canceled": 1},
        ),
        Kind(
            "checkout.session",
            "checkout_sessions",
            extract.checkout_session,
            status="status",
            ranks={"complete": 1, "expired": 1},
            owner="customer_id",
        ),
    )
}
