"""Invoices of subscriptions: which lines they have, and whether they are collected now or later."""

from decimal import Decimal

from sandbox.billing.periods import Period, containing
from sandbox.billing.pricing import rounded, total
from sandbox.billing.proration import partial, share
from sandbox.context import Context
from sandbox.invoicing import collection, words
from sandbox.invoicing.invoice import new_invoice
from sandbox.invoicing.items import new_item, pending
from sandbox.invoicing.lines import credited_lines, line_of_item, recurring_lines, trial_line
from sandbox.invoicing.reductions import active, left_of, paid_share
from sandbox.store import Object
from sandbox.subscribing.items import interval_of, period_of


def period_lines(ctx: Context, subscription: Object, items: list[Object]) -> list[Object]:
    """What the items cost for the periods that they are in."""
    lines: list[Object] = []
    for item in items:
        if subscription["status"] == "trialing":
            lines.append(trial_line(ctx, subscription, item, period_of(item)))
            continue
        made = recurring_lines(ctx, subscription, item, period_of(item))
        if item["current_period_end"] == subscription.get("_first_anchor"):
            _shorten(subscription, item, made)
        lines += made
    return lines


def _shorten(subscription: Object, item: Object, lines: list[Object]) -> None:
    """A first period that ends early, at an anchor that was asked for, costs its share of a whole one."""
    used = period_of(item)
    whole = containing(used.start, interval_of(item), used.start)
    for line in lines:
        amount = partial(line["amount"], whole, used) if subscription["_first_prorated"] else 0
        line |= {"amount": amount, "subtotal": amount}
        line["parent"]["subscription_item_details"]["proration"] = True


def draft(
    ctx: Context, subscription: Object, reason: str, items: list[Object], period: Period | None = None
) -> tuple[Object, list[Object]]:
    """An invoice with what waits and with the items' periods, and the invoice items it would take."""
    customer = ctx.get("customer", subscription["customer"])
    waiting = pending(ctx, customer["id"], subscription["currency"], subscription["id"])
    dates = {item["_proration_date"] for item in waiting if item.get("_proration_date") is not None}
    invoice = new_invoice(
        ctx,
        customer=customer,
        currency=subscription["currency"],
        reason=reason,
        lines=[line_of_item(ctx, item) for item in waiting] + period_lines(ctx, subscription, items),
        period=period,
        subscription=subscription,
        proration_date=max(dates, default=None) if reason == "subscription_update" else None,
        collection_method=subscription["collection_method"],
        days_until_due=subscription["days_until_due"],
        auto_advance=True,
    )
    return invoice, waiting


def bill_later(ctx: Context, subscription: Object, reason: str, items: list[Object], period: Period) -> Object:
    """The draft of a renewal: it is finalised and charged an hour from now."""
    invoice, waiting = draft(ctx, subscription, reason, items, period)
    paused = subscription["pause_collection"]
    if paused is not None and paused["behavior"] == "keep_as_draft":
        invoice["auto_advance"] = False
    collection.store(ctx, invoice, waiting, finalize_later=True)
    _use_up(ctx, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def bill_now(ctx: Context, subscription: Object, reason: str, items: list[Object], period: Period | None) -> Object:
    """An invoice that `collect` finalises in the same request; one that is sent waits its hour."""
    invoice, waiting = draft(ctx, subscription, reason, items, period)
    collection.store(ctx, invoice, waiting, finalize_later=subscription["collection_method"] == "send_invoice")
    _use_up(ctx, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def collect(ctx: Context, invoice: Object, behavior: str) -> None:
    """Finalise the invoice and take the money, as far as the payment behaviour wants it."""
    if invoice["collection_method"] == "send_invoice":
        return
    collection.finalize(ctx, invoice["id"])
    if invoice["status"] != "open" or behavior == "default_incomplete":
        return
    collection.pay(ctx, invoice["id"])
    if invoice["status"] != "paid" and behavior == "error_if_incomplete":
        error = collection.declined_error(ctx, invoice)
        error.keep = False
        raise error


def _use_up(ctx: Context, subscription: Object, invoice: Object) -> None:
    """A coupon for once is gone after the first invoice on which it took something off, one in time at its end."""
    used = {each["discount"] for each in invoice["total_discount_amounts"] if each["amount"]}
    for holder in (subscription, *subscription["items"]["data"]):
        for discount in [ctx.get("discount", discount_id) for discount_id in holder["discounts"]]:
            once = discount["_coupon"]["duration"] == "once" and discount["id"] in used
            if once or (discount["end"] is not None and discount["end"] <= ctx.now):
                # The discount itself stays stored, because the invoice names it.
                holder["discounts"] = [each for each in holder["discounts"] if each != discount["id"]]
                ctx.emit("customer.discount.deleted", discount)


def credit(ctx: Context, subscription: Object, item: Object, moment: int) -> None:
    """An invoice item that gives back the unused part of the item's period."""
    _prorate(ctx, subscription, item, moment, "Unused", credited_lines(ctx, subscription, item))


def debit(ctx: Context, subscription: Object, item: Object, moment: int) -> None:
    """An invoice item for the part of the item's period that is still to come."""
    _prorate(ctx, subscription, item, moment, "Remaining", None)


def _prorate(ctx: Context, subscription: Object, item: Object, moment: int, kind: str, credited: Object | None) -> None:
    price = ctx.get("price", item["price"]["id"])
    period = period_of(item)
    sign = -1 if kind == "Unused" else 1
    whole = total(price, item["quantity"]) * _paid_share(ctx, subscription, item, credited)
    amount = sign * share(rounded(whole), period, moment)
    if not amount:
        return
    made = new_item(
        ctx,
        customer=ctx.get("customer", subscription["customer"]),
        amount=amount,
        currency=subscription["currency"],
        description=words.prorated(kind, item["quantity"], ctx.get("product", price["product"]), moment),
        period=Period(moment, period.end),
        quantity=item["quantity"],
        pricing={
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": None,
        },
        subscription=subscription["id"],
        subscription_item=item["id"],
        proration=True,
        credited=credited,
        discountable=False,
    )
    made["_proration_date"] = moment
    ctx.emit("invoiceitem.created", made)


def _paid_share(ctx: Context, subscription: Object, item: Object, credited: Object | None) -> Decimal:
    """The part of the full price that a proration counts: what was charged for credits, else what the coupons leave."""
    price = ctx.get("price", item["price"]["id"])
    if credited is not None:
        lines = ctx.get("invoice", credited["invoice"])["_lines"]
        charged = [line for line in lines if line["id"] in credited["invoice_line_items"]]
        if not any(line["parent"]["subscription_item_details"]["proration"] for line in charged):
            return paid_share(charged[0])
    part = Decimal(1)
    for discount in active(ctx, item):
        part *= left_of(total(price, item["quantity"]), discount)
    for discount in active(ctx, subscription):
        fitting = [one for one in subscription["items"]["data"] if _is_for(discount, one["price"])]
        if _is_for(discount, price):
            # a fixed sum is shared out over all items that it is for
            part *= left_of(
                sum(total(ctx.get("price", one["price"]["id"]), one["quantity"]) for one in fitting), discount
            )
    return part


def _is_for(discount: Object, price: Object) -> bool:
    products = (discount["_coupon"].get("_applies_to") or {}).get("products")
    return not products or price["product"] in products
