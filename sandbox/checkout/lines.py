"""The line items of a Checkout session and their amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.billing import pricing
from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.store import Object

MAX_LINES = 100
MAX_RECURRING = 20


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a discount takes off: a share, or an amount in minor units (then in `currency`)."""

    coupon: str
    percent: Decimal | None
    amount: int | None
    currency: str | None


def line_items(ctx: Context, given: list[dict[str, Any]], reduction: Reduction | None, trial: bool) -> list[Object]:
    """Stripe's `item` objects; during a trial, what recurs costs nothing today."""
    if len(given) > MAX_LINES:
        raise invalid(f"You may not have more than {MAX_LINES} line items.", param="line_items")
    lines = []
    for index, one in enumerate(given):
        price = _price(ctx, one, f"line_items[{index}]")
        quantity = one.get("quantity")
        if quantity is None and not _is_metered(price):
            message = f"Quantity is required. Add `quantity` to `line_items[{index}]`"
            raise invalid(message, param=f"line_items[{index}][quantity]", code="parameter_missing")
        if quantity is not None and quantity < 1:
            raise invalid("Invalid non-negative integer", param=f"line_items[{index}][quantity]")
        free = quantity is None or (trial and price["type"] == "recurring")
        lines.append(_line(ctx, price, quantity, 0 if free else pricing.total(price, quantity or 0), one))
    _one_currency(lines)
    _reduce(lines, reduction)
    return lines


def totals(lines: Sequence[Object]) -> tuple[int, int, int]:
    """Subtotal, discount and total."""
    subtotal, discount = (sum(line[name] for line in lines) for name in ("amount_subtotal", "amount_discount"))
    return subtotal, discount, subtotal - discount


def reduction_of(ctx: Context, discounts: list[dict[str, Any]]) -> Reduction | None:
    """The coupon of a session's discount, given directly or by a promotion code."""
    if not discounts:
        return None
    if len(discounts) > 1:
        raise invalid("You may only specify one discount for Checkout Sessions.", param="discounts")
    (given,) = discounts
    coupon_id = given.get("coupon")
    if "promotion_code" in given:
        code = ctx.get("promotion_code", given["promotion_code"], param="discounts[0][promotion_code]")
        coupon_id = code["promotion"]["coupon"]
    if coupon_id is None:
        raise invalid("A discount needs a coupon or a promotion code.", param="discounts[0]")
    coupon = ctx.get("coupon", coupon_id, param="discounts[0][coupon]")
    percent = coupon["percent_off"]
    return Reduction(
        coupon["id"],
        None if percent is None else Decimal(str(percent)),
        coupon["amount_off"],
        coupon["currency"],
    )


def _price(ctx: Context, given: dict[str, Any], name: str) -> Object:
    if ("price" in given) == ("price_data" in given):
        message = "You must specify either `price` or `price_data` for each line item."
        raise invalid(message, param=name, code="parameter_missing")
    if "price_data" in given:
        made = call(ctx, "POST", "/v1/prices", **given["price_data"])
        ctx.edit("price", made["id"])["active"] = False  # Stripe's inline prices can't be used a second time
        return ctx.get("price", made["id"])
    price = ctx.get("price", given["price"], param=f"{name}[price]")
    if not price["active"]:
        message = "The price specified is inactive. This field only accepts active prices."
        raise invalid(message, param=f"{name}[price]")
    return price


def _line(ctx: Context, price: Object, quantity: int | None, amount: int, given: dict[str, Any]) -> Object:
    product = ctx.get("product", price["product"])
    return {
        "id": ctx.new_id("li"),
        "object": "item",
        "adjustable_quantity": given.get("adjustable_quantity"),
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": given.get("metadata", {}),
        "price": price["id"],
        "quantity": quantity,
    }


def _one_currency(lines: list[Object]) -> None:
    if len({line["currency"] for line in lines}) > 1:
        raise invalid("All line items of a Checkout Session must have the same currency.", param="line_items")


def _reduce(lines: list[Object], reduction: Reduction | None) -> None:
    """Spread the discount over the lines so that its parts add up to the whole."""
    if reduction is None:
        return
    open_amount = sum(line["amount_subtotal"] for line in lines)
    left = _whole_discount(open_amount, reduction)
    for line in lines:
        part = left * line["amount_subtotal"] // open_amount if open_amount else 0
        open_amount -= line["amount_subtotal"]
        left -= part
        line["amount_discount"] = part
        line["amount_total"] = line["amount_subtotal"] - part


def _whole_discount(amount: int, reduction: Reduction) -> int:
    if reduction.percent is not None:
        return pricing.rounded(amount * reduction.percent / 100)
    return min(amount, reduction.amount or 0)


def _is_metered(price: Object) -> bool:
    return (price["recurring"] or {}).get("usage_type") == "metered"
