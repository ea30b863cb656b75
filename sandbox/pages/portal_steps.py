"""The portal's pages of one step: change the plan, with what it costs before it is confirmed; cancel, with a reason."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import StripeError
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.portal_actions import act, options, plan_change
from sandbox.pages.portal_visit import Form, Visit, finished, visit_of
from sandbox.pages.render import not_found, render
from sandbox.store import Object

REASONS = {
    "customer_service": "The customer service was not good",
    "low_quality": "The quality was not good",
    "missing_features": "Features are missing",
    "other": "Another reason",
    "switched_service": "I have found an alternative",
    "too_complex": "It is too complicated",
    "too_expensive": "It is too expensive",
    "unused": "I don’t use it enough",
}


def routes(desk: Desk) -> list[Route]:
    steps = PortalSteps(desk)
    return [
        Route("/p/session/{session}/plan/{subscription}", steps.plan, methods=["GET", "POST"]),
        Route("/p/session/{session}/cancel/{subscription}", steps.cancel, methods=["GET", "POST"]),
    ]


class PortalSteps:
    """Each page posts to itself until the change is confirmed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def plan(self, request: Request) -> Response:
        visit = visit_of(self._desk, request)
        if visit is None or not visit.features["subscription_update"]["enabled"]:
            return not_found()
        given = await _given(request)
        refused: StripeError | None = None
        due: Object | None = None
        try:
            if given.get("step") == "confirm":
                self._desk.act(visit.account, lambda ctx: act(ctx, visit, "plan", given))
                return finished(self._desk, visit, "plan")
            if given.get("step") == "preview" or _only_confirms(visit):
                due = self._desk.act(visit.account, lambda ctx: _due(ctx, visit, given))
            shown = self._desk.act(visit.account, lambda ctx: _offered(ctx, visit, given))
        except StripeError as error:
            if error.status >= 500:
                raise
            refused = error
            try:
                shown = self._desk.act(visit.account, lambda ctx: _offered(ctx, visit, given))
            except StripeError:
                return not_found()
        return self._page("portal_plan.html", visit, given, refused, due=due, **shown)

    async def cancel(self, request: Request) -> Response:
        visit = visit_of(self._desk, request)
        if visit is None or not visit.features["subscription_cancel"]["enabled"]:
            return not_found()
        given = await _given(request)
        refused: StripeError | None = None
        try:
            found = self._desk.act(visit.account, lambda ctx: _offered(ctx, visit, given))
            if request.method == "POST":
                self._desk.act(visit.account, lambda ctx: act(ctx, visit, "cancel", given))
                return finished(self._desk, visit, "cancel")
        except StripeError as error:
            if error.status == 404:
                return not_found()
            if error.status >= 500:
                raise
            refused = error
            found = {"plan_name": ""}
        asked = visit.features["subscription_cancel"]["cancellation_reason"]
        reasons = [(one, REASONS.get(one, one)) for one in asked["options"]] if asked["enabled"] else []
        return self._page("portal_cancel.html", visit, given, refused, reasons=reasons, plan_name=found["plan_name"])

    def _page(self, template: str, visit: Visit, given: Form, refused: StripeError | None, **shown: Any) -> Response:
        error = None
        if refused is not None:
            error = {"text": str(refused), "field": forms.field_of(refused.error.get("param"))}
        ending = (visit.session["flow"] or {}).get("after_completion") or {}
        return render(
            template,
            status=200 if refused is None else refused.status,
            leads_to=(ending.get("redirect") or {}).get("return_url"),
            business=self._desk.business_name(visit.account),
            visit=visit,
            given=given,
            error=error,
            **shown,
        )


async def _given(request: Request) -> Form:
    typed = await forms.fields(request) if request.method == "POST" else {}
    return typed | {"subscription": request.path_params["subscription"]}


def _only_confirms(visit: Visit) -> bool:
    """A flow whose change is decided already: there is nothing to choose."""
    flow = visit.session["flow"]
    return bool(flow and flow["type"] == "subscription_update_confirm")


def _offered(ctx: Context, visit: Visit, given: Form) -> Object:
    subscription = visit.own(ctx, given["subscription"])
    settings = visit.features["subscription_update"]
    item = subscription["items"]["data"][0]
    return {
        "plan_name": ctx.get("product", item["price"]["product"])["name"],
        "chosen": given.get("price") or item["price"]["id"],
        "quantity": given.get("quantity") or item["quantity"],
        "asks_quantity": "quantity" in settings["default_allowed_updates"],
        "asks_code": "promotion_code" in settings["default_allowed_updates"],
        "options": [
            {
                "id": price["id"],
                "name": ctx.get("product", price["product"])["name"],
                "amount": price["unit_amount"],
                "currency": price["currency"],
                "every": _every(price["recurring"]),
            }
            for price in options(ctx, visit, subscription)
        ],
    }


def _every(recurring: Object) -> str:
    count, interval = recurring["interval_count"], recurring["interval"]
    return f"per {interval}" if count == 1 else f"every {count} {interval}s"


def _due(ctx: Context, visit: Visit, given: Form) -> Object:
    """What the change costs: the invoice that it would make now, or the next one."""
    change = plan_change(ctx, visit, given)
    subscription = visit.own(ctx, given["subscription"])
    details = {name: value for name, value in change.items() if name != "discounts"}
    invoice = call(
        ctx,
        "POST",
        "/v1/invoices/create_preview",
        subscription=subscription["id"],
        subscription_details=details,
    )
    at_once = change["proration_behavior"] == "always_invoice"
    return {
        "amount": max(invoice["amount_due"], 0),
        "currency": invoice["currency"],
        "when": "now" if at_once else "with your next invoice",
    }
