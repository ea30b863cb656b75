"""What subscriptions and their invoices do by themselves when their time comes."""

from sandbox.billing.periods import Period
from sandbox.context import Context
from sandbox.invoicing import collection
from sandbox.invoicing.items import pending as pending_items
from sandbox.store import Object
from sandbox.subscribing import pending, settings
from sandbox.subscribing.billing import bill_later, credit
from sandbox.subscribing.items import fit_period, period_of
from sandbox.subscribing.state import end, tell


def work_on_subscription(ctx: Context, subscription_id: str) -> None:
    """Do what is due at `ctx.now`, one thing; the plan then says what comes next."""
    subscription = ctx.edit("subscription", subscription_id)
    status, at = subscription["status"], subscription["cancel_at"]
    paused = subscription["pause_collection"]
    if status == "incomplete":
        expire(ctx, subscription)
    elif subscription["pending_update"] is not None and subscription["pending_update"]["expires_at"] <= ctx.now:
        pending.expire(ctx, subscription)
    elif at is not None and at <= ctx.now:
        if subscription.get("_credit_at_end") and status not in {"trialing", "paused"}:
            for item in subscription["items"]["data"]:
                credit(ctx, subscription, item, at)
        end(ctx, subscription, None)
    elif paused is not None and paused["resumes_at"] is not None and paused["resumes_at"] <= ctx.now:
        subscription["pause_collection"] = None
        tell(ctx, subscription)
    elif subscription.get("_resuming") is not None and subscription["_resuming"]["until"] <= ctx.now:
        give_up_resuming(ctx, subscription)
    elif status == "trialing":
        _trial(ctx, subscription)
    elif _only_pending(ctx, subscription):
        invoice_pending(ctx, subscription)
    else:
        renew(ctx, subscription)


def work_on_invoice(ctx: Context, invoice_id: str) -> None:
    """Finalise a draft, try an open one again, or find that it is overdue."""
    invoice = ctx.edit("invoice", invoice_id)
    sent = invoice["collection_method"] == "send_invoice"
    if invoice["status"] == "draft":
        _finalize(ctx, invoice, sent)
    elif invoice["next_payment_attempt"] is not None:
        collection.pay(ctx, invoice_id, automatic=True)
    elif sent:
        invoice["_overdue"] = True
        collection.replan(ctx, invoice)
        ctx.emit("invoice.overdue", invoice)
        collection.tell(ctx, invoice, "overdue")


def expire(ctx: Context, subscription: Object) -> None:
    """The first payment did not come in time: the invoice is voided and the subscription is over."""
    subscription |= {"ended_at": ctx.now, "status": "incomplete_expired"}
    latest = ctx.get("invoice", subscription["latest_invoice"])
    if latest["status"] == "open":
        collection.void(ctx, latest["id"])
    tell(ctx, subscription)


def renew(ctx: Context, subscription: Object) -> None:
    """The items whose period is over get their next one, on a draft that is charged in an hour."""
    over = [item for item in subscription["items"]["data"] if item["current_period_end"] <= ctx.now]
    before = Period(min(period_of(item).start for item in over), ctx.now)
    for item in over:
        fit_period(subscription, item, ctx.now)
    bill_later(ctx, subscription, "subscription_cycle", over, before)
    if subscription["next_pending_invoice_item_invoice"] is not None:
        subscription["next_pending_invoice_item_invoice"] = settings.next_pending(subscription, ctx.now)
    tell(ctx, subscription)


def give_up_resuming(ctx: Context, subscription: Object) -> None:
    """Nobody paid the invoice of a resumption within 23 hours: it is voided, and the subscription stays paused."""
    invoice = ctx.get("invoice", subscription["_resuming"]["invoice"])
    subscription["_resuming"] = None
    if invoice["status"] == "open":
        collection.void(ctx, invoice["id"])
    tell(ctx, subscription)


def _only_pending(ctx: Context, subscription: Object) -> bool:
    at = subscription["next_pending_invoice_item_invoice"]
    renewal = min(item["current_period_end"] for item in subscription["items"]["data"])
    return at is not None and at <= ctx.now < renewal


def invoice_pending(ctx: Context, subscription: Object) -> None:
    """`pending_invoice_item_interval`: what waits is invoiced, although no period ends."""
    at = subscription["next_pending_invoice_item_invoice"]
    subscription["next_pending_invoice_item_invoice"] = settings.next_pending(subscription, ctx.now)
    if pending_items(ctx, subscription["customer"], subscription["currency"], subscription["id"]):
        period = Period(min(period_of(item).start for item in subscription["items"]["data"]), at)
        bill_later(ctx, subscription, "automatic_pending_invoice_item_invoice", [], period)
    tell(ctx, subscription)


def _trial(ctx: Context, subscription: Object) -> None:
    if subscription["trial_end"] > ctx.now:
        subscription["_trial_told"] = True
        ctx.emit("customer.subscription.trial_will_end", subscription)
        tell(ctx, subscription)
        return
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    charged = subscription["collection_method"] == "charge_automatically"
    customer = ctx.get("customer", subscription["customer"])
    method = subscription["default_payment_method"] or subscription["default_source"]
    method = method or collection.default_method(customer)
    if charged and method is None and missing == "cancel":
        end(ctx, subscription, None)
    elif charged and method is None and missing == "pause":
        pause(ctx, subscription, "trial_end_without_payment_method")
    else:
        subscription["status"] = "active"
        renew(ctx, subscription)


def pause(ctx: Context, subscription: Object, reason: str) -> None:
    """No more invoices until the subscription is resumed."""
    details = {"subscription": {"type": reason}, "transitioned_at": ctx.now, "type": "subscription"}
    subscription |= {"status": "paused", "status_details": {"paused": details}}
    tell(ctx, subscription)
    ctx.emit("customer.subscription.paused", subscription)


def _finalize(ctx: Context, invoice: Object, sent: bool) -> None:
    collection.finalize(ctx, invoice["id"])
    paused = None
    if invoice["_subscription"] is not None:
        paused = ctx.get("subscription", invoice["_subscription"])["pause_collection"]
    if invoice["status"] != "open":
        return
    if paused is not None and paused["behavior"] == "void":
        collection.void(ctx, invoice["id"])
    elif paused is not None and paused["behavior"] == "mark_uncollectible":
        collection.mark_uncollectible(ctx, invoice["id"], "subscription_paused")
    elif sent:
        ctx.emit("invoice.sent", invoice)
    else:
        collection.pay(ctx, invoice["id"], automatic=True)
