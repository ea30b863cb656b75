"""Changes of a subscription's items, trial and anchor, with their prorations."""

from dataclasses import dataclass
from typing import Any

from sandbox.billing.periods import Period, containing
from sandbox.context import Context
from sandbox.errors import invalid, missing, not_implemented
from sandbox.invoicing.taxes import rates_of
from sandbox.resources import discounts
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object, copy
from sandbox.subscribing import extras, pending, settings
from sandbox.subscribing.billing import bill_now, collect, credit, debit
from sandbox.subscribing.items import (
    INDEX,
    check_items,
    count_items,
    fit_period,
    index_id,
    interval_of,
    new_item,
    period_of,
    price_of,
    put_discounts,
    put_period,
    put_price,
)
from sandbox.subscribing.state import ENDED, tell

# What may be changed before the first payment, or after the end.
HARMLESS = frozenset({"metadata", "default_payment_method", "description", "cancellation_details", "expand"})


@dataclass(frozen=True, slots=True)
class Proration:
    """How the money for a started period is corrected, as of which second."""

    behavior: str
    moment: int

    @property
    def wanted(self) -> bool:
        return self.behavior != "none"


def update(ctx: Context, subscription: Object) -> Object:
    """Apply `ctx.params` to the draft of a subscription: settings, items, trial, anchor, cancellation."""
    given = ctx.params
    _check_allowed(subscription, given)
    behavior = given.get("payment_behavior", "allow_incomplete")
    before = copy(subscription)
    if behavior == "pending_if_incomplete":
        pending.check(subscription, given)
    merge_metadata(subscription, ctx)
    settings.apply(ctx, subscription)
    if "discounts" in given:
        _change_discounts(ctx, subscription, given["discounts"])
    _feedback(subscription, given.get("cancellation_details") or {})
    if "pause_collection" in given:
        _pause_collection(ctx, subscription, given["pause_collection"])
    proration = _proration(ctx, subscription)
    reset = (given.get("billing_cycle_anchor") or {}).get("type") == "now" and subscription["status"] != "trialing"
    if given.get("items"):
        _change_items(ctx, subscription, given["items"], proration, reset=reset)
    restarted = _end_trial(ctx, subscription, proration) or _reset_anchor(ctx, subscription, proration)
    if restarted and subscription["cancel_at_period_end"] and "cancel_at_period_end" not in given:
        subscription["cancel_at"] = max(item["current_period_end"] for item in subscription["items"]["data"])
    settings.apply_cancellation(ctx, subscription)
    extras.add(ctx, subscription)
    invoice = None
    if restarted or ((given.get("items") or given.get("add_invoice_items")) and proration.behavior == "always_invoice"):
        invoice = _invoice(ctx, subscription, restarted)
    if invoice is not None and behavior == "pending_if_incomplete":
        pending.hold(ctx, subscription, before, invoice)
        return subscription
    tell(ctx, subscription)
    if invoice is not None:
        collect(ctx, invoice, behavior)
        if behavior == "default_incomplete" and invoice["status"] == "open" and subscription["status"] == "active":
            subscription["status"] = "past_due"
        tell(ctx, subscription)
    return subscription


def _check_allowed(subscription: Object, given: dict[str, Any]) -> None:
    status = subscription["status"]
    rest = given.keys() - HARMLESS
    if status in ENDED and rest - {"default_payment_method"}:
        message = "A canceled subscription can only update its cancellation_details and metadata."
        raise invalid(message)
    if status == "incomplete" and rest:
        raise invalid(
            "You cannot update a subscription in `incomplete` status in this way. Only the default payment method "
            "and metadata can be updated until its first invoice is paid."
        )
    if status == "paused" and rest & {"items", "trial_end", "billing_cycle_anchor"}:
        raise not_implemented("POST", "/v1/subscriptions/{subscription} of the items of a paused subscription")


def _change_discounts(ctx: Context, subscription: Object, given: list[Object]) -> None:
    """The given discounts replace the subscription's; one that is named by its own id stays."""
    made = discounts.make(ctx, given, customer=subscription["customer"], subscription=subscription["id"])
    kept = [discount["id"] for discount in made]
    for gone in subscription["discounts"]:
        if gone not in kept:
            ctx.emit("customer.discount.deleted", ctx.get("discount", gone))
    subscription["discounts"] = kept


def _proration(ctx: Context, subscription: Object) -> Proration:
    given = ctx.params
    moment = given.get("proration_date", ctx.now)
    for item in subscription["items"]["data"]:
        if "proration_date" in given and not item["current_period_start"] <= moment <= item["current_period_end"]:
            message = "Cannot specify `proration_date` outside of the current billing period."
            raise invalid(message, param="proration_date")
    behavior = given.get("proration_behavior", "create_prorations")
    # A trial was never charged: there is nothing to give back, and nothing to charge before its end.
    return Proration("none" if subscription["status"] == "trialing" else behavior, moment)


