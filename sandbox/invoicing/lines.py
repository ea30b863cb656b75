"""Invoice lines, made from subscription items and from invoice items."""

from sandbox.billing.periods import Period
from sandbox.billing.pricing import charges
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.invoicing import words
from sandbox.invoicing.reductions import active
from sandbox.store import Object

MAX_LINES = 250
EMBEDDED = 10


def recurring_lines(ctx: Context, subscription: Object, item: Object, period: Period) -> list[Object]:
    """What an item costs for a whole period: one line, or one for each tier."""
    price = ctx.get("price", item["price"]["id"])
    product = ctx.get("product", price["product"])
    own = [discount["id"] for discount in active(ctx, item)]
    return [
        _line(
            ctx,
            amount=charge.amount,
            description=words.recurring(charge, price, product),
            period=period,
            quantity=charge.quantity,
            price=price,
            unit=f"{charge.unit_amount:f}",
            parent=_subscription_parent(subscription, item),
        )
        | {"discounts": own}
        for charge in charges(price, item["quantity"])
    ]


def trial_line(ctx: Context, subscription: Object, item: Object, period: Period) -> Object:
    """The line of a trial, which costs nothing."""
    price = ctx.get("price", item["price"]["id"])
    counted = words.counted(item["quantity"], ctx.get("product", price["product"]))
    return _line(
        ctx,
        amount=0,
        description=f"Free trial for {counted}",
        period=period,
        quantity=item["quantity"],
        price=price,
        unit="0",
        parent=_subscription_parent(subscription, item),
    )


def line_of_item(ctx: Context, item: Object) -> Object:
    """The line of an invoice item; a proration keeps the subscription item as its parent."""
    details = item["parent"] and item["parent"]["subscription_details"]
    shared: Object = {"proration": item["proration"], "proration_details": {"credited_items": item["_credited"]}}
    if item["proration"] and details:
        parent: Object = {
            "invoice_item_details": None,
            "subscription_item_details": {"invoice_item": item["id"], **shared, **details},
            "type": "subscription_item_details",
        }
    else:
        subscription = details and details["subscription"]
        parent = {
            "invoice_item_details": {"invoice_item": item["id"], **shared, "subscription": subscription},
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    line = _line(
        ctx,
        amount=item["amount"],
        description=item["description"],
        period=Period(item["period"]["start"], item["period"]["end"]),
        quantity=item["quantity"],
        price=None,
        unit=None,
        parent=parent,
    )
    line |= {
        "currency": item["currency"],
        "discountable": item["discountable"],
        "discounts": item["discounts"],
        "metadata": item["metadata"],
        "pricing": item["pricing"],
    }
    return line


def credited_lines(ctx: Context, subscription: Object, item: Object) -> Object | None:
    """Which lines a credit takes back: the item's latest that were really charged, or None."""
    for invoice in ctx.tx.newest(ctx.account, "invoice"):
        if invoice["_subscription"] != subscription["id"] or invoice["status"] in {"draft", "void"}:
            continue
        found = [line["id"] for line in invoice["_lines"] if _charges_item(line, item["id"])]
        if found:
            return {"invoice": invoice["id"], "invoice_line_items": found}
    return None


def put_lines(invoice: Object, lines: list[Object]) -> None:
    """Give the invoice its lines: all for the sandbox, the first ten in the answer."""
    if len(lines) > MAX_LINES:
        raise invalid(f"An invoice may have at most {MAX_LINES} lines.")
    for line in lines:
        line["invoice"] = invoice["id"]
    invoice["_lines"] = lines
    invoice["lines"] = {
        "object": "list",
        "data": lines[:EMBEDDED],
        "has_more": len(lines) > EMBEDDED,
        "total_count": len(lines),
        "url": f"/v1/invoices/{invoice['id']}/lines",
    }


def _charges_item(line: Object, item: str) -> bool:
    details = line["parent"]["subscription_item_details"]
    return details is not None and details["subscription_item"] == item and line["amount"] > 0


def _subscription_parent(subscription: Object, item: Object) -> Object:
    return {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": subscription["id"],
            "subscription_item": item["id"],
        },
        "type": "subscription_item_details",
    }


def _line(
    ctx: Context,
    *,
    amount: int,
    description: str | None,
    period: Period,
    quantity: int,
    price: Object | None,
    unit: str | None,
    parent: Object,
) -> Object:
    details = parent["subscription_item_details"] or parent["invoice_item_details"]
    pricing = price and {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": unit,
    }
    return {
        "id": ctx.new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price and price["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": parent,
        "period": {"end": period.end, "start": period.start},
        "pretax_credit_amounts": [],
        "pricing": pricing,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": details["subscription"],
        "subtotal": amount,
        "taxes": [],
    }
