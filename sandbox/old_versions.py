"""Events as earlier versions of the API would tell them: some fields have moved or changed their shape since."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.store import Object

_Change = Callable[[Object], None]


def _subscription_before_basil(o: Object) -> None:
    """Until 2025-03-31.basil the period stood on the subscription, not on its items."""
    items = o["items"]["data"]
    if items:
        for name in ("current_period_start", "current_period_end"):
            o[name] = items[0].get(name)
            for item in items:
                item.pop(name, None)


def _invoice_before_basil(o: Object) -> None:
    """`parent`, `payments` and `confirmation_secret` are basil's; before, the references stood on the invoice."""
    parent = (o.pop("parent", None) or {}).get("subscription_details") or {}
    o["subscription"] = parent.get("subscription")
    o["subscription_details"] = {"metadata": parent.get("metadata")} if parent else None
    o |= {"charge": None, "payment_intent": None, "paid": o.get("status") == "paid"}
    o["tax"] = sum(tax["amount"] for tax in o.pop("total_taxes", None) or []) or None
    for line in o["lines"]["data"]:
        details = ((line.pop("pricing", None) or {}).get("price_details")) or {}
        line["price"] = {"id": details.get("price"), "object": "price", "product": details.get("product")}
        line.pop("parent", None)


def _coupon_on_discount(o: Object) -> None:
    """Until 2025-09-30.clover a discount held its coupon itself."""
    for discount in o.get("discounts") or []:
        if isinstance(discount, dict) and isinstance(discount.get("source"), dict):
            discount["coupon"] = discount.pop("source").get("coupon")


_BEFORE: tuple[tuple[str, Mapping[str, _Change]], ...] = (
    ("2025-03-31", {"subscription": _subscription_before_basil, "invoice": _invoice_before_basil}),
    ("2025-09-30", {"subscription": _coupon_on_discount, "invoice": _coupon_on_discount}),
)


def told_in(version: str, body: Object) -> Object:
    """Change a copy of an object to the shape of a version, in place, and return it."""
    for since, changes in _BEFORE:
        change = changes.get(body.get("object", ""))
        if version[:10] < since and change is not None:
            change(body)
    return body


def known(version: Any) -> bool:
    """Whether a version is written as Stripe writes them: a date, and since 2024-09 a name."""
    return isinstance(version, str) and len(version) >= 10 and version[4] == version[7] == "-"
