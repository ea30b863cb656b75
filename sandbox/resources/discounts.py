"""Discounts: a coupon at work on a subscription, an item or an invoice."""

from calendar import monthrange
from datetime import UTC, datetime

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.resources import coupons, promotion_codes
from sandbox.store import Object

MAX_DISCOUNTS = 20


def make(
    ctx: Context, given: list[Object], *, customer: str | None, param: str = "discounts", **holder: str
) -> list[Object]:
    """The discount objects of a `discounts` parameter, redeemed.

    `holder` says what they are on: subscription=, subscription_item=, invoice=, invoice_item= or
    checkout_session=. Each has `_coupon`, the coupon as it was, because a deleted coupon's discounts go on.
    An existing discount, {"discount": id}, is taken as it is.
    """
    if len(given) > MAX_DISCOUNTS:
        raise invalid(f"At most {MAX_DISCOUNTS} discounts are possible.", param=param)
    return [_one(ctx, item, customer, f"{param}[{place}]", holder) for place, item in enumerate(given)]


def end(ctx: Context, discount: Object) -> None:
    """Remove a discount; what it was on must forget it too."""
    if discount["subscription"] is not None:
        ctx.emit("customer.discount.deleted", discount)
    ctx.delete(discount)


def _one(ctx: Context, given: Object, customer: str | None, param: str, holder: dict[str, str]) -> Object:
    kinds = [name for name in ("coupon", "promotion_code", "discount") if given.get(name) is not None]
    if len(kinds) != 1:
        raise invalid("A discount needs exactly one of `coupon`, `promotion_code` and `discount`.", param=param)
    (kind,) = kinds
    if kind == "discount":
        return ctx.get("discount", given["discount"], param=f"{param}[discount]")
    if kind == "promotion_code":
        name = f"{param}[promotion_code]"
        code = promotion_codes.usable(ctx, given["promotion_code"], param=name, customer=customer)
        coupon = coupons.usable(ctx, code["promotion"]["coupon"], param=name)
        promotion_codes.redeem(ctx, code["id"])
    else:
        coupon = coupons.usable(ctx, given["coupon"], param=f"{param}[coupon]")
    terms = dict(coupon)
    coupons.redeem(ctx, coupon["id"])
    discount: Object = {
        "id": ctx.new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": customer,
        "customer_account": None,
        "end": _end(ctx.now, coupon),
        "invoice": None,
        "invoice_item": None,
        "promotion_code": given.get("promotion_code"),
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": ctx.now,
        "subscription": None,
        "subscription_item": None,
        "_coupon": terms,
        **holder,
    }
    ctx.insert(discount)
    if "subscription" in holder:
        ctx.emit("customer.discount.created", discount)
    return discount


def _end(start: int, coupon: Object) -> int | None:
    """A repeating coupon ends after its months, on the same day or the month's last; others have no date."""
    if coupon["duration"] != "repeating":
        return None
    day = datetime.fromtimestamp(start, UTC)
    years, month = divmod(day.month - 1 + coupon["duration_in_months"], 12)
    year, month = day.year + years, month + 1
    return int(day.replace(year=year, month=month, day=min(day.day, monthrange(year, month)[1])).timestamp())
