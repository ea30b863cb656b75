"""Promotion codes: the words that customers type in to get a coupon."""

import re

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources import coupons
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

CODE = re.compile(r"[A-Za-z0-9-]{1,500}")


def by_code(ctx: Context, code: str) -> Object | None:
    """The active promotion code with these letters, in either case."""
    wanted = code.upper()
    for found in ctx.tx.newest(ctx.account, "promotion_code"):
        if found["code"].upper() == wanted and _is_active(ctx, found):
            return found
    return None


def usable(ctx: Context, code_id: str, *, param: str, customer: str | None) -> Object:
    """The promotion code, if this customer may use it now."""
    code = ctx.get("promotion_code", code_id, param=param)
    if not _is_active(ctx, code):
        raise invalid(
            "This promotion code is expired, used up or inactive.", param=param, code="promotion_code_expired"
        )
    if code["customer"] is not None and code["customer"] != customer:
        raise invalid("This promotion code belongs to another customer.", param=param)
    if code["restrictions"]["first_time_transaction"] and customer is not None and _has_paid(ctx, customer):
        message = "This promotion code cannot be redeemed because the associated customer has prior transactions."
        raise invalid(message, param=param, code="promotion_code_customer_not_first_time")
    coupons.usable(ctx, code["promotion"]["coupon"], param=param)
    return code


def redeem(ctx: Context, code_id: str) -> None:
    """Count one use of the code; its coupon's use is counted apart."""
    draft = ctx.edit("promotion_code", code_id)
    draft["times_redeemed"] += 1
    draft["active"] = _is_active(ctx, draft)
    ctx.updated("promotion_code.updated", draft)


@operation(
    "POST",
    "/v1/promotion_codes",
    takes=("active", "code", "customer", "expires_at", "max_redemptions", "metadata", "promotion", "restrictions"),
)
def create(ctx: Context) -> Object:
    given = ctx.params
    coupon_id = given["promotion"].get("coupon")
    if coupon_id is None:
        name = "promotion[coupon]"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    coupon = coupons.usable(ctx, coupon_id, param="promotion[coupon]")
    if given.get("customer") is not None:
        ctx.get("customer", given["customer"], param="customer")
    if given.get("expires_at", ctx.now + 1) <= ctx.now:
        raise invalid("`expires_at` must be in the future.", param="expires_at")
    if given.get("max_redemptions", 1) < 1:
        raise invalid("Invalid positive integer", param="max_redemptions", code="parameter_invalid_integer")
    promotion_id = ctx.new_id("promo")
    code: Object = {
        "id": promotion_id,
        "object": "promotion_code",
        "active": given.get("active", True),
        "code": _code(ctx, promotion_id),
        "created": ctx.now,
        "customer": given.get("customer"),
        "customer_account": None,
        "expires_at": given.get("expires_at"),
        "livemode": False,
        "max_redemptions": given.get("max_redemptions"),
        "metadata": {},
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": _restrictions(given.get("restrictions") or {}),
        "times_redeemed": 0,
    }
    merge_metadata(code, ctx)
    ctx.insert(code)
    ctx.emit("promotion_code.created", code)
    return code


@operation("GET", "/v1/promotion_codes/{promotion_code}")
def retrieve(ctx: Context) -> Object:
    return _current(ctx, ctx.get("promotion_code", ctx.path["promotion_code"]))


@operation("POST", "/v1/promotion_codes/{promotion_code}", takes=("active", "metadata", "restrictions"))
def update(ctx: Context) -> Object:
    draft = ctx.edit("promotion_code", ctx.path["promotion_code"])
    if "active" in ctx.params:
        if ctx.params["active"] and not _is_active(ctx, draft | {"active": True}):
            raise invalid("This promotion code is expired or used up and cannot be made active.", param="active")
        if ctx.params["active"] and not draft["active"] and by_code(ctx, draft["code"]) is not None:
            raise invalid("An active promotion code with the same code already exists.", param="active")
        draft["active"] = ctx.params["active"]
    options = (ctx.params.get("restrictions") or {}).get("currency_options")
    if options is not None:
        if draft["restrictions"]["minimum_amount"] is None:
            message = "`currency_options` needs a promotion code with a `minimum_amount`."
            raise invalid(message, param="restrictions[currency_options]")
        known = draft["restrictions"].get("currency_options", {})
        draft["restrictions"] = draft["restrictions"] | {"currency_options": known | _options(options)}
    merge_metadata(draft, ctx)
    ctx.updated("promotion_code.updated", draft)
    return _current(ctx, draft)


@operation(
    "GET",
    "/v1/promotion_codes",
    takes=("active", "code", "coupon", "created", "customer", "ending_before", "limit", "starting_after"),
)
def list_all(ctx: Context) -> Object:
    given = ctx.params

    def keep(found: Object) -> bool:
        return (
            ("active" not in given or _is_active(ctx, found) == given["active"])
            and ("code" not in given or found["code"].upper() == given["code"].upper())
            and ("coupon" not in given or found["promotion"]["coupon"] == given["coupon"])
            and ("customer" not in given or found["customer"] == given["customer"])
        )

    listed = page(ctx, "promotion_code", "/v1/promotion_codes", keep)
    return listed | {"data": [_current(ctx, found) for found in listed["data"]]}


def _code(ctx: Context, promotion_id: str) -> str:
    if "code" not in ctx.params:
        return letters(f"code:{ctx.config.seed}:{promotion_id}", 8).upper()
    code = str(ctx.params["code"] or "")
    if not CODE.fullmatch(code):
        raise invalid("A promotion code may have only letters, digits and dashes.", param="code")
    if by_code(ctx, code) is not None:
        raise invalid("An active promotion code with `code: " + code + "` already exists.", param="code")
    return code


def _restrictions(given: Object) -> Object:
    if ("minimum_amount" in given) != ("minimum_amount_currency" in given):
        raise invalid(
            "`minimum_amount` and `minimum_amount_currency` go together.", param="restrictions[minimum_amount]"
        )
    currency = given.get("minimum_amount_currency")
    made: Object = {
        "first_time_transaction": given.get("first_time_transaction", False),
        "minimum_amount": given.get("minimum_amount"),
        "minimum_amount_currency": currency and currency.lower(),
    }
    if given.get("currency_options"):
        made["currency_options"] = _options(given["currency_options"])
    return made


def _options(given: Object) -> Object:
    return {currency.lower(): {"minimum_amount": each.get("minimum_amount")} for currency, each in given.items()}


def _is_active(ctx: Context, code: Object) -> bool:
    used_up = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    expired = code["expires_at"] is not None and code["expires_at"] <= ctx.now
    return bool(code["active"]) and not used_up and not expired


def _current(ctx: Context, code: Object) -> Object:
    return code | {"active": _is_active(ctx, code)}


def _has_paid(ctx: Context, customer: str) -> bool:
    return any(charge["customer"] == customer and charge["paid"] for charge in ctx.tx.newest(ctx.account, "charge"))
