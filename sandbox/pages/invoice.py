"""The hosted page of an invoice: what it is for, whether it is paid, and a card form where it is not."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.checkout.complete import Buyer, add_card
from sandbox.context import Context
from sandbox.errors import StripeError
from sandbox.invoicing import collection
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.render import not_found, redirect, render
from sandbox.paying import methods as payment_methods
from sandbox.store import Object

PAYABLE = frozenset({"open", "uncollectible"})


def routes(desk: Desk) -> list[Route]:
    page = InvoicePage(desk)
    return [
        Route("/i/{account}/{invoice}", page.show, methods=["GET"]),
        Route("/i/{account}/{invoice}", page.pay, methods=["POST"]),
    ]


class InvoicePage:
    """One finalised invoice; a draft has no page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: Request) -> Response:
        invoice = self._invoice(request)
        return not_found() if invoice is None else self._page(request, invoice)

    async def pay(self, request: Request) -> Response:
        invoice = self._invoice(request)
        if invoice is None:
            return not_found()
        if invoice["status"] not in PAYABLE:
            return self._page(request, invoice)
        account = request.path_params["account"]
        given = await forms.fields(request)
        try:
            intent = self._desk.act(account, lambda ctx: _pay(ctx, invoice["id"], given))
        except StripeError as refused:
            if refused.status >= 500:
                raise
            return self._page(request, self._invoice(request) or invoice, refused)
        if intent["status"] == "requires_action":
            return redirect(f"/authenticate/{account}/{intent['id']}")
        return redirect(request.url.path)

    def _invoice(self, request: Request) -> Object | None:
        account, invoice_id = request.path_params["account"], request.path_params["invoice"]
        if not self._desk.knows(account):
            return None
        found = self._desk.act(account, lambda ctx: ctx.tx.get(account, "invoice", invoice_id))
        return None if found is None or found["status"] == "draft" else found

    def _page(self, request: Request, invoice: Object, refused: StripeError | None = None) -> Response:
        error = None
        if refused is not None:
            error = {"text": str(refused), "field": forms.field_of(refused.error.get("param"))}
        due = invoice["due_date"]
        return render(
            "invoice.html",
            status=200 if refused is None else refused.status,
            business=self._desk.business_name(request.path_params["account"]),
            invoice=invoice,
            lines=invoice["_lines"],
            payable=invoice["status"] in PAYABLE and invoice["amount_remaining"] > 0,
            due=None if due is None else f"{datetime.fromtimestamp(due, UTC):%d %B %Y}",
            error=error,
        )


def _pay(ctx: Context, invoice_id: str, given: dict[str, str]) -> Object:
    """The invoice's payment intent after the attempt; a decline raises 402, and its trace is kept."""
    invoice = ctx.get("invoice", invoice_id)
    customer = ctx.get("customer", invoice["customer"])
    method = add_card(ctx, Buyer(customer["email"], customer["name"]), forms.card(given))
    payment_methods.attach(ctx, method, customer["id"])
    after = collection.pay(ctx, invoice_id, method["id"])
    intent = collection.payment_intent_of(ctx, after)
    assert intent is not None  # an open invoice has one
    if after["status"] != "paid" and intent["status"] != "requires_action":
        raise collection.declined_error(ctx, after)
    return intent
