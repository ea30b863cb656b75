"""Coupons: so much off, once, for some months or for ever."""

from typing import Any

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.expand import expandable
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object


def usable(ctx: Context, coupon_id: str, *, param: str) -> Object:
    """The coupon; 400 where it has expired or was redeemed as often as it may be."""
    coupon = ctx.get("coupon", coupon_id, param=param)
    if not _is_valid(ctx, coupon):
        raise invalid(f"Coupon {coupon_id} is used up or expired.", param=param, code="coupon_expired")
    return coupon


def redeem(ctx: Context, coupon_id: str) -> None:
    """Count one use."""
    draft = ctx.edit("coupon", coupon_id)
    draft["times_redeemed"] += 1
    draft["valid"] = _is_valid(ctx, draft)
    ctx.updated("coupon.updated", draft)


@operation(
    "POST",
    "/v1/coupons",
    takes=(
        "amount_off",
        "applies_to",
        "currency",
        "currency_options",
        "duration",
        "duration_in_months",
        "id",
        "max_redemptions",
        "metadata",
        "name",
        "percent_off",
        "redeem_by",
    ),
)
def create(ctx: Context) -> Object:
    given = ctx.params
    _check(ctx)
    coupon_id = given.get("id") or letters(ctx.new_id("coupon"), 8)
    if ctx.tx.get(ctx.account, "coupon", coupon_id) is not None:
        raise invalid("Coupon already exists.", param="id", code="resource_already_exists")
    for product in (given.get("applies_to") or {}).get("products", []):
        ctx.get("product", product, param="applies_to[products]")
    currency: str = given.get("currency") or ""
    coupon: Object = {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": given.get("amount_off"),
        "created": ctx.now,
        "currency": currency.lower() or None,
        "duration": given.get("duration", "once"),
        "duration_in_months": given.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": given.get("max_redemptions"),
        "metadata": {},
        "name": given.get("name"),
        "percent_off": given.get("percent_off"),
        "redeem_by": given.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
        "_applies_to": given.get("applies_to"),
        "_currency_options": _options(given.get("currency_options") or {}),
    }
    merge_metadata(coupon, ctx)
    ctx.insert(coupon)
    ctx.emit("coupon.created", coupon)
    return coupon


@operation("GET", "/v1/coupons/{coupon}")
def retrieve(ctx: Context) -> Object:
    return _current(ctx, ctx.get("coupon", ctx.path["coupon"]))


@operation("POST", "/v1/coupons/{coupon}", takes=("currency_options", "metadata", "name"))
def update(ctx: Context) -> Object:
    draft = ctx.edit("coupon", ctx.path["coupon"])
    assign(draft, ctx, ("name",))
    if ctx.params.get("currency_options"):
        draft["_currency_options"] = draft["_currency_options"] | _options(ctx.params["currency_options"])
    merge_metadata(draft, ctx)
    ctx.updated("coupon.updated", draft)
    return _current(ctx, draft)


@operation("DELETE", "/v1/coupons/{coupon}")
def delete(ctx: Context) -> Object:
    coupon = ctx.get("coupon", ctx.path["coupon"])
    ctx.emit("coupon.deleted", coupon)
    ctx.delete(coupon)
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


@operation("GET", "/v1/coupons")
def list_all(ctx: Context) -> Object:
    found = page(ctx, "coupon", "/v1/coupons")
    return found | {"data": [_current(ctx, coupon) for coupon in found["data"]]}


@expandable("coupon", "applies_to")
def applies_to(ctx: Context, coupon: Object) -> Any:
    return ctx.get("coupon", coupon["id"])["_applies_to"]


@expandable("coupon", "currency_options")
def currency_options(ctx: Context, coupon: Object) -> Any:
    return ctx.get("coupon", coupon["id"])["_currency_options"] or None


def _options(given: Object) -> Object:
    return {currency.lower(): {"amount_off": each["amount_off"]} for currency, each in given.items()}


def _is_valid(ctx: Context, coupon: Object) -> bool:
    used_up = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    return not used_up and (coupon["redeem_by"] is None or coupon["redeem_by"] > ctx.now)


def _current(ctx: Context, coupon: Object) -> Object:
    """As of now: a coupon becomes invalid by the passing of time too."""
    return coupon | {"valid": _is_valid(ctx, coupon)}


def _check(ctx: Context) -> None:
    given = ctx.params
    if ("percent_off" in given) == ("amount_off" in given):
        raise invalid("You must pass exactly one of `percent_off` and `amount_off`.", param="percent_off")
    if "percent_off" in given and not 0 < given["percent_off"] <= 100:
        raise invalid("Invalid percent_off: must be greater than 0 and at most 100.", param="percent_off")
    if "amount_off" in given:
        if given["amount_off"] < 1:
            raise invalid("Invalid positive integer", param="amount_off", code="parameter_invalid_integer")
        if not given.get("currency"):
            raise invalid("You must pass currency when passing amount_off.", param="currency")
    if (given.get("duration") == "repeating") != ("duration_in_months" in given):
        raise invalid("`duration_in_months` is for, and only for, `duration=repeating`.", param="duration_in_months")
    for name in ("max_redemptions", "duration_in_months"):
        if given.get(name, 1) < 1:
            raise invalid("Invalid positive integer", param=name, code="parameter_invalid_integer")
    if given.get("redeem_by", ctx.now + 1) <= ctx.now:
        raise invalid("Coupons must have a `redeem_by` in the future.", param="redeem_by")
    if len(given.get("name") or "") > 40:
        raise invalid("Coupon names may have at most 40 characters.", param="name")
    if "amount_off" not in given and "currency" in given:
        raise not_implemented("POST", "/v1/coupons with currency and percent_off")
