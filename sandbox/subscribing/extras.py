"""One-time charges beside a subscription's items: `add_invoice_items`, and the time before it was made."""

from sandbox.billing.periods import Period, containing
from sandbox.billing.pricing import total
from sandbox.billing.proration import partial
from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.invoicing import words
from sandbox.invoicing.items import new_item
from sandbox.invoicing.taxes import rates_of
from sandbox.resources import discounts
from sandbox.store import Object
from sandbox.subscribing.items import interval_of, period_of


def add(ctx: Context, subscription: Object) -> None:
    """The invoice items of `add_invoice_items`; the subscription's next invoice takes them."""
    for place, each in enumerate(ctx.params.get("add_invoice_items") or []):
        _add(ctx, subscription, each, f"add_invoice_items[{place}]")


def charge_past(ctx: Context, subscription: Object, items: list[Object], until: int) -> None:
    """What a subscription that began before it was made costs from its start on.

    The time is a share of whole intervals that begin at the start.
    https://docs.stripe.com/billing/subscriptions/backdating
    """
    used = Period(subscription["start_date"], until)
    for item in items:
        price = ctx.get("price", item["price"]["id"])
        whole = containing(used.start, interval_of(item), used.start)
        amount = partial(total(price, item["quantity"]), whole, used)
        if not amount:
            continue
        product = ctx.get("product", price["product"])
        made = new_item(
            ctx,
            customer=ctx.get("customer", subscription["customer"]),
            amount=amount,
            currency=subscription["currency"],
            description=words.counted(item["quantity"], product),
            period=used,
            quantity=item["quantity"],
            pricing=_pricing(price) | {"unit_amount_decimal": None},
            subscription=subscription["id"],
            subscription_item=item["id"],
            proration=True,
        )
        ctx.emit("invoiceitem.created", made)


def one_time_price(ctx: Context, given: Object, param: str) -> Object:
    """The price that was given by its id, or by `price_data`, which makes one that nobody else can use."""
    if "price_data" in given:
        data: Object = given["price_data"]
        ctx.get("product", data["product"], param=f"{param}[price_data][product]")
        return call(ctx, "POST", "/v1/prices", **data, active=False)
    price = ctx.get("price", given.get("price") or "", param=f"{param}[price]")
    if price["recurring"] is not None:
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
            param=f"{param}[price]",
        )
    return price


def _add(ctx: Context, subscription: Object, each: Object, param: str) -> None:
    price = one_time_price(ctx, each, param)
    if price["currency"] != subscription["currency"]:
        raise invalid("Only one-time prices in the subscription's currency can be added.", param=f"{param}[price]")
    if "period" in each:
        raise not_implemented("POST", f"/v1/subscriptions with {param}[period]")
    quantity = each.get("quantity", 1)
    item = new_item(
        ctx,
        customer=ctx.get("customer", subscription["customer"]),
        amount=total(price, quantity),
        currency=price["currency"],
        description=ctx.get("product", price["product"])["name"],
        period=period_of(subscription["items"]["data"][0]),
        quantity=quantity,
        pricing=_pricing(price),
        subscription=subscription["id"],
        metadata=each.get("metadata"),
        discountable=each.get("discountable", True),
    )
    item["tax_rates"] = rates_of(ctx, each.get("tax_rates"), f"{param}[tax_rates]")
    if each.get("discounts"):
        made = discounts.make(
            ctx,
            each["discounts"],
            customer=subscription["customer"],
            param=f"{param}[discounts]",
            invoice_item=item["id"],
        )
        item["discounts"] = [one["id"] for one in made]
    ctx.emit("invoiceitem.created", item)


def _pricing(price: Object) -> Object:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
