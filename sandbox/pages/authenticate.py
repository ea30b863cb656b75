"""The 3-D Secure page of an intent that an API client confirmed: `next_action` leads here."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.context import Context
from sandbox.errors import StripeError
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.render import not_found, redirect, render
from sandbox.paying import intents as payment_intents
from sandbox.resources import setup_intents
from sandbox.store import Object


@dataclass(frozen=True, slots=True)
class Kind:
    """What a payment intent and a setup intent do alike."""

    name: str
    authenticate: Any  # (Context, Object, *, success) -> Object


KINDS = {
    "pi": Kind("payment_intent", payment_intents.authenticate),
    "seti": Kind("setup_intent", setup_intents.authenticate),
}


def routes(desk: Desk) -> list[Route]:
    page = AuthenticationPage(desk)
    return [
        Route("/authenticate/{account}/{intent}", page.show, methods=["GET"]),
        Route("/authenticate/{account}/{intent}", page.answer, methods=["POST"]),
    ]


class AuthenticationPage:
    """Asks once; afterwards the page says that nothing is waiting."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: Request) -> Response:
        intent = self._waiting(request)
        if intent is None:
            return not_found()
        return render(
            "authenticate.html",
            leads_to=_return_url(intent),
            framed="framed" in request.query_params,
            business=self._desk.business_name(request.path_params["account"]),
            amount=intent.get("amount"),
            currency=intent.get("currency"),
        )

    async def answer(self, request: Request) -> Response:
        intent = self._waiting(request)
        if intent is None:
            return not_found()
        success = (await forms.fields(request)).get("outcome") == "complete"
        kind = KINDS[intent["id"].partition("_")[0]]

        def settle(ctx: Context) -> Object:
            done: Object = kind.authenticate(ctx, ctx.get(kind.name, intent["id"]), success=success)
            return done

        try:
            self._desk.act(request.path_params["account"], settle)
        except StripeError as refused:
            return render("message.html", status=refused.status, title="Not possible", text=str(refused))
        back = _return_url(intent)
        framed = "framed" in request.query_params
        if back is None or framed:
            text = "You have confirmed it. You can close this page." if success else "You have refused it."
            return render("message.html", framed=framed, title="Thank you", text=text)
        told = {
            kind.name: intent["id"],
            f"{kind.name}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if success else "failed",
        }
        return redirect(_with_query(back, told), back)

    def _waiting(self, request: Request) -> Object | None:
        account, intent_id = request.path_params["account"], request.path_params["intent"]
        kind = KINDS.get(intent_id.partition("_")[0])
        if kind is None or self._desk.account_of(kind.name, intent_id) != account:
            return None
        intent = self._desk.act(account, lambda ctx: ctx.get(kind.name, intent_id))
        return intent if intent["status"] == "requires_action" else None


def _return_url(intent: Object) -> str | None:
    action = (intent["next_action"] or {}).get("redirect_to_url")
    return None if action is None else action["return_url"]


def _with_query(address: str, more: dict[str, str]) -> str:
    split = urlsplit(address)
    query = "&".join(part for part in (split.query, urlencode(more)) if part)
    return urlunsplit(split._replace(query=query))
