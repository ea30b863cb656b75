"""Previews: the change is made, its invoice is looked at, and everything is undone."""

from dataclasses import replace

from sandbox.billing.periods import Period
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.resources.subscriptions import create_subscription
from sandbox.store import Object, copy
from sandbox.subscribing import change
from sandbox.subscribing.billing import draft
from sandbox.subscribing.items import fit_period, period_of
from sandbox.subscribing.state import ENDED

PATH = "/v1/invoices/create_preview"
DETAILS = ("billing_cycle_anchor", "items", "proration_behavior", "proration_date", "trial_end")


@operation("POST", PATH, takes=("customer", "subscription", "subscription_details", "preview_mode"))
def create_preview(ctx: Context) -> Object:
    given = ctx.params
    if given.get("preview_mode", "next") != "next":
        raise not_implemented("POST", f"{PATH} with preview_mode=recurring")
    details = {name: value for name, value in given.get("subscription_details", {}).items() if value is not None}
    for name in details.keys() - set(DETAILS):
        raise not_implemented("POST", f"{PATH} with subscription_details[{name}]")
    found = _of_existing(ctx, details) if "subscription" in given else _of_new(ctx, details)
    preview = _as_preview(copy(found))
    ctx.tx.rollback()
    return preview


def _of_existing(ctx: Context, details: Object) -> Object:
    found = ctx.get("subscription", ctx.params["subscription"], param="subscription")
    if ctx.params.get("customer", found["customer"]) != found["customer"]:
        raise invalid("The subscription does not belong to this customer.", param="subscription")
    if found["status"] in ENDED:
        raise invalid("No upcoming invoices for customer", code="invoice_upcoming_none")
    ctx = on_clock(ctx, found)
    subscription = ctx.edit("subscription", found["id"])
    latest = subscription["latest_invoice"]
    if details:
        anchor = details.get("billing_cycle_anchor")
        if anchor is not None and anchor["type"] == "timestamp":
            raise not_implemented("POST", f"{PATH} with subscription_details[billing_cycle_anchor][type]=timestamp")
        params = {**details, "payment_behavior": "default_incomplete"}
        subscription = change.update(replace(ctx, params=params), subscription)
    if subscription["latest_invoice"] != latest:
        return ctx.get("invoice", subscription["latest_invoice"])
    return _next(ctx, subscription)


def _next(ctx: Context, subscription: Object) -> Object:
    """The invoice of the next renewal, as if its second had come."""
    items = subscription["items"]["data"]
    at = min(item["current_period_end"] for item in items)
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= at:
        raise invalid("No upcoming invoices for customer", code="invoice_upcoming_none")
    over = [item for item in items if item["current_period_end"] <= at]
    before = Period(min(period_of(item).start for item in over), at)
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    for item in over:
        fit_period(subscription, item, at)
    later = replace(ctx, now=at)
    return draft(later, subscription, "subscription_cycle", over, before)[0]


def _of_new(ctx: Context, details: Object) -> Object:
    if "customer" not in ctx.params:
        raise invalid("You must specify `customer` or `subscription`.", param="customer", code="parameter_missing")
    for name in details.keys() - {"items", "trial_end"}:
        raise not_implemented("POST", f"{PATH} of a new subscription with subscription_details[{name}]")
    params = {**details, "customer": ctx.params["customer"], "payment_behavior": "default_incomplete"}
    made = create_subscription(ctx, params)
    return ctx.get("invoice", made["latest_invoice"])


def _as_preview(invoice: Object) -> Object:
    """The same lines and totals on a draft that nobody finalised."""
    preview = "upcoming_" + invoice["id"]
    for line in invoice["_lines"] + invoice["lines"]["data"]:
        line["invoice"] = preview
    invoice["lines"]["url"] = f"/v1/invoices/{preview}/lines"
    transitions = dict.fromkeys(invoice["status_transitions"])
    return invoice | {
        "id": preview,
        "amount_remaining": invoice["amount_due"],
        "attempted": False,
        "auto_advance": True,
        "effective_at": None,
        "ending_balance": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "number": None,
        "status": "draft",
        "status_transitions": transitions,
    }
