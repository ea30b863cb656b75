"""The page behind an account link: where a connected account would tell Stripe who it is."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.context import Context
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.render import not_found, redirect, render
from sandbox.resources import accounts
from sandbox.store import Object

KIND = "_account_link"


def routes(desk: Desk) -> list[Route]:
    page = OnboardingPage(desk)
    return [
        Route("/setup/{account}/{token}", page.show, methods=["GET"]),
        Route("/setup/{account}/{token}", page.answer, methods=["POST"]),
    ]


class OnboardingPage:
    """One account's onboarding; a link that is too old leads to its refresh_url, as at Stripe."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: Request) -> Response:
        link, fresh = self._desk.act(self._desk.platform, lambda ctx: _link(ctx, request))
        if link is None:
            return not_found()
        if not fresh:
            return redirect(link["refresh_url"])
        return render(
            "onboarding.html", leads_to=link["return_url"], business=self._desk.business_name(link["account"])
        )

    async def answer(self, request: Request) -> Response:
        link, fresh = self._desk.act(self._desk.platform, lambda ctx: _link(ctx, request))
        if link is None:
            return not_found()
        if not fresh:
            return redirect(link["refresh_url"])
        if (await forms.fields(request)).get("outcome") == "complete":
            self._desk.act(self._desk.platform, lambda ctx: _complete(ctx, link))
        return redirect(link["return_url"], link["return_url"])


def _link(ctx: Context, request: Request) -> tuple[Object | None, bool]:
    """The link of the address, and whether it may still be used."""
    link = ctx.tx.get(ctx.account, KIND, request.path_params["token"])
    if link is None or link["account"] != request.path_params["account"]:
        return None, False
    return link, link["expires_at"] > ctx.now


def _complete(ctx: Context, link: Object) -> None:
    accounts.complete_onboarding(ctx, link["account"])
    ctx.edit(KIND, link["id"])["expires_at"] = ctx.now  # used once
