"""Pending updates: a change that waits for the payment of its invoice, and is forgotten if that does not come."""

from typing import Any

from sandbox.context import Context, public
from sandbox.errors import invalid
from sandbox.invoicing import collection
from sandbox.store import Object, copy
from sandbox.subscribing import billing, state
from sandbox.subscribing.items import INDEX, index_id

LIFE = 23 * 3600
# What such an update may change; the rest can't wait.
ALLOWED = frozenset(
    {
        "add_invoice_items",
        "billing_cycle_anchor",
        "expand",
        "items",
        "off_session",
        "payment_behavior",
        "proration_behavior",
        "proration_date",
        "trial_end",
        "trial_from_plan",
    }
)
CHANGED = ("billing_cycle_anchor", "cancel_at", "items", "status", "trial_end")


def check(subscription: Object, given: dict[str, Any]) -> None:
    """Refuses what can't wait for a payment."""
    for name in sorted(given.keys() - ALLOWED):
        raise invalid(f"You cannot pass `{name}` with `payment_behavior=pending_if_incomplete`.", param=name)
    if subscription["status"] not in {"active", "trialing"}:
        raise invalid("Only an active subscription can have pending updates.", param="payment_behavior")


def hold(ctx: Context, subscription: Object, before: Object, invoice: Object) -> None:
    """Put the change aside, try to take the money, and take the change up again as soon as it is paid."""
    wanted = {name: copy(public({name: subscription[name]}))[name] for name in CHANGED}
    subscription |= {name: before[name] for name in CHANGED}
    for item in before["items"]["data"]:
        ctx.insert({"id": index_id(item["id"]), "object": INDEX, "subscription": subscription["id"]})
    subscription["_pending"] = {"invoice": invoice["id"], "wanted": wanted}
    billing.collect(ctx, invoice, "allow_incomplete")
    if subscription["_pending"] is not None:
        moved = wanted["billing_cycle_anchor"] != before["billing_cycle_anchor"]
        ended = wanted["trial_end"] != before["trial_end"]
        subscription["pending_update"] = {
            **dict.fromkeys(("cancel_at_period_end", "discount", "discounts", "metadata", "trial_from_plan")),
            "billing_cycle_anchor": wanted["billing_cycle_anchor"] if moved else None,
            "expires_at": ctx.now + LIFE,
            "subscription_items": wanted["items"]["data"],
            "trial_end": wanted["trial_end"] if ended else None,
        }
    state.tell(ctx, subscription)


def expire(ctx: Context, subscription: Object) -> None:
    """The payment did not come in time: the invoice is voided and the change is off."""
    held = subscription["_pending"]
    subscription |= {"_pending": None, "pending_update": None}
    if ctx.get("invoice", held["invoice"])["status"] == "open":
        collection.void(ctx, held["invoice"])
    state.tell(ctx, subscription)
    ctx.emit("customer.subscription.pending_update_expired", subscription)
