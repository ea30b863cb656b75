"""What a customer does in the portal: each action is what an API client would do, if the configuration allows it."""

from collections.abc import Callable

from sandbox.calls import call
from sandbox.checkout.complete import Buyer, add_card
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.pages import forms
from sandbox.pages.portal_visit import Form, Visit
from sandbox.paying import methods as payment_methods
from sandbox.store import Object

ENDED = frozenset({"canceled", "incomplete_expired"})
MAX_SHOWN = 24
MAX_QUANTITY = 999_999


def act(ctx: Context, visit: Visit, action: str, given: Form) -> None:
    """Do it, or refuse it in the page's words."""
    allowed: dict[str, tuple[str, Callable[[Context, Visit, Form], None]]] = {
        "cancel": ("subscription_cancel", _cancel),
        "keep": ("subscription_cancel", _keep),
        "card": ("payment_method_update", _replace_card),
        "email": ("customer_update", _change_email),
        "plan": ("subscription_update", _change_plan),
    }
    feature, run = allowed.get(action, ("", None))
    if run is None or not visit.features[feature]["enabled"]:
        raise invalid("This portal does not allow that.")
    run(ctx, visit, given)


def subscriptions(ctx: Context, customer: str) -> list[Object]:
    """The customer's subscriptions that have not ended."""
    found = (one for one in ctx.tx.newest(ctx.account, "subscription") if one["customer"] == customer)
    return [one for one in found if one["status"] not in ENDED][:MAX_SHOWN]


def changeable(visit: Visit, subscription: Object) -> bool:
    """Stripe's portal changes subscriptions with a single item only."""
    settings = visit.features["subscription_update"]
    single = len(subscription["items"]["data"]) == 1
    return bool(single and settings["enabled"] and {"price", "quantity"} & set(settings["default_allowed_updates"]))


def plan_change(ctx: Context, visit: Visit, given: Form) -> dict[str, object]:
    """The parameters of the subscription's update that the form asks for; refuses what is not offered."""
    subscription = visit.own(ctx, given.get("subscription", ""))
    settings = visit.features["subscription_update"]
    flow = visit.session["flow"]
    if flow and flow["type"] == "subscription_update_confirm":
        return _asked_for(flow["subscription_update_confirm"], settings)
    if not changeable(visit, subscription):
        raise invalid("This portal does not allow that.")
    (item,) = subscription["items"]["data"]
    price = given.get("price") or item["price"]["id"]
    if price not in {item["price"]["id"], *(one["id"] for one in options(ctx, visit, subscription))}:
        raise invalid("This plan is not offered.", param="price")
    change: dict[str, object] = {
        "items": [{"id": item["id"], "price": price, "quantity": _quantity(given, settings, item["quantity"])}],
        "proration_behavior": settings["proration_behavior"],
    }
    if given.get("code"):
        if "promotion_code" not in settings["default_allowed_updates"]:
            raise invalid("This portal does not allow that.")
        change["discounts"] = [{"promotion_code": _code(ctx, given["code"])}]
    return change


def options(ctx: Context, visit: Visit, subscription: Object) -> list[Object]:
    """The prices that the configuration offers for it: active, recurring, in its currency."""
    settings = visit.features["subscription_update"]
    if "price" not in settings["default_allowed_updates"]:
        return []
    named = [price for product in settings["products"] or [] for price in product["prices"]]
    found = [ctx.tx.get(ctx.account, "price", price) for price in named]
    return [one for one in found if one and one["active"] and one["currency"] == subscription["currency"]]


def _quantity(given: Form, settings: Object, now: int) -> int:
    wanted = given.get("quantity", "")
    if not wanted:
        return now
    if "quantity" not in settings["default_allowed_updates"]:
        raise invalid("This portal does not allow that.")
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MAX_QUANTITY:
        raise invalid("The quantity must be a whole number above zero.", param="quantity")
    return int(wanted)


def _code(ctx: Context, typed: str) -> str:
    for code in ctx.tx.newest(ctx.account, "promotion_code"):
        if code["code"].lower() == typed.lower() and code["active"]:
            return str(code["id"])
    raise invalid("This code is invalid.", param="code")


def _asked_for(wanted: Object, settings: Object) -> dict[str, object]:
    change: dict[str, object] = {"items": _items(wanted), "proration_behavior": settings["proration_behavior"]}
    if wanted["discounts"]:
        given = [{name: value for name, value in one.items() if value} for one in wanted["discounts"]]
        change["discounts"] = given
    return change


def _items(wanted: Object) -> list[Object]:
    return [{name: value for name, value in item.items() if value is not None} for item in wanted["items"]]


def _change_plan(ctx: Context, visit: Visit, given: Form) -> None:
    change = plan_change(ctx, visit, given)
    path = f"/v1/subscriptions/{visit.own(ctx, given['subscription'])['id']}"
    call(ctx, "POST", path, payment_behavior="error_if_incomplete", **change)


def _cancel(ctx: Context, visit: Visit, given: Form) -> None:
    path = f"/v1/subscriptions/{visit.own(ctx, given.get('subscription', ''))['id']}"
    settings = visit.features["subscription_cancel"]
    details = None
    if settings["cancellation_reason"]["enabled"] and given.get("reason"):
        if given["reason"] not in settings["cancellation_reason"]["options"]:
            raise invalid("This reason is not offered.", param="reason")
        details = {"feedback": given["reason"], "comment": given.get("comment") or None}
    if settings["mode"] == "at_period_end":
        call(ctx, "POST", path, cancel_at_period_end=True, cancellation_details=details)
    else:
        prorated = settings["proration_behavior"] != "none"
        call(ctx, "DELETE", path, prorate=prorated, cancellation_details=details)


def _keep(ctx: Context, visit: Visit, given: Form) -> None:
    path = f"/v1/subscriptions/{visit.own(ctx, given.get('subscription', ''))['id']}"
    call(ctx, "POST", path, cancel_at_period_end=False)


def _replace_card(ctx: Context, visit: Visit, given: Form) -> None:
    """The new card becomes the default of the customer and of the subscriptions that named one."""
    customer = ctx.get("customer", visit.session["customer"])
    method = add_card(ctx, Buyer(customer["email"], customer["name"]), forms.card(given))
    payment_methods.attach(ctx, method, customer["id"])
    default = {"default_payment_method": method["id"]}
    call(ctx, "POST", f"/v1/customers/{customer['id']}", invoice_settings=default)
    for subscription in subscriptions(ctx, customer["id"]):
        if subscription["default_payment_method"] is not None:
            call(ctx, "POST", f"/v1/subscriptions/{subscription['id']}", **default)


def _change_email(ctx: Context, visit: Visit, given: Form) -> None:
    if "email" not in visit.features["customer_update"]["allowed_updates"]:
        raise invalid("This portal does not allow that.")
    email = forms.buyer(given, None).email
    call(ctx, "POST", f"/v1/customers/{visit.session['customer']}", email=email)
