"""What becomes of a subscription when its invoices are paid or not, and what is due next."""

from sandbox.context import Context
from sandbox.invoicing import collection
from sandbox.planning import plan
from sandbox.store import Object

INCOMPLETE_LIFE = 23 * 3600
TRIAL_WARNING = 3 * 24 * 3600
ENDED = frozenset({"canceled", "incomplete_expired"})


def next_due(subscription: Object) -> int | None:
    """The second at which the subscription next does something by itself."""
    status = subscription["status"]
    if status in ENDED:
        return None
    if status == "incomplete":
        return int(subscription["created"]) + INCOMPLETE_LIFE
    moments = [subscription["cancel_at"]]
    if subscription["pending_update"] is not None:
        moments.append(subscription["pending_update"]["expires_at"])
    if status == "trialing":
        moments.append(subscription["trial_end"])
        moments.append(None if subscription["_trial_told"] else subscription["trial_end"] - TRIAL_WARNING)
    elif status != "paused":
        moments += [item["current_period_end"] for item in subscription["items"]["data"]]
        moments.append(subscription["next_pending_invoice_item_invoice"])
    if subscription.get("_resuming") is not None:
        moments.append(subscription["_resuming"]["until"])
    if subscription["pause_collection"] is not None:
        moments.append(subscription["pause_collection"]["resumes_at"])
    return min((moment for moment in moments if moment is not None), default=None)


def tell(ctx: Context, subscription: Object) -> None:
    """customer.subscription.updated if something changed, and the plan for what is due next."""
    plan(ctx, subscription, next_due(subscription))
    ctx.updated("customer.subscription.updated", subscription)


@collection.watch
def follow(ctx: Context, invoice: Object, what: str) -> None:
    """The subscription's status follows its invoices."""
    if invoice["_subscription"] is None:
        return
    subscription = ctx.edit("subscription", invoice["_subscription"])
    latest = subscription["latest_invoice"] == invoice["id"]
    status = subscription["status"]
    held = subscription.get("_pending")
    if held is not None and held["invoice"] == invoice["id"]:
        _apply_pending(ctx, subscription, what, held["wanted"])
        return
    resuming = subscription.get("_resuming")
    if resuming is not None and resuming["invoice"] == invoice["id"] and what in {"paid", "uncollectible"}:
        subscription |= {"status": "active", "status_details": None, "_resuming": None}
        ctx.emit("customer.subscription.resumed", subscription)
    if what == "paid":
        first = status == "incomplete" and invoice["billing_reason"] == "subscription_create"
        if first or (latest and status in {"past_due", "unpaid"}):
            subscription["status"] = "active"
        _save_method(ctx, subscription, invoice)
    elif what == "processing" and latest and status == "incomplete":
        # A debit takes days: Stripe lets the subscription begin, and makes it past_due if the debit fails.
        subscription["status"] = "active"
    elif what == "uncollectible" and latest and status == "past_due":
        subscription["status"] = "active"
    elif what == "exhausted" and status not in ENDED:
        end(ctx, subscription, "payment_failed")
        return
    elif what in {"failed", "overdue"} and status in {"active", "trialing"} and latest:
        subscription["status"] = "past_due"
    tell(ctx, subscription)


def _apply_pending(ctx: Context, subscription: Object, what: str, wanted: Object) -> None:
    """The change that waited for this invoice; until it is paid, the subscription stays as it is."""
    if what != "paid":
        return
    waited = subscription["pending_update"] is not None
    subscription |= {**wanted, "_pending": None, "pending_update": None}
    tell(ctx, subscription)
    if waited:
        ctx.emit("customer.subscription.pending_update_applied", subscription)


def end(ctx: Context, subscription: Object, reason: str | None) -> None:
    """Cancel it now; its open invoices are not tried again."""
    incomplete = subscription["status"] == "incomplete"
    subscription |= {
        "canceled_at": subscription["canceled_at"] or ctx.now,
        "ended_at": ctx.now,
        "pause_collection": None,
        "status": "incomplete_expired" if incomplete else "canceled",
    }
    if reason is not None:
        subscription["cancellation_details"]["reason"] = reason
    plan(ctx, subscription, None)
    _end_schedule(ctx, subscription)
    for invoice in list(ctx.tx.newest(ctx.account, "invoice")):
        if invoice["_subscription"] != subscription["id"]:
            continue
        if incomplete and invoice["status"] == "open":
            collection.void(ctx, invoice["id"])
        elif invoice["status"] in {"draft", "open"} and invoice["auto_advance"]:
            collection.stop_retries(ctx, invoice["id"])
    ctx.emit("customer.subscription.deleted", subscription)


def _end_schedule(ctx: Context, subscription: Object) -> None:
    """A schedule ends with its subscription, whoever ended it."""
    if subscription["schedule"] is None:
        return
    schedule = ctx.edit("subscription_schedule", subscription["schedule"])
    schedule |= {"canceled_at": ctx.now, "current_phase": None, "status": "canceled"}
    plan(ctx, schedule, None)
    ctx.emit("subscription_schedule.canceled", schedule)


def end_all(ctx: Context, customer: str) -> None:
    """What the deletion of a customer does to the customer's subscriptions."""
    for subscription in list(ctx.tx.newest(ctx.account, "subscription")):
        if subscription["customer"] == customer and subscription["status"] not in ENDED:
            end(ctx, ctx.edit("subscription", subscription["id"]), None)


def _save_method(ctx: Context, subscription: Object, invoice: Object) -> None:
    if subscription["payment_settings"]["save_default_payment_method"] != "on_subscription":
        return
    intent = collection.payment_intent_of(ctx, invoice)
    if intent is not None and intent["payment_method"] is not None:
        subscription["default_payment_method"] = intent["payment_method"]
