"""The customer portal: subscriptions, payment method, e-mail address and invoices of one customer."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.context import Context
from sandbox.errors import StripeError
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.portal_actions import MAX_SHOWN, act, changeable, subscriptions
from sandbox.pages.portal_visit import Form, Visit, finished, visit_of
from sandbox.pages.render import not_found, redirect, render
from sandbox.store import Object

NOTICES = {
    "cancel": "Your subscription has been cancelled.",
    "keep": "Your subscription goes on.",
    "card": "Your payment method has been updated.",
    "email": "Your email address has been changed.",
    "plan": "Your plan has been changed.",
}
# The page of one step that a flow leads to, and which part of the session's flow names its subscription.
STEPS = {"subscription_cancel": "cancel", "subscription_update": "plan", "subscription_update_confirm": "plan"}


def routes(desk: Desk) -> list[Route]:
    page = PortalPage(desk)
    return [
        Route("/p/session/{session}", page.show, methods=["GET"]),
        Route("/p/session/{session}", page.change, methods=["POST"]),
    ]


class PortalPage:
    """One customer's portal: a page of small forms, each naming its action."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, request: Request) -> Response:
        visit = visit_of(self._desk, request)
        if visit is None:
            return not_found()
        flow = visit.session["flow"]
        if flow and flow["type"] in STEPS and "done" not in request.query_params:
            return redirect(f"{visit.home}/{STEPS[flow['type']]}/{flow[flow['type']]['subscription']}")
        return self._page(visit, notice=NOTICES.get(request.query_params.get("done", "")))

    async def change(self, request: Request) -> Response:
        visit = visit_of(self._desk, request)
        if visit is None:
            return not_found()
        given = await forms.fields(request)
        action = given.get("action", "")
        try:
            self._desk.act(visit.account, lambda ctx: act(ctx, visit, action, given))
        except StripeError as refused:
            if refused.status >= 500:
                raise
            return self._page(visit, given=given, refused=refused)
        return finished(self._desk, visit, action)

    def _page(
        self,
        visit: Visit,
        *,
        notice: str | None = None,
        given: Form | None = None,
        refused: StripeError | None = None,
    ) -> Response:
        shown = self._desk.act(visit.account, lambda ctx: _shown(ctx, visit))
        error = None
        if refused is not None:
            error = {"text": str(refused), "field": forms.field_of(refused.error.get("param"))}
        ending = (visit.session["flow"] or {}).get("after_completion") or {}
        return render(
            "portal.html",
            status=200 if refused is None else refused.status,
            leads_to=(ending.get("redirect") or {}).get("return_url"),
            business=self._desk.business_name(visit.account),
            profile=visit.configuration["business_profile"],
            session=visit.session,
            home=visit.home,
            # A flow for the card alone shows nothing else.
            only_card=(visit.session["flow"] or {}).get("type") == "payment_method_update",
            features=visit.features,
            notice=notice,
            given=given or {},
            error=error,
            **shown,
        )


def _shown(ctx: Context, visit: Visit) -> Object:
    customer = ctx.get("customer", visit.session["customer"])
    default = customer["invoice_settings"]["default_payment_method"]
    invoices = (
        one
        for one in ctx.tx.newest(ctx.account, "invoice")
        if one["customer"] == customer["id"] and one["status"] != "draft"
    )
    return {
        "customer": customer,
        "subscriptions": [_described(ctx, visit, one) for one in subscriptions(ctx, customer["id"])],
        "card": None if default is None else ctx.get("payment_method", default)["card"],
        "invoices": [one | {"day": _day(one["created"])} for one, _ in zip(invoices, range(MAX_SHOWN), strict=False)],
    }


def _described(ctx: Context, visit: Visit, subscription: Object) -> Object:
    items = subscription["items"]["data"]
    names = [ctx.get("product", item["price"]["product"])["name"] for item in items]
    return {
        "id": subscription["id"],
        "name": ", ".join(names),
        "status": subscription["status"].replace("_", " "),
        "changeable": changeable(visit, subscription),
        "cancels": subscription["cancel_at"] is not None,
        "ends": _day(subscription["cancel_at"] or min(item["current_period_end"] for item in items)),
    }


def _day(timestamp: int) -> str:
    when = datetime.fromtimestamp(timestamp, UTC)
    return f"{when.day} {when:%B %Y}"
