"""The Checkout page: what is bought, a card form, and the 3-D Secure page in between."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.checkout.complete import (
    add_card,
    ask_for_authentication,
    complete,
    complete_pending,
    forget_pending,
    needs_payment_method,
    wants_authentication,
)
from sandbox.checkout.session import KIND
from sandbox.context import Context
from sandbox.errors import StripeError
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.render import not_found, redirect, render
from sandbox.resources.checkout_sessions import current, shown_lines
from sandbox.store import Object


def routes(desk: Desk) -> list[Route]:
    page = CheckoutPage(desk)
    return [
        Route("/c/pay/{session}", page.show, methods=["GET"]),
        Route("/c/pay/{session}", page.pay, methods=["POST"]),
        Route("/c/pay/{session}/authenticate", page.ask, methods=["GET"]),
        Route("/c/pay/{session}/authenticate", page.answer, methods=["POST"]),
    ]


class CheckoutPage:
    """One session's page, from opening it to the way back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: Request) -> Response:
        session = self._session(request)
        return not_found() if session is None else self._form(session)

    async def pay(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return not_found()
        if session["status"] != "open":
            return self._form(session)
        given = await forms.fields(request)
        account = self._account(session["id"])
        try:
            done = self._desk.act(account, lambda ctx: self._try(ctx, session["id"], given))
        except StripeError as refused:
            if refused.status >= 500:
                raise
            now = self._session(request) or session
            return self._form(now, given, refused)
        if done is None:
            return redirect(f"/c/pay/{session['id']}/authenticate", _way_back(session))
        return _left(done)

    async def ask(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return not_found()
        if session["_pending"] is None:
            return redirect(f"/c/pay/{session['id']}")
        return render(
            "authenticate.html",
            leads_to=_way_back(session),
            business=self._desk.business_name(self._account(session["id"])),
            amount=session["amount_total"],
            currency=session["currency"],
        )

    async def answer(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return not_found()
        account, session_id = self._account(session["id"]), session["id"]
        if (await forms.fields(request)).get("outcome") != "complete":
            self._desk.act(account, lambda ctx: forget_pending(ctx, session_id))
            refused = StripeError(
                402,
                "card_error",
                "We are unable to authenticate your payment method. Please choose a different payment method "
                "and try again.",
            )
            return self._form(session, None, refused)
        try:
            done = self._desk.act(account, lambda ctx: complete_pending(ctx, session_id))
        except StripeError as error:
            if error.status >= 500:
                raise
            self._desk.act(account, lambda ctx: forget_pending(ctx, session_id))
            return self._form(session, None, error)
        return _left(done)

    def _try(self, ctx: Context, session_id: str, given: dict[str, str]) -> Object | None:
        """The completed session, or None where the bank first wants to ask the customer."""
        session = ctx.get(KIND, session_id)
        buyer = forms.buyer(given, _known_email(session))
        if not needs_payment_method(session):
            return complete(ctx, session_id, buyer, None)
        method = add_card(ctx, buyer, forms.card(given))
        if wants_authentication(method):
            ask_for_authentication(ctx, session_id, buyer, method)
            return None
        return complete(ctx, session_id, buyer, method)

    def _form(
        self, session: Object, given: dict[str, str] | None = None, refused: StripeError | None = None
    ) -> Response:
        account = self._account(session["id"])
        business = session["branding_settings"]["display_name"] or self._desk.business_name(account)
        if session["status"] != "open":
            text = (
                "You have already completed this purchase."
                if session["status"] == "complete"
                else "This link has expired. Please go back and start again."
            )
            return render("message.html", title=business, text=text)
        lines = self._desk.act(account, lambda ctx: [_described(ctx, line) for line in shown_lines(ctx, session)])
        error = None
        if refused is not None:
            error = {"text": str(refused), "field": forms.field_of(refused.error.get("param"))}
        return render(
            "checkout.html",
            status=402 if refused is not None and refused.status == 402 else 200 if error is None else 400,
            leads_to=_way_back(session),
            business=business,
            session=session,
            lines=lines,
            known_email=_known_email(session),
            asks_card=needs_payment_method(session),
            given=given or {},
            error=error,
            pay_label=_pay_label(session),
        )

    def _account(self, session_id: str) -> str:
        account = self._desk.account_of(KIND, session_id)
        assert account is not None  # `_session` has found it there
        return account

    def _session(self, request: Request) -> Object | None:
        session_id = request.path_params["session"]
        account = self._desk.account_of(KIND, session_id)
        if account is None:
            return None
        return self._desk.act(account, lambda ctx: current(ctx, session_id))


def _described(ctx: Context, line: Object) -> Object:
    recurring = line["price"]["recurring"]
    every = ""
    if recurring is not None:
        count, interval = recurring["interval_count"], recurring["interval"]
        every = f"per {interval}" if count == 1 else f"every {count} {interval}s"
    return line | {"every": every, "unit_amount": line["price"]["unit_amount"]}


def _known_email(session: Object) -> str | None:
    details = session["customer_details"]
    return None if details is None else details["email"]


def _pay_label(session: Object) -> str:
    if session["mode"] == "setup":
        return "Save card"
    if session["mode"] == "subscription":
        return "Start trial" if session["amount_total"] == 0 else "Subscribe"
    return {"book": "Book", "donate": "Donate"}.get(session["submit_type"] or "", "Pay")


def _way_back(session: Object) -> str | None:
    """Where the buyer goes afterwards; None where an embedded page stays as it is."""
    back = session["success_url"] or session.get("return_url")
    return None if back is None else str(back)


def _left(session: Object) -> Response:
    back = _way_back(session)
    if back is None:
        return render("message.html", title="Thank you", text="You have completed this purchase.")
    return redirect(back.replace("{CHECKOUT_SESSION_ID}", session["id"]), back)
