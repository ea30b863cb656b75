"""The customer portal: subscriptions, payment method, e-mail address and invoices of one customer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.calls import call
from sandbox.checkout.complete import Buyer, add_card
from sandbox.context import Context
from sandbox.errors import StripeError, invalid
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.render import not_found, redirect, render
from sandbox.resources import payment_methods
from sandbox.resources.portal_configurations import KIND as CONFIGURATION
from sandbox.resources.portal_sessions import KIND
from sandbox.store import Object

MAX_SHOWN = 24
ENDED = frozenset({"canceled", "incomplete_expired"})
Form = dict[str, str]
NOTICES = {
    "cancel": "Your subscription has been cancelled.",
    "keep": "Your subscription goes on.",
    "card": "Your payment method has been updated.",
    "email": "Your email address has been changed.",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """An open portal session, with what it allows."""

    account: str
    session: Object
    features: Object


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
        visit = self._visit(request)
        if visit is None:
            return not_found()
        return self._page(visit, notice=NOTICES.get(request.query_params.get("done", "")))

    async def change(self, request: Request) -> Response:
        visit = self._visit(request)
        if visit is None:
            return not_found()
        given = await forms.fields(request)
        action = given.get("action", "")
        try:
            self._desk.act(visit.account, lambda ctx: _act(ctx, visit, action, given))
        except StripeError as refused:
            if refused.status >= 500:
                raise
            return self._page(visit, given=given, refused=refused)
        return redirect(f"/p/session/{visit.session['id']}?done={action}")

    def _visit(self, request: Request) -> Visit | None:
        session_id = request.path_params["session"]
        account = self._desk.account_of(KIND, session_id)
        if account is None:
            return None

        def look(ctx: Context) -> Visit | None:
            session = ctx.tx.get(account, KIND, session_id)
            if session is None or session["_expires_at"] <= ctx.now:
                return None
            if ctx.get("customer", session["customer"]).get("deleted"):
                return None
            return Visit(account, session, ctx.get(CONFIGURATION, session["configuration"])["features"])

        return self._desk.act(account, look)

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
        return render(
            "portal.html",
            status=200 if refused is None else refused.status,
            business=self._desk.business_name(visit.account),
            session=visit.session,
            features=visit.features,
            notice=notice,
            given=given or {},
            error=error,
            **shown,
        )


def _act(ctx: Context, visit: Visit, action: str, given: Form) -> None:
    allowed: dict[str, tuple[str, Callable[[Context, Visit, Form], None]]] = {
        "cancel": ("subscription_cancel", _cancel),
        "keep": ("subscription_cancel", _keep),
        "card": ("payment_method_update", _replace_card),
        "email": ("customer_update", _change_email),
    }
    feature, run = allowed.get(action, ("", None))
    if run is None or not visit.features[feature]["enabled"]:
        raise invalid("This portal does not allow that.")
    run(ctx, visit, given)


def _own_subscription(ctx: Context, visit: Visit, given: Form) -> str:
    found = ctx.get("subscription", given.get("subscription", ""))
    if found["customer"] != visit.session["customer"]:
        raise invalid("This subscription is not yours.")
    return str(found["id"])


def _cancel(ctx: Context, visit: Visit, given: Form) -> None:
    path = f"/v1/subscriptions/{_own_subscription(ctx, visit, given)}"
    settings = visit.features["subscription_cancel"]
    if settings["mode"] == "at_period_end":
        call(ctx, "POST", path, cancel_at_period_end=True)
    else:
        call(ctx, "DELETE", path, prorate=settings["proration_behavior"] != "none")


def _keep(ctx: Context, visit: Visit, given: Form) -> None:
    path = f"/v1/subscriptions/{_own_subscription(ctx, visit, given)}"
    call(ctx, "POST", path, cancel_at_period_end=False)


def _replace_card(ctx: Context, visit: Visit, given: Form) -> None:
    """The new card becomes the default of the customer and of the subscriptions that named one."""
    customer = ctx.get("customer", visit.session["customer"])
    method = add_card(ctx, Buyer(customer["email"], customer["name"]), forms.card(given))
    payment_methods.attach(ctx, method, customer["id"])
    default = {"default_payment_method": method["id"]}
    call(ctx, "POST", f"/v1/customers/{customer['id']}", invoice_settings=default)
    for subscription in _subscriptions(ctx, customer["id"]):
        if subscription["default_payment_method"] is not None:
            call(ctx, "POST", f"/v1/subscriptions/{subscription['id']}", **default)


def _change_email(ctx: Context, visit: Visit, given: Form) -> None:
    if "email" not in visit.features["customer_update"]["allowed_updates"]:
        raise invalid("This portal does not allow that.")
    email = forms.buyer(given, None).email
    call(ctx, "POST", f"/v1/customers/{visit.session['customer']}", email=email)


def _subscriptions(ctx: Context, customer: str) -> list[Object]:
    found = (one for one in ctx.tx.newest(ctx.account, "subscription") if one["customer"] == customer)
    return [one for one in found if one["status"] not in ENDED][:MAX_SHOWN]


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
        "subscriptions": [_described(ctx, one) for one in _subscriptions(ctx, customer["id"])],
        "card": None if default is None else ctx.get("payment_method", default)["card"],
        "invoices": [one | {"day": _day(one["created"])} for one, _ in zip(invoices, range(MAX_SHOWN), strict=False)],
    }


def _described(ctx: Context, subscription: Object) -> Object:
    items = subscription["items"]["data"]
    names = [ctx.get("product", item["price"]["product"])["name"] for item in items]
    return {
        "id": subscription["id"],
        "name": ", ".join(names),
        "status": subscription["status"].replace("_", " "),
        "cancels": subscription["cancel_at"] is not None,
        "ends": _day(subscription["cancel_at"] or min(item["current_period_end"] for item in items)),
    }


def _day(timestamp: int) -> str:
    when = datetime.fromtimestamp(timestamp, UTC)
    return f"{when.day} {when:%B %Y}"
