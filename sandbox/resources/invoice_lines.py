"""The lines of a draft invoice over the API: listed, added, changed, taken off."""

from typing import Any

from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid, missing, not_implemented
from sandbox.http.lists import window
from sandbox.invoicing.invoice import add_up
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.resources.invoice_items import put_on_draft, take_off_draft
from sandbox.store import Object

PATH = "/v1/invoices/{invoice}"
# What a line has in common with the invoice item behind it.
ITEM = (
    "amount", "description", "discountable", "discounts", "metadata", "period", "price_data", "pricing", "quantity",
    "tax_rates",
)  # fmt: skip
# What the line of a subscription's period takes: its price and quantity are the subscription's.
PLAIN = ("amount", "description", "discountable", "metadata", "period")


@operation("GET", PATH + "/lines")
def list_lines(ctx: Context) -> Object:
    invoice = ctx.get("invoice", ctx.path["invoice"])
    return window(ctx, invoice["_lines"], "line_item", f"/v1/invoices/{invoice['id']}/lines")


@operation("POST", PATH + "/add_lines", takes=("lines", "invoice_metadata"))
def add(ctx: Context) -> Object:
    ctx, invoice = _draft(ctx)
    for place, given in enumerate(ctx.params["lines"]):
        _add(ctx, invoice, given, f"lines[{place}]")
    return _done(ctx, invoice)


@operation("POST", PATH + "/update_lines", takes=("lines", "invoice_metadata"))
def update_many(ctx: Context) -> Object:
    ctx, invoice = _draft(ctx)
    for given in ctx.params["lines"]:
        _change(ctx, invoice, given["id"], {name: value for name, value in given.items() if name != "id"})
    return _done(ctx, invoice)


@operation("POST", PATH + "/remove_lines", takes=("lines", "invoice_metadata"))
def remove(ctx: Context) -> Object:
    """`delete` takes the invoice item away with its line, `unassign` lets it wait for another invoice."""
    ctx, invoice = _draft(ctx)
    for given in ctx.params["lines"]:
        item = _item_of(ctx, _line(invoice, given["id"]))
        if item is None:
            raise invalid("A line of a subscription's period can't be removed.", param="lines")
        if given["behavior"] == "delete":
            call(ctx, "DELETE", f"/v1/invoiceitems/{item['id']}")
        else:
            take_off_draft(ctx, item)
            ctx.edit("invoiceitem", item["id"])["invoice"] = None
    return _done(ctx, invoice)


@operation("POST", PATH + "/lines/{line_item_id}")
def update_one(ctx: Context) -> Object:
    ctx, invoice = _draft(ctx)
    changed = _change(ctx, invoice, ctx.path["line_item_id"], ctx.params)
    ctx.updated("invoice.updated", invoice)
    return changed


def _draft(ctx: Context) -> tuple[Context, Object]:
    invoice = ctx.edit("invoice", ctx.path["invoice"])
    if invoice["status"] != "draft":
        raise invalid("Finalized invoices can't be updated in this way", code="invoice_not_editable")
    return on_clock(ctx, invoice), invoice


def _done(ctx: Context, invoice: Object) -> Object:
    if "invoice_metadata" in ctx.params:
        given = ctx.params["invoice_metadata"]
        merged = {} if given is None else invoice["metadata"] | given
        invoice["metadata"] = {name: text for name, text in merged.items() if text != ""}
    ctx.updated("invoice.updated", invoice)
    return invoice


def _add(ctx: Context, invoice: Object, given: Object, param: str) -> None:
    if "invoice_item" in given:
        item = ctx.get("invoiceitem", given["invoice_item"], param=f"{param}[invoice_item]")
        if item["invoice"] is not None:
            raise invalid("This invoice item is on an invoice already.", param=f"{param}[invoice_item]")
        put_on_draft(ctx, ctx.edit("invoiceitem", item["id"]), invoice["id"])
        return
    _check(given, ITEM, param)
    currency = {} if given.keys() & {"price_data", "pricing"} else {"currency": invoice["currency"]}
    call(ctx, "POST", "/v1/invoiceitems", customer=invoice["customer"], invoice=invoice["id"], **currency, **given)


def _change(ctx: Context, invoice: Object, line_id: str, given: dict[str, Any]) -> Object:
    line = _line(invoice, line_id)
    item = _item_of(ctx, line)
    given = {name: value for name, value in given.items() if name != "expand"}
    _check(given, PLAIN if item is None else ITEM, "lines")
    if item is None:
        line |= {name: value for name, value in given.items() if name != "metadata"}
        line["metadata"] = _metadata(line, given)
        line["subtotal"] = line["amount"]
    else:
        call(ctx, "POST", f"/v1/invoiceitems/{item['id']}", **given)
    add_up(ctx, invoice)
    return _line(invoice, line_id)


def _check(given: Object, known: tuple[str, ...], param: str) -> None:
    for name in sorted(given.keys() - set(known)):
        raise not_implemented("POST", f"the lines of an invoice with {param}[{name}]")


def _metadata(line: Object, given: Object) -> Object:
    if "metadata" not in given:
        return dict(line["metadata"])
    merged = {} if given["metadata"] is None else line["metadata"] | given["metadata"]
    return {name: text for name, text in merged.items() if text != ""}


def _line(invoice: Object, line_id: str) -> Object:
    for line in invoice["_lines"]:
        if line["id"] == line_id:
            found: Object = line
            return found
    raise missing("line_item", line_id, param="id")


def _item_of(ctx: Context, line: Object) -> Object | None:
    details = line["parent"]["subscription_item_details"] or line["parent"]["invoice_item_details"]
    return ctx.tx.get(ctx.account, "invoiceitem", details["invoice_item"] or "")
