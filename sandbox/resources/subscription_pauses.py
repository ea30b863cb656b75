"""Pausing a subscription and resuming it, over the API. https://docs.stripe.com/billing/subscriptions/pause"""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.store import Object
from sandbox.subscribing import cycle, state
from sandbox.subscribing.billing import bill_now, collect, credit, debit
from sandbox.subscribing.items import fit_period, period_of

PATH = "/v1/subscriptions/{subscription}"
# How long the invoice of a resumption may wait for its payment.
RESUMPTION = 23 * 3600


@operation("POST", PATH + "/pause", takes=("bill_for", "invoicing_behavior", "type"))
def pause(ctx: Context) -> Object:
    """By default the unused time is credited, on an item that waits for the next invoice."""
    subscription = ctx.edit("subscription", ctx.path["subscription"])
    ctx = on_clock(ctx, subscription)
    if subscription["status"] not in {"active", "past_due", "trialing"}:
        raise invalid(f"You cannot pause a subscription with status {subscription['status']}.")
    if subscription["collection_method"] != "charge_automatically":
        raise invalid("You can only pause a subscription that is charged automatically.")
    unused = ((ctx.params.get("bill_for") or {}).get("unused_time_from") or {"type": "now"})["type"]
    credited = False
    if subscription["status"] != "trialing" and unused != "none":
        for item in subscription["items"]["data"]:
            moment = ctx.now if unused == "now" else item["current_period_start"]
            credit(ctx, subscription, item, moment)
            credited = True
    invoice = None
    if credited and ctx.params.get("invoicing_behavior") == "invoice":
        invoice = bill_now(ctx, subscription, "subscription_update", [], None)
    subscription["_credited"] = credited
    cycle.pause(ctx, subscription, "pause_requested")
    if invoice is not None:
        collect(ctx, invoice, "allow_incomplete")
    return subscription


@operation(
    "POST",
    PATH + "/resume",
    takes=("billing_cycle_anchor", "payment_behavior", "proration_behavior", "proration_date"),
)
def resume(ctx: Context) -> Object:
    """With the anchor `now` a new period begins; `unchanged`, what is left of the period is charged again."""
    subscription = ctx.edit("subscription", ctx.path["subscription"])
    ctx = on_clock(ctx, subscription)
    given = ctx.params
    if subscription["status"] != "paused":
        raise invalid("You can only resume a subscription that is paused.")
    if (given.get("billing_cycle_anchor") or {"type": "now"})["type"] == "now":
        invoice: Object | None = _restart(ctx, subscription)
    else:
        invoice = _go_on(ctx, subscription, given.get("proration_behavior", "create_prorations"))
    if invoice is None or invoice["status"] == "paid":
        subscription |= {"status": "active", "status_details": None}
        ctx.emit("customer.subscription.resumed", subscription)
        state.tell(ctx, subscription)
        return subscription
    subscription["_resuming"] = {"invoice": invoice["id"], "until": ctx.now + RESUMPTION}
    waits = given.get("payment_behavior") == "resume_on_payment_success"
    collect(ctx, invoice, "default_incomplete" if waits else "allow_incomplete")
    if not waits and subscription["status"] == "paused":
        # the payment was tried and failed: the subscription goes on, and owes it
        subscription |= {"status": "past_due", "status_details": None, "_resuming": None}
        ctx.emit("customer.subscription.resumed", subscription)
    state.tell(ctx, subscription)
    return subscription


def _restart(ctx: Context, subscription: Object) -> Object:
    """A new period from now, with its invoice."""
    subscription["billing_cycle_anchor"] = ctx.now
    items = subscription["items"]["data"]
    for item in items:
        fit_period(subscription, item, ctx.now)
    return bill_now(ctx, subscription, "subscription_update", items, period_of(items[0]))


def _go_on(ctx: Context, subscription: Object, behavior: str) -> Object | None:
    """The old anchor stays: what is left of the period that now is in it is charged, as the behaviour says."""
    moment = ctx.params.get("proration_date", ctx.now)
    for item in subscription["items"]["data"]:
        over = item["current_period_end"] <= ctx.now
        fit_period(subscription, item, ctx.now)
        if behavior != "none" and (over or subscription.get("_credited", True)):
            debit(ctx, subscription, item, moment)
    if behavior == "always_invoice":
        return bill_now(ctx, subscription, "subscription_update", [], None)
    return None
