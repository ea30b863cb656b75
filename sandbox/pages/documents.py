"""Invoices and credit notes as PDF files."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.pages.desk import Desk
from sandbox.pages.money import money
from sandbox.pages.pdf import Line, document
from sandbox.pages.render import not_found
from sandbox.store import Object


def routes(desk: Desk) -> list[Route]:
    async def invoice(request: Request) -> Response:
        found = _found(desk, request, "invoice")
        if found is None or found["status"] == "draft":
            return not_found()
        return _file(_invoice(desk.business_name(request.path_params["account"]), found), found["number"])

    async def credit_note(request: Request) -> Response:
        found = _found(desk, request, "credit_note")
        if found is None:
            return not_found()
        return _file(_note(desk.business_name(request.path_params["account"]), found), found["number"])

    return [
        Route("/i/{account}/{object}/pdf", invoice),
        Route("/credit_notes/{account}/{object}/pdf", credit_note),
    ]


def _found(desk: Desk, request: Request, kind: str) -> Object | None:
    account, object_id = request.path_params["account"], request.path_params["object"]
    if not desk.knows(account):
        return None
    return desk.act(account, lambda ctx: ctx.tx.get(account, kind, object_id))


def _invoice(business: str, invoice: Object) -> bytes:
    currency = invoice["currency"]
    lines = [
        Line(business, size=18, bold=True),
        Line(f"Invoice {invoice['number']}", size=14),
        Line(f"Date {_day(invoice['effective_at'] or invoice['created'])}", invoice["status"].capitalize()),
        Line(f"Due {_day(invoice['due_date'])}" if invoice["due_date"] else ""),
        Line(invoice["customer_name"] or invoice["customer_email"] or invoice["customer"], rule=True),
        *(_line(each, currency) for each in invoice["_lines"]),
        Line("Subtotal", money(invoice["subtotal"], currency)),
    ]
    if discount := sum(each["amount"] for each in invoice["total_discount_amounts"]):
        lines.append(Line("Discount", money(-discount, currency)))
    lines += [
        *(Line(f"Tax ({tax['tax_behavior']})", money(tax["amount"], currency)) for tax in invoice["total_taxes"]),
        Line("Total", money(invoice["total"], currency), bold=True),
        Line("Amount due", money(invoice["amount_due"], currency)),
        Line("Amount remaining", money(invoice["amount_remaining"], currency), bold=True),
        Line(invoice["footer"] or ""),
    ]
    return document(f"Invoice {invoice['number']}", lines)


def _note(business: str, note: Object) -> bytes:
    currency = note["currency"]
    lines = [
        Line(business, size=18, bold=True),
        Line(f"Credit note {note['number']}", size=14),
        Line(f"Date {_day(note['created'])}", note["status"].capitalize(), rule=True),
        *(_line(each, currency) for each in note["lines"]["data"]),
        Line("Total credited", money(note["total"], currency), bold=True),
        Line(note["memo"] or ""),
    ]
    return document(f"Credit note {note['number']}", lines)


def _line(each: Object, currency: str) -> Line:
    text = each["description"] or "Item"
    return Line(text if len(text) <= 80 else text[:79] + "…", money(each["amount"], currency), rule=True)


def _day(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%d %B %Y}"


def _file(content: bytes, number: str) -> Response:
    name = "".join(each for each in number if each.isalnum() or each == "-")
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'inline; filename="{name}.pdf"'}
    return Response(content, headers=headers, media_type="application/pdf")
