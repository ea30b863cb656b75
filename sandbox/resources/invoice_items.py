"""Invoice items over the API."""

from dataclasses import replace
from decimal import Decimal

from sandbox.billing.periods import Period
from sandbox.billing.pricing import rounded, total
from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page, within
from sandbox.invoicing.invoice import add_up
from sandbox.invoicing.items import new_item
from sandbox.invoicing.lines import line_of_item, put_lines
from sandbox.invoicing.taxes import rates_of
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.resources import discounts
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object

# The index of the prices behind plain amounts.
BEHIND = "_price_behind"
WORTH = ("amount", "price_data", "pricing", "unit_amount_decimal")
TAKES = (
    *WORTH,
    "description",
    "discountable",
    "discounts",
    "metadata",
    "period",
    "quantity",
    "tax_behavior",
    "tax_code",
    "tax_rates",
)
NEW = (*TAKES, "currency", "customer", "invoice", "subscription")


@operation("POST", "/v1/invoiceitems", takes=NEW)
def create(ctx: Context) -> Object:
    given = ctx.params
    if "customer" not in given:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", given["customer"], param="customer")
    ctx = on_clock(ctx, customer)
    quantity = given.get("quantity", 1)
    amount, currency, pricing, words = _worth(ctx, quantity)
    period = given.get("period")
    if "subscription" in given:
        ctx.get("subscription", given["subscription"], param="subscription")
    item = new_item(
        ctx,
        customer=customer,
        amount=amount,
        currency=currency,
        description=given.get("description", words),
        period=period and Period(period["start"], period["end"]),
        quantity=quantity,
        pricing=pricing,
        subscription=given.get("subscription"),
        discountable=given.get("discountable", True),
    )
    _more(ctx, item)
    if "invoice" in given:
        put_on_draft(ctx, item, given["invoice"])
    ctx.emit("invoiceitem.created", item)
    return item


@operation("GET", "/v1/invoiceitems/{invoiceitem}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("invoiceitem", ctx.path["invoiceitem"])


@operation("POST", "/v1/invoiceitems/{invoiceitem}", takes=TAKES)
def update(ctx: Context) -> Object:
    item = ctx.edit("invoiceitem", ctx.path["invoiceitem"])
    given = ctx.params
    if item["invoice"] is not None and ctx.get("invoice", item["invoice"])["status"] != "draft":
        raise invalid("You can't change an invoice item that is attached to a finalized invoice.")
    _revalue(ctx, item)
    if "amount" in given and item["pricing"]:
        item["pricing"]["unit_amount_decimal"] = str(given["amount"])
    assign(item, ctx, ("amount", "description", "discountable", "period"))
    item["net_amount"] = item["amount"]
    _more(ctx, item)
    if item["invoice"] is not None:
        refresh_line(ctx, item)
    return item


@operation("DELETE", "/v1/invoiceitems/{invoiceitem}")
def delete(ctx: Context) -> Object:
    item = ctx.get("invoiceitem", ctx.path["invoiceitem"])
    if item["invoice"] is not None:
        take_off_draft(ctx, item)
    ctx.emit("invoiceitem.deleted", item)
    ctx.delete(item)
    return {"id": item["id"], "object": "invoiceitem", "deleted": True}


@operation("GET", "/v1/invoiceitems")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    if "customer_account" in given:
        raise not_implemented("GET", "/v1/invoiceitems with customer_account")

    def keep(item: Object) -> bool:
        same = all(item[name] == given[name] for name in ("customer", "invoice") if name in given)
        return same and ("pending" not in given or given["pending"] is (item["invoice"] is None))

    # Invoice items call their second `date`.
    wanted = given.pop("created", None)
    return page(ctx, "invoiceitem", "/v1/invoiceitems", lambda item: keep(item) and within(item["date"], wanted))


def _more(ctx: Context, item: Object) -> None:
    """What has no effect on the amount itself. Without automatic tax, the tax's kind is only noted."""
    given = ctx.params
    if "tax_rates" in given:
        item["tax_rates"] = rates_of(ctx, given["tax_rates"], "tax_rates")
    for name in ("tax_behavior", "tax_code"):
        if name in given:
            item[f"_{name}"] = given[name]
    if "discounts" in given:
        if not item["discountable"] and given["discounts"]:
            raise invalid("You cannot set discounts on an item that is not discountable.", param="discounts")
        made = discounts.make(ctx, given["discounts"], customer=item["customer"], invoice_item=item["id"])
        item["discounts"] = [one["id"] for one in made]
    merge_metadata(item, ctx)


def _revalue(ctx: Context, item: Object) -> None:
    """A new price, unit amount or quantity of an item that waits or is on a draft."""
    given = ctx.params
    if not given.keys() & {"price_data", "pricing", "quantity", "unit_amount_decimal"}:
        return
    if item["proration"]:
        raise invalid("You cannot change the price or the quantity of a proration.", param="quantity")
    if "amount" in given:
        raise invalid("You may not specify `quantity` or a price with `amount`.", param="amount")
    quantity: int = given["quantity"] if "quantity" in given else item["quantity"]
    if given.keys() & set(WORTH):
        held = replace(ctx, params={"currency": item["currency"], **given})
        amount, currency, pricing, _ = _worth(held, quantity)
        if currency != item["currency"]:
            raise invalid("The currency of an invoice item cannot change.", param="pricing")
        item |= {"amount": amount, "pricing": pricing}
    else:
        price = ctx.tx.get(ctx.account, "price", (item["pricing"]["price_details"] or {}).get("price", ""))
        unit = Decimal(item["pricing"]["unit_amount_decimal"] or item["amount"])
        item["amount"] = rounded(unit * quantity) if price is None else total(price, quantity)
    item |= {"quantity": quantity, "quantity_decimal": str(quantity)}


def _worth(ctx: Context, quantity: int) -> tuple[int, str, Object | None, str | None]:
    given = ctx.params
    ways = [name for name in WORTH if name in given]
    if len(ways) != 1:
        listed = "`amount`, `price_data`, `pricing` or `unit_amount_decimal`"
        raise invalid(f"You must specify exactly one of {listed}.", param="amount")
    if ways[0] in {"pricing", "price_data"}:
        price = _price(ctx)
        if "currency" in given and given["currency"].lower() != price["currency"]:
            raise invalid(f"The price specified only supports `{price['currency']}`.", param="currency")
        pricing = {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        }
        name = ctx.get("product", price["product"])["name"]
        return total(price, quantity), price["currency"], pricing, name
    if "currency" not in given:
        raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
    if ways == ["amount"]:
        if "quantity" in given:
            raise invalid("You may not specify `quantity` with `amount`.", param="quantity")
        amount, unit = given["amount"], str(given["amount"])
    else:
        unit = given["unit_amount_decimal"]
        amount = rounded(Decimal(unit) * quantity)
    currency = given["currency"].lower()
    pricing = {
        "price_details": _price_behind(ctx, currency, unit),
        "type": "price_details",
        "unit_amount_decimal": unit,
    }
    return amount, currency, pricing, None


def _price(ctx: Context) -> Object:
    """The price of `pricing`, or the one that `price_data` makes for this item alone."""
    given = ctx.params
    if "price_data" in given:
        ctx.get("product", given["price_data"]["product"], param="price_data[product]")
        return call(ctx, "POST", "/v1/prices", **given["price_data"], active=False)
    price = ctx.get("price", given["pricing"].get("price") or "", param="pricing[price]")
    if price["type"] != "one_time":
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
            param="pricing[price]",
        )
    return price


