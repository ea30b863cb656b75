"""What coupons take off invoice lines."""

from decimal import Decimal

from sandbox.billing.pricing import rounded
from sandbox.context import Context
from sandbox.store import Object


def active(ctx: Context, subscription: Object) -> list[Object]:
    """The discounts of a subscription, or of one of its items, that still count; a repeating one ends."""
    found = [ctx.get("discount", discount) for discount in subscription["discounts"]]
    return [discount for discount in found if discount["end"] is None or discount["end"] > ctx.now]


def reduce_lines(lines: list[Object], discounts: list[Object], own: dict[str, Object] | None = None) -> list[Object]:
    """Put each discount's amounts on the lines, one discount after the other; returns the totals of each.

    `own` has the discounts that lines name as theirs: they come first, and take only from those lines.
    """
    for line in lines:
        line |= {"discount_amounts": [], "pretax_credit_amounts": []}
    totals = [
        _reduce([line for line in lines if discount["id"] in line["discounts"]], discount)
        for discount in (own or {}).values()
    ]
    return totals + [_reduce(lines, discount) for discount in discounts]


def _reduce(lines: list[Object], discount: Object) -> Object:
    fitting = [line for line in lines if _fits(line, discount["_coupon"])]
    currency = lines[0].get("currency") if lines else None
    parts = _parts([_left(line) for line in fitting], discount["_coupon"], currency)
    for line, amount in zip(fitting, parts, strict=True):
        line["discount_amounts"].append({"amount": amount, "discount": discount["id"]})
        line["pretax_credit_amounts"].append({"amount": amount, "discount": discount["id"], "type": "discount"})
    return {"amount": sum(parts), "discount": discount["id"]}


def left_of(amount: int, discount: Object) -> Decimal:
    """The part of an amount that a discount leaves, from 0 to 1."""
    coupon = discount["_coupon"]
    if coupon["percent_off"] is not None:
        return 1 - Decimal(str(coupon["percent_off"])) / 100
    return 1 - Decimal(min(coupon["amount_off"], amount)) / amount if amount > 0 else Decimal(1)


def paid_share(line: Object) -> Decimal:
    """The part of a line's amount that was left to pay after its discounts."""
    return Decimal(_left(line)) / line["amount"] if line["amount"] else Decimal(1)


def _left(line: Object) -> int:
    return int(line["amount"]) - sum(int(each["amount"]) for each in line["discount_amounts"])


def _fits(line: Object, coupon: Object) -> bool:
    """A coupon may be for some products only, and takes nothing off prorations: they are discounted already."""
    products = (coupon.get("_applies_to") or {}).get("products")
    details = line["pricing"] and line["pricing"]["price_details"]
    return (
        bool(line["discountable"])
        and line["amount"] > 0
        and (not products or (details or {}).get("product") in products)
    )


def _amount_off(coupon: Object, currency: str | None) -> int:
    """The sum in the invoice's currency; a coupon that has none in it takes nothing off."""
    if currency is None or coupon.get("currency") in {None, currency}:
        return int(coupon["amount_off"])
    options = coupon.get("_currency_options") or {}
    return int(options.get(currency, {}).get("amount_off", 0))


def _parts(amounts: list[int], coupon: Object, currency: str | None) -> list[int]:
    """A percentage of each amount, or a sum shared out by size so that the parts add up to it."""
    if coupon["percent_off"] is not None:
        percent = Decimal(str(coupon["percent_off"])) / 100
        return [rounded(amount * percent) for amount in amounts]
    whole = sum(amounts)
    rest, parts = min(_amount_off(coupon, currency), whole), []
    for amount in amounts:
        part = rounded(Decimal(rest) * amount / whole) if whole else 0
        parts.append(part)
        rest, whole = rest - part, whole - amount
    return parts
