"""Credit notes: on an open invoice they lower what is due, on a paid one they give back what was paid."""

from dataclasses import dataclass
from typing import Any

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page, window
from sandbox.invoicing import collection
from sandbox.invoicing.taxes import added
from sandbox.operations import operation
from sandbox.resources import customer_balances, refunds
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

PATH = "/v1/credit_notes"
TAKES = (
    "amount",
    "credit_amount",
    "effective_at",
    "email_type",
    "invoice",
    "lines",
    "memo",
    "metadata",
    "out_of_band_amount",
    "reason",
    "refund_amount",
    "refunds",
)
_NOT_YET = ("tax_amounts", "tax_rates", "unit_amount_decimal")


@dataclass(frozen=True, slots=True)
class _Share:
    """What becomes of a note's total: `due` is no longer asked for, the rest is given back."""

    due: int
    refund: int = 0
    credit: int = 0
    elsewhere: int = 0
    linked: int = 0  # by refunds that were made before the note

    @property
    def given_back(self) -> int:
        return self.refund + self.credit + self.elsewhere + self.linked


@operation("POST", PATH, takes=TAKES)
def create(ctx: Context) -> Object:
    invoice = ctx.edit("invoice", ctx.params["invoice"])
    note = _note(ctx, invoice)
    share = _share(ctx, invoice, note["total"])
    ctx.insert(note)
    if share.due:
        _lower(ctx, invoice, share.due)
    note["refunds"] = [
        {"amount_refunded": amount, "payment_record_refund": None, "refund": refund, "type": "refund"}
        for refund, amount in _made_already(ctx).items()
    ]
    if share.refund:
        refund = _refund(ctx, invoice, share.refund)
        note["refunds"].append(
            {"amount_refunded": share.refund, "payment_record_refund": None, "refund": refund["id"], "type": "refund"}
        )
    if share.credit:
        note["customer_balance_transaction"] = _credit(ctx, invoice, note, share.credit)
    note |= {
        "out_of_band_amount": share.elsewhere or None,
        "post_payment_amount": share.given_back,
        "pre_payment_amount": share.due,
        "type": "pre_payment" if share.due else "post_payment",
    }
    invoice["post_payment_credit_notes_amount"] += share.given_back
    invoice["pre_payment_credit_notes_amount"] += share.due
    ctx.emit("credit_note.created", note)
    if share.due and not invoice["amount_remaining"]:
        collection.forgive(ctx, invoice)
    else:
        ctx.updated("invoice.updated", invoice)
    return note


@operation("GET", PATH)
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("customer", "invoice") if name in ctx.params}
    return page(ctx, "credit_note", PATH, lambda one: all(one[name] == wanted[name] for name in wanted))