def _price_behind(ctx: Context, currency: str, unit: str) -> Object | None:
    """Stripe keeps a price for each plain amount, of one product that is not for sale; a credit has none."""
    if Decimal(unit) < 0:
        return None
    mark = f"behind_{currency}_{unit}"
    known = ctx.tx.get(ctx.account, BEHIND, mark)
    if known is None:
        product = ctx.tx.get(ctx.account, BEHIND, BEHIND)
        source: Object = {"product": product["product"]} if product else {"product_data": {"name": "Invoice items"}}
        made = call(ctx, "POST", "/v1/prices", currency=currency, unit_amount_decimal=unit, active=False, **source)
        if product is None:
            ctx.edit("product", made["product"])["active"] = False
            ctx.insert({"id": BEHIND, "object": BEHIND, "product": made["product"]})
        known = ctx.insert({"id": mark, "object": BEHIND, "price": made["id"], "product": made["product"]})
    return {"price": known["price"], "product": known["product"]}


def refresh_line(ctx: Context, item: Object) -> None:
    """Make the item's line on its draft anew, in its place and with its id."""
    invoice = ctx.edit("invoice", item["invoice"])
    lines = [
        line_of_item(ctx, item) | {"id": line["id"]} if _comes_from(line, item["id"]) else line
        for line in invoice["_lines"]
    ]
    put_lines(invoice, lines)
    add_up(ctx, invoice)


def put_on_draft(ctx: Context, item: Object, invoice_id: str) -> None:
    ctx.get("invoice", invoice_id, param="invoice")
    invoice = ctx.edit("invoice", invoice_id)
    if invoice["status"] != "draft" or invoice["customer"] != item["customer"]:
        raise invalid("You can only add items to a draft invoice of the same customer.", param="invoice")
    if invoice["currency"] != item["currency"]:
        raise invalid("The currency of the item and of the invoice must be the same.", param="currency")
    item["invoice"] = invoice["id"]
    put_lines(invoice, [*invoice["_lines"], line_of_item(ctx, item)])
    add_up(ctx, invoice)
    ctx.updated("invoice.updated", invoice)


def take_off_draft(ctx: Context, item: Object) -> None:
    invoice = ctx.edit("invoice", item["invoice"])
    if invoice["status"] != "draft":
        raise invalid("You can't delete an invoice item that is attached to a finalized invoice.")
    put_lines(invoice, [line for line in invoice["_lines"] if not _comes_from(line, item["id"])])
    add_up(ctx, invoice)
    ctx.updated("invoice.updated", invoice)


def _comes_from(line: Object, item: str) -> bool:
    parent = line["parent"]
    return bool((parent["subscription_item_details"] or parent["invoice_item_details"])["invoice_item"] == item)
