"""Checkout sessions over the API; the page that completes one is in `sandbox/pages/`."""

from typing import Any

from sandbox.checkout.lines import MAX_RECURRING, line_items, reduction_of
from sandbox.checkout.session import KIND, new_session
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.expand import expandable
from sandbox.http.lists import page
from sandbox.http.parameters import names_of
from sandbox.operations import operation
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

# What would change what is bought or asked: refused, rather than accepted and ignored.
LATER = (
    "after_expiration",
    "managed_payments",
    "optional_items",
    "shipping_options",
)
CREATE = "POST /v1/checkout/sessions"


@operation("POST", "/v1/checkout/sessions", takes=names_of()[CREATE] - set(LATER))
def create(ctx: Context) -> Object:
    given = ctx.params
    _refuse_what_is_missing(given)
    mode = _mode(given)
    data = given.get("subscription_data", {})
    reduction = reduction_of(ctx, given.get("discounts") or [])
    trial = "trial_end" in data or "trial_period_days" in data
    lines = line_items(ctx, given.get("line_items") or [], reduction, trial)
    _fit_mode(ctx, mode, lines)
    session = new_session(ctx, mode, lines, reduction)
    merge_metadata(session, ctx)
    ctx.insert(session)
    return session


@operation("GET", "/v1/checkout/sessions/{session}")
def retrieve(ctx: Context) -> Object:
    return current(ctx, ctx.path["session"])


@operation("POST", "/v1/checkout/sessions/{session}", takes=("metadata",))
def update(ctx: Context) -> Object:
    session = ctx.edit(KIND, ctx.path["session"])
    merge_metadata(session, ctx)
    return session


@operation("GET", "/v1/checkout/sessions")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    email = (given.get("customer_details") or {}).get("email")

    def keep(session: Object) -> bool:
        details = session["customer_details"] or {}
        same = all(
            session[name] == given[name]
            for name in ("customer", "payment_intent", "payment_link", "status", "subscription")
            if name in given
        )
        return same and (email is None or details.get("email") == email)

    return page(ctx, KIND, "/v1/checkout/sessions", keep)


@operation("POST", "/v1/checkout/sessions/{session}/expire")
def expire(ctx: Context) -> Object:
    session = ctx.edit(KIND, current(ctx, ctx.path["session"])["id"])
    if session["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`."
        )
        raise invalid(message)
    _close(ctx, session)
    return session


@operation("GET", "/v1/checkout/sessions/{session}/line_items")
def list_line_items(ctx: Context) -> Object:
    session = ctx.get(KIND, ctx.path["session"])
    limit, after = ctx.params.get("limit", 10), ctx.params.get("starting_after")
    lines = shown_lines(ctx, session)
    start = next((index + 1 for index, line in enumerate(lines) if line["id"] == after), 0)
    data = lines[start : start + limit]
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "data": data, "has_more": len(lines) > start + limit, "url": url}


@expandable(KIND, "line_items")
def expanded_line_items(ctx: Context, session: Object) -> Any:
    lines = shown_lines(ctx, ctx.get(KIND, session["id"]))
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "data": lines[:10], "has_more": len(lines) > 10, "url": url}


def shown_lines(ctx: Context, session: Object) -> list[Object]:
    """The lines as they are answered: with their whole price."""
    return [line | {"price": _public_price(ctx, line["price"])} for line in session["_lines"]]


def current(ctx: Context, session_id: str) -> Object:
    """The session as it is now: one whose time has passed is expired when somebody looks at it."""
    session = ctx.get(KIND, session_id)
    if session["status"] == "open" and session["expires_at"] <= ctx.now:
        session = ctx.edit(KIND, session_id)
        _close(ctx, session)
    return session


def _close(ctx: Context, session: Object) -> None:
    session["status"], session["url"] = "expired", None
    ctx.emit("checkout.session.expired", session)


def _public_price(ctx: Context, price_id: str) -> Object:
    return {name: value for name, value in ctx.get("price", price_id).items() if name[0] != "_"}


def _refuse_what_is_missing(given: dict[str, Any]) -> None:
    if given.get("ui_mode", "hosted_page") not in {"hosted_page", "embedded_page"}:
        raise not_implemented("POST", f"/v1/checkout/sessions with ui_mode={given['ui_mode']}")
    for kind in (given.get("payment_method_options") or {}).keys() - {"card"}:
        raise not_implemented("POST", f"/v1/checkout/sessions with payment_method_options[{kind}]")


def _check_return(given: dict[str, Any]) -> None:
    """Where the buyer goes afterwards: a hosted page needs `success_url`, an embedded one `return_url`."""
    embedded = given.get("ui_mode") == "embedded_page"
    wanted, other = ("return_url", "success_url") if embedded else ("success_url", "return_url")
    for name in (other, "cancel_url") if embedded else (other, "redirect_on_completion"):
        if name in given:
            mode = given.get("ui_mode", "hosted_page")
            raise invalid(f"You can not pass `{name}` when `ui_mode` is `{mode}`.", param=name)
    if wanted not in given and given.get("redirect_on_completion") != "never":
        raise invalid(f"Missing required param: {wanted}.", param=wanted, code="parameter_missing")


def _mode(given: dict[str, Any]) -> str:
    _check_return(given)
    if "mode" not in given:
        raise invalid("Missing required param: mode.", param="mode", code="parameter_missing")
    mode = str(given["mode"])
    for name, its_mode in (
        ("subscription_data", "subscription"),
        ("payment_intent_data", "payment"),
        ("invoice_creation", "payment"),
    ):
        if name in given and mode != its_mode:
            raise invalid(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if "customer" in given and "customer_email" in given:
        message = "You may only specify one of these parameters: customer, customer_email."
        raise invalid(message, param="customer_email")
    if mode == "setup":
        if given.get("line_items"):
            raise invalid("You can not pass `line_items` in `setup` mode.", param="line_items")
    elif not given.get("line_items"):
        raise invalid("Missing required param: line_items.", param="line_items", code="parameter_missing")
    return mode


def _fit_mode(ctx: Context, mode: str, lines: list[Object]) -> None:
    recurring = sum(ctx.get("price", line["price"])["type"] == "recurring" for line in lines)
    if mode == "payment" and recurring:
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode "
            "or use only one-time prices.",
            param="line_items",
        )
    if mode == "subscription" and not recurring:
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    if recurring > MAX_RECURRING:
        raise invalid(f"You may not have more than {MAX_RECURRING} recurring prices.", param="line_items")
