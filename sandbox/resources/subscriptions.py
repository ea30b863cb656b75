"""Subscriptions over the API."""

from dataclasses import replace
from typing import Any

from sandbox.context import Context, public
from sandbox.errors import invalid, missing, not_implemented
from sandbox.http.lists import page, within
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.resources import discounts
from sandbox.store import Object
from sandbox.subscribing import change, create, settings, state
from sandbox.subscribing.billing import bill_now, collect, credit

PATH = "/v1/subscriptions/{subscription_exposed_id}"
NEW = (
    *settings.TAKES,
    "add_invoice_items",
    "backdate_start_date",
    "billing_cycle_anchor",
    "billing_cycle_anchor_config",
    "billing_mode",
    "currency",
    "customer",
    "discounts",
    "trial_period_days",
)
CHANGES = (
    *settings.TAKES,
    "add_invoice_items",
    "billing_cycle_anchor",
    "cancellation_details",
    "discounts",
    "pause_collection",
    "proration_date",
)


def create_subscription(ctx: Context, params: dict[str, Any]) -> Object:
    """A new subscription with its first invoice; `params` are converted parameters of POST /v1/subscriptions."""
    for name in sorted(params.keys() - set(NEW) - {"expand"}):
        raise not_implemented("POST", f"/v1/subscriptions with {name}")
    mode = params.get("billing_mode", {})
    itemized = mode.get("flexible", {}).get("proration_discounts", "included") != "included"
    if mode.get("type", "flexible") != "flexible" or itemized:
        raise not_implemented("POST", "/v1/subscriptions with a billing_mode other than plain flexible")
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", params["customer"], param="customer")
    return create.new_subscription(replace(on_clock(ctx, customer), params=params), customer)


@operation("POST", "/v1/subscriptions", takes=NEW)
def create_over_api(ctx: Context) -> Object:
    return create_subscription(ctx, ctx.params)


@operation("GET", PATH)
def retrieve(ctx: Context) -> Object:
    return ctx.get("subscription", ctx.path["subscription_exposed_id"])


@operation("POST", PATH, takes=CHANGES)
def update(ctx: Context) -> Object:
    subscription = ctx.edit("subscription", ctx.path["subscription_exposed_id"])
    return change.update(on_clock(ctx, subscription), subscription)


@operation("DELETE", PATH, takes=("cancellation_details", "invoice_now", "prorate"))
def cancel(ctx: Context) -> Object:
    subscription = ctx.edit("subscription", ctx.path["subscription_exposed_id"])
    ctx = on_clock(ctx, subscription)
    if subscription["status"] in state.ENDED:
        raise missing("subscription", subscription["id"])
    details = ctx.params.get("cancellation_details") or {}
    if "feedback_option" in details:
        raise not_implemented("DELETE", f"{PATH} with cancellation_details[feedback_option]")
    subscription["cancellation_details"] |= details
    subscription |= {"cancel_at": None, "cancel_at_period_end": False}
    if ctx.params.get("prorate") and subscription["status"] != "trialing":
        for item in subscription["items"]["data"]:
            credit(ctx, subscription, item, ctx.now)
    invoice = None
    if ctx.params.get("invoice_now"):
        invoice = bill_now(ctx, subscription, "subscription_update", [], None)
    state.end(ctx, subscription, "cancellation_requested")
    if invoice is not None:
        collect(ctx, invoice, "allow_incomplete")
    return subscription


@operation("GET", "/v1/subscriptions")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    unknown = ("automatic_tax", "customer_account")
    for name in unknown:
        if name in given:
            raise not_implemented("GET", f"/v1/subscriptions with {name}")
    price = given.get("price") or given.get("plan")

    def keep(subscription: Object) -> bool:
        names = ("collection_method", "customer", "test_clock")
        same = all(subscription[name] == given[name] for name in names if name in given)
        items = subscription["items"]["data"]
        return (
            same
            and all(
                any(within(item[name], given.get(name)) for item in items)
                for name in ("current_period_end", "current_period_start")
            )
            and _has_status(subscription, given.get("status"))
            and (price is None or any(item["price"]["id"] == price for item in items))
        )

    return page(ctx, "subscription", "/v1/subscriptions", keep)


@operation("POST", "/v1/subscriptions/{subscription}/migrate")
def migrate(ctx: Context) -> Object:
    """Every subscription here is in the flexible billing mode already: there is nothing to migrate."""
    found = ctx.get("subscription", ctx.path["subscription"])
    raise invalid(f"The subscription {found['id']} is already in the flexible billing mode.", param="billing_mode")


def _has_status(subscription: Object, wanted: str | None) -> bool:
    status: str = subscription["status"]
    if wanted is None:
        return status != "canceled"
    if wanted == "ended":
        return status in state.ENDED
    return wanted in {"all", status}


@operation("DELETE", PATH + "/discount")
def delete_discount(ctx: Context) -> Object:
    """Ends the discounts of the subscription itself, not those of its items; answers with the newest."""
    subscription = ctx.edit("subscription", ctx.path["subscription_exposed_id"])
    given = [ctx.get("discount", one) for one in subscription["discounts"]]
    if not given:
        message = f"No active discount for subscription: {subscription['id']}"
        raise invalid(message, code="resource_missing", status=404)
    for discount in given:
        discounts.end(ctx, discount)
    subscription["discounts"] = []
    ctx.updated("customer.subscription.updated", subscription)
    told = {name: value for name, value in public(given[-1]).items() if name != "end"}
    return told | {"deleted": True}
