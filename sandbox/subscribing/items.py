"""Subscription items: a price, a quantity and a period of their own."""

from dataclasses import replace

from sandbox.billing.periods import Interval, Period, containing
from sandbox.context import Context, public
from sandbox.errors import invalid, not_implemented
from sandbox.invoicing.taxes import rates_of
from sandbox.resources import discounts, prices
from sandbox.store import Object, copy

MAX_ITEMS = 20
INDEX = "_subscription_item"
LATER = ("billing_thresholds", "current_trial", "clear_usage")


def new_item(ctx: Context, subscription: Object, given: Object, param: str) -> Object:
    """A new item, not yet on the subscription, and without a period."""
    price = price_of(ctx, given, param)
    item: Object = {
        "id": ctx.new_id("si"),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": ctx.now,
        "current_period_end": 0,
        "current_period_start": 0,
        "discounts": [],
        "metadata": {name: text for name, text in (given.get("metadata") or {}).items() if text != ""},
        "subscription": subscription["id"],
        "tax_rates": rates_of(ctx, given.get("tax_rates"), f"{param}[tax_rates]"),
    }
    put_price(item, price, given.get("quantity", 1), param)
    put_discounts(ctx, subscription, item, given, param)
    # The index finds the subscription of an item; the item itself lives inside the subscription.
    ctx.insert({"id": index_id(item["id"]), "object": INDEX, "subscription": subscription["id"]})
    return item


def put_discounts(ctx: Context, subscription: Object, item: Object, given: Object, param: str) -> None:
    """The discounts of this item alone, in the place of those it had."""
    if "discounts" not in given:
        return
    made = discounts.make(
        ctx,
        given["discounts"],
        customer=subscription["customer"],
        param=f"{param}[discounts]",
        subscription_item=item["id"],
    )
    item["discounts"] = [one["id"] for one in made]


def index_id(item: str) -> str:
    """Not the item's own id: the store knows one type for each id of an account."""
    return "index_" + item


def price_of(ctx: Context, given: Object, param: str) -> Object:
    """The recurring price that was given by its id, or by what it is made of."""
    for name in LATER:
        if given.get(name):
            raise not_implemented("POST", f"a subscription item with {name}")
    if "price_data" in given:
        price = prices.create(replace(ctx, params=dict(given["price_data"])))
    else:
        price_id = given.get("price") or given.get("plan")
        if price_id is None:
            raise invalid(f"Missing required param: {param}[price].", param=f"{param}[price]", code="parameter_missing")
        price = ctx.get("price", price_id, param=f"{param}[price]")
        if not price["active"]:
            message = "The price specified is inactive. This field only accepts active prices."
            raise invalid(message, param=f"{param}[price]")
    if price["recurring"] is None:
        message = (
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`."
        )
        raise invalid(message, param=f"{param}[price]")
    if price["recurring"]["usage_type"] == "metered":
        raise not_implemented("POST", "a subscription item with a metered price")
    return price


def put_price(item: Object, price: Object, quantity: int, param: str = "items") -> None:
    if quantity < 0:
        message = "This value must be greater than or equal to 0."
        raise invalid(message, param=f"{param}[quantity]", code="parameter_invalid_integer")
    shown = copy(public(price))
    item |= {"plan": plan_of(shown), "price": shown, "quantity": quantity}


def plan_of(price: Object) -> Object:
    """The price in the shape of the older plan, which answers still carry."""
    recurring = price["recurring"]
    transform = price["transform_quantity"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": transform,
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


def interval_of(item: Object) -> Interval:
    recurring = item["price"]["recurring"]
    return Interval(recurring["interval"], recurring["interval_count"])


def period_of(item: Object) -> Period:
    return Period(item["current_period_start"], item["current_period_end"])


def put_period(item: Object, period: Period) -> None:
    item |= {"current_period_start": period.start, "current_period_end": period.end}


def fit_period(subscription: Object, item: Object, moment: int) -> None:
    """The item's period at a moment: the trial, or its interval counted from the subscription's anchor."""
    if subscription["status"] == "trialing":
        put_period(item, Period(subscription["trial_start"], subscription["trial_end"]))
    else:
        put_period(item, containing(subscription["billing_cycle_anchor"], interval_of(item), moment))


def count_items(subscription: Object) -> None:
    subscription["items"]["total_count"] = len(subscription["items"]["data"])


def check_items(subscription: Object) -> None:
    """At least one, not too many, one currency, and each price once."""
    items = subscription["items"]["data"]
    if not items:
        raise invalid("A subscription must have at least one active item.", param="items")
    if len(items) > MAX_ITEMS:
        raise invalid(f"Subscriptions may have at most {MAX_ITEMS} items.", param="items")
    if len({item["price"]["id"] for item in items}) < len(items):
        raise invalid("Cannot add multiple subscription items with the same plan.", param="items")
    if {item["price"]["currency"] for item in items} != {subscription["currency"]}:
        message = "All prices on a subscription must have the same currency, which cannot change."
        raise invalid(message, param="items")