def _change_items(
    ctx: Context, subscription: Object, given: list[Object], proration: Proration, *, reset: bool
) -> None:
    """The items as they are wanted; with a `reset` of the anchor the old ones are credited, and no new ones debited."""
    items = subscription["items"]["data"]
    before = {item["id"]: copy(item) for item in items}
    added: list[Object] = []
    for place, change in enumerate(given):
        param = f"items[{place}]"
        if "id" not in change:
            if change.get("deleted"):
                raise invalid(f"Missing required param: {param}[id].", param=f"{param}[id]", code="parameter_missing")
            item = new_item(ctx, subscription, change, param)
            fit_period(subscription, item, proration.moment)
            added.append(item)
        elif change["id"] not in before:
            raise missing("subscription_item", change["id"], param=f"{param}[id]")
        elif change.get("deleted"):
            items[:] = [item for item in items if item["id"] != change["id"]]
            ctx.tx.delete(ctx.account, INDEX, index_id(change["id"]))
        else:
            (found,) = [item for item in items if item["id"] == change["id"]]
            _change_item(ctx, subscription, found, change, param, proration)
    items += added
    check_items(subscription)
    count_items(subscription)
    if proration.wanted and reset:
        for old in before.values():
            credit(ctx, subscription, old, proration.moment)
    elif proration.wanted:
        _prorate(ctx, subscription, before, proration.moment)


def _change_item(
    ctx: Context, subscription: Object, item: Object, change: Object, param: str, proration: Proration
) -> None:
    if change.get("metadata") is not None:
        merged = item["metadata"] | change["metadata"]
        item["metadata"] = {name: text for name, text in merged.items() if text != ""}
    if "tax_rates" in change:
        item["tax_rates"] = rates_of(ctx, change["tax_rates"], f"{param}[tax_rates]")
    put_discounts(ctx, subscription, item, change, param)
    interval = interval_of(item)
    named = change.keys() & {"price", "plan", "price_data"}
    price = price_of(ctx, change, param) if named else ctx.get("price", item["price"]["id"])
    put_price(item, price, change["quantity"] if "quantity" in change else item["quantity"], param)
    if interval_of(item) != interval:
        fit_period(subscription, item, proration.moment)


def _prorate(ctx: Context, subscription: Object, before: dict[str, Object], moment: int) -> None:
    after = {item["id"]: item for item in subscription["items"]["data"]}
    for item_id, old in before.items():
        new = after.get(item_id)
        if new is None:
            credit(ctx, subscription, old, moment)
        elif (old["price"]["id"], old["quantity"]) != (new["price"]["id"], new["quantity"]):
            credit(ctx, subscription, old, moment)
            debit(ctx, subscription, new, moment)
    for item_id, new in after.items():
        if item_id not in before:
            debit(ctx, subscription, new, moment)


def _end_trial(ctx: Context, subscription: Object, proration: Proration) -> bool:
    """Take `trial_end`; true where it ended the trial now. A subscription without a trial ignores `now`."""
    end = ctx.params.get("trial_end")
    if end is None or (end == "now" and subscription["status"] != "trialing"):
        return False
    if end != "now":
        settings.check_trial_end(ctx, end)
        if subscription["status"] != "trialing":
            _begin_trial(ctx, subscription, end, proration)
            return True
        subscription |= {"billing_cycle_anchor": end, "trial_end": end, "_trial_told": False}
        for item in subscription["items"]["data"]:
            fit_period(subscription, item, ctx.now)
        return False
    subscription |= {"billing_cycle_anchor": ctx.now, "status": "active", "trial_end": ctx.now}
    for item in subscription["items"]["data"]:
        fit_period(subscription, item, ctx.now)
    return True


def _begin_trial(ctx: Context, subscription: Object, end: int, proration: Proration) -> None:
    """A trial in the middle of a subscription's life: what is left of the paid period is credited."""
    for item in subscription["items"]["data"]:
        if proration.wanted:
            credit(ctx, subscription, item, proration.moment)
    subscription |= {
        "billing_cycle_anchor": end,
        "status": "trialing",
        "trial_end": end,
        "trial_start": ctx.now,
        "_trial_told": False,
    }
    for item in subscription["items"]["data"]:
        fit_period(subscription, item, ctx.now)


def _reset_anchor(ctx: Context, subscription: Object, proration: Proration) -> bool:
    anchor = ctx.params.get("billing_cycle_anchor")
    if anchor is None or anchor["type"] == "unchanged":
        return False
    if subscription["status"] == "trialing":
        raise not_implemented("POST", "/v1/subscriptions/{subscription} with billing_cycle_anchor during a trial")
    for item in subscription["items"]["data"]:
        if proration.wanted and not ctx.params.get("items"):
            credit(ctx, subscription, item, ctx.now)
        put_period(item, containing(ctx.now, interval_of(item), ctx.now))
    subscription["billing_cycle_anchor"] = ctx.now
    return True


def _invoice(ctx: Context, subscription: Object, restarted: bool) -> Object:
    items = subscription["items"]["data"]
    start = min(period_of(item).start for item in items)
    return bill_now(ctx, subscription, "subscription_update", items if restarted else [], Period(start, ctx.now))


def _feedback(subscription: Object, given: Object) -> None:
    if "feedback_option" in given:
        raise not_implemented("POST", "/v1/subscriptions/{subscription} with cancellation_details[feedback_option]")
    subscription["cancellation_details"] |= given


def _pause_collection(ctx: Context, subscription: Object, given: Object | None) -> None:
    if given is None:
        subscription["pause_collection"] = None
        return
    at = given.get("resumes_at")
    if at is not None and at <= ctx.now:
        raise invalid("resumes_at must be a timestamp in the future.", param="pause_collection[resumes_at]")
    subscription["pause_collection"] = {"behavior": given["behavior"], "resumes_at": at}