@operation("GET", PATH + "/{id}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("credit_note", ctx.path["id"])


@operation("POST", PATH + "/{id}", takes=("memo", "metadata"))
def update(ctx: Context) -> Object:
    note = ctx.edit("credit_note", ctx.path["id"])
    if "memo" in ctx.params:
        note["memo"] = ctx.params["memo"]
    merge_metadata(note, ctx)
    ctx.updated("credit_note.updated", note)
    return note


@operation("POST", PATH + "/{id}/void")
def void(ctx: Context) -> Object:
    """What was given back stays so: only a note that lowered an invoice that is still open is taken back."""
    note = ctx.edit("credit_note", ctx.path["id"])
    invoice = ctx.edit("invoice", note["invoice"])
    if note["status"] == "void" or note["type"] != "pre_payment" or invoice["status"] != "open":
        raise invalid("Only a credit note of an open invoice can be voided, and only once.")
    note |= {"status": "void", "voided_at": ctx.now}
    _lower(ctx, invoice, -note["pre_payment_amount"])
    invoice["pre_payment_credit_notes_amount"] -= note["pre_payment_amount"]
    ctx.emit("credit_note.voided", note)
    ctx.updated("invoice.updated", invoice)
    return note


@operation("GET", PATH + "/{credit_note}/lines")
def lines(ctx: Context) -> Object:
    note = ctx.get("credit_note", ctx.path["credit_note"])
    return window(ctx, note["lines"]["data"], "credit_note_line_item", note["lines"]["url"])


@operation("GET", PATH + "/preview", takes=TAKES)
def preview(ctx: Context) -> Object:
    """The note as it would be; nothing is kept."""
    invoice = ctx.get("invoice", ctx.params["invoice"])
    note = _note(ctx, invoice)
    share = _share(ctx, invoice, note["total"])
    kind = "pre_payment" if share.due else "post_payment"
    return note | {"post_payment_amount": share.given_back, "pre_payment_amount": share.due, "type": kind}


@operation("GET", PATH + "/preview/lines", takes=(*TAKES, "ending_before", "limit", "starting_after"))
def preview_lines(ctx: Context) -> Object:
    note = _note(ctx, ctx.get("invoice", ctx.params["invoice"]))
    return window(ctx, note["lines"]["data"], "credit_note_line_item", f"{PATH}/preview/lines")


def _note(ctx: Context, invoice: Object) -> Object:
    given = ctx.params
    if invoice["status"] not in {"open", "paid", "uncollectible"}:
        raise invalid(f"A credit note can't be made for an invoice that is {invoice['status']}.", param="invoice")
    if ("amount" in given) is ("lines" in given):
        raise invalid("Pass exactly one of `amount` and `lines`.", param="amount")
    note_id = ctx.new_id("cn")
    wanted = given.get("lines") or [
        {"type": "custom_line_item", "description": "Credit", "quantity": 1, "unit_amount": given.get("amount", 0)}
    ]
    made = [_line(ctx, invoice, one, f"lines[{place}]") for place, one in enumerate(wanted)]
    subtotal, discount = (sum(one[name] for one in made) for name in ("amount", "discount_amount"))
    taxes = [tax for one in made for tax in one["taxes"]]
    total = subtotal - discount + added(taxes)
    if total < 1:
        raise invalid("A credit note's total must be above zero.", param="amount")
    before = sum(1 for one in ctx.tx.newest(ctx.account, "credit_note") if one["invoice"] == invoice["id"])
    reductions = [each for one in made for each in one["discount_amounts"]]
    return {
        "id": note_id,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": ctx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": discount,
        "discount_amounts": reductions,
        "effective_at": given.get("effective_at", ctx.now),
        "invoice": invoice["id"],
        "lines": {"object": "list", "data": made, "has_more": False, "url": f"{PATH}/{note_id}/lines"},
        "livemode": False,
        "memo": given.get("memo"),
        "metadata": dict(given.get("metadata") or {}),
        "number": f"{invoice['number']}-CN-{before + 1:02d}",
        "out_of_band_amount": None,
        "pdf": f"{ctx.config.public_url}/credit_notes/{ctx.account}/{note_id}/pdf",
        "post_payment_amount": 0,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [{**each, "type": "discount"} for each in reductions],
        "reason": given.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": total - sum(tax["amount"] for tax in taxes),
        "total_taxes": taxes,
        "type": "pre_payment",
        "voided_at": None,
    }


def _line(ctx: Context, invoice: Object, given: Object, param: str) -> Object:
    for name in _NOT_YET:
        if name in given:
            raise invalid(f"The sandbox has no {param}[{name}] yet.", param=f"{param}[{name}]", status=501)
    made: Object = {
        "id": ctx.new_id("cnli"),
        "object": "credit_note_line_item",
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": dict(given.get("metadata") or {}),
        "pretax_credit_amounts": [],
        "tax_rates": [],
        "taxes": [],
        "type": given["type"],
    }
    if given["type"] == "custom_line_item":
        quantity, unit = given.get("quantity", 1), given.get("unit_amount")
        if unit is None:
            raise invalid("A custom line needs a unit_amount.", param=f"{param}[unit_amount]")
        return made | {
            "amount": quantity * unit,
            "description": given.get("description"),
            "quantity": quantity,
            "unit_amount": unit,
            "unit_amount_decimal": str(unit),
        }
    return made | _of_invoice(invoice, given, param)


def _of_invoice(invoice: Object, given: Object, param: str) -> Object:
    """A part of an invoice's line, with the same part of its discounts."""
    found = next((one for one in invoice["_lines"] if one["id"] == given.get("invoice_line_item")), None)
    if found is None:
        raise invalid("The invoice has no such line.", param=f"{param}[invoice_line_item]", code="resource_missing")
    if ("amount" in given) is ("quantity" in given):
        raise invalid("Pass exactly one of `amount` and `quantity` for a line.", param=f"{param}[amount]")
    whole = found["quantity"] or 1
    amount = given["amount"] if "amount" in given else _part(found["amount"], given["quantity"], whole)
    if not 0 < amount <= found["amount"]:
        raise invalid("A line's credit is from 1 to what the line costs.", param=f"{param}[amount]")
    reductions = [
        each | {"amount": _part(each["amount"], amount, found["amount"])} for each in found["discount_amounts"] or []
    ]
    return {
        "amount": amount,
        "description": given.get("description", found["description"]),
        "discount_amount": sum(each["amount"] for each in reductions),
        "discount_amounts": reductions,
        "invoice_line_item": found["id"],
        "quantity": given.get("quantity", found["quantity"]),
        "taxes": [
            each | {name: _part(each[name], amount, found["amount"]) for name in ("amount", "taxable_amount")}
            for each in found["taxes"]
        ],
        "unit_amount": None,
        "unit_amount_decimal": None,
    }


def _part(amount: int, part: int, whole: int) -> int:
    """amount * part / whole, rounded to nearest, half up."""
    return (2 * amount * part + whole) // (2 * whole)


def _share(ctx: Context, invoice: Object, total: int) -> _Share:
    given = {name: ctx.params.get(f"{name}_amount", 0) for name in ("refund", "credit", "out_of_band")}
    if any(amount < 0 for amount in given.values()):
        raise invalid("Amounts can't be negative.", param="refund_amount")
    linked = sum(_made_already(ctx).values())
    back = sum(given.values()) + linked
    if invoice["status"] != "paid":
        if back or total > invoice["amount_remaining"]:
            raise invalid(
                f"The credit ({total}) is more than what remains to be paid ({invoice['amount_remaining']}).",
                param="amount",
            )
        return _Share(due=total)
    paid = invoice["amount_paid"] + (invoice["amount_paid_off_stripe"] or 0)
    left = paid - invoice["post_payment_credit_notes_amount"]
    if back != total:
        raise invalid(
            "The sum of credit_amount, refund_amount, out_of_band_amount and the refunds "
            f"({back}) must equal the credit note amount ({total}).",
            param="refund_amount",
        )
    if total > left:
        raise invalid(f"The credit ({total}) is more than what was paid and not yet given back ({left}).")
    return _Share(0, given["refund"], given["credit"], given["out_of_band"], linked)


def _made_already(ctx: Context) -> dict[str, int]:
    """`refunds`: what was given back before the note was made, by the refund's id."""
    found: dict[str, int] = {}
    for place, each in enumerate(ctx.params.get("refunds") or []):
        if "payment_record_refund" in each:
            raise not_implemented("POST", f"{PATH} with refunds[payment_record_refund]")
        refund = ctx.get("refund", each.get("refund") or "", param=f"refunds[{place}][refund]")
        amount = each.get("amount_refunded", refund["amount"])
        if not 1 <= amount <= refund["amount"]:
            message = f"The amount must be from 1 to the refund's ({refund['amount']})."
            raise invalid(message, param=f"refunds[{place}][amount_refunded]")
        found[refund["id"]] = amount
    return found


def _lower(ctx: Context, invoice: Object, amount: int) -> None:
    """Ask for less (or again for more), also of the payment that is open."""
    for name in ("amount_due", "amount_remaining"):
        invoice[name] -= amount
    if invoice.get("_payment") and invoice["amount_remaining"]:
        ctx.edit("invoice_payment", invoice["_payment"])["amount_requested"] = invoice["amount_remaining"]
        ctx.edit("payment_intent", invoice["_payment_intent"])["amount"] = invoice["amount_remaining"]


def _refund(ctx: Context, invoice: Object, amount: int) -> Object:
    intent: Any = collection.payment_intent_of(ctx, invoice)
    if intent is None or intent["latest_charge"] is None:
        raise invalid("The invoice was not paid by a charge that could be refunded.", param="refund_amount")
    return refunds.create_refund(ctx, intent["latest_charge"], amount=amount)


def _credit(ctx: Context, invoice: Object, note: Object, amount: int) -> str:
    customer = ctx.edit("customer", invoice["customer"])
    customer["balance"] -= amount
    made = customer_balances.record(ctx, customer, -amount, "credit_note", currency=invoice["currency"], invoice=None)
    made |= {"credit_note": note["id"], "invoice": invoice["id"]}
    ctx.updated("customer.updated", customer)
    return str(made["id"])
