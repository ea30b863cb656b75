"""What a quantity costs at a price: per unit, in tiers, in packages; rounded once, to the nearest cent."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Charge:
    """One line's worth: `tier` counts from 1, and is None for a price without tiers."""

    amount: int
    quantity: int
    unit_amount: Decimal
    tier: int | None = None


def rounded(exact: Decimal) -> int:
    """To the nearest whole, halves away from zero."""
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def charges(price: dict[str, Any], quantity: int) -> list[Charge]:
    """The lines that a quantity gives; a graduated price gives one for each tier it reaches."""
    if price["billing_scheme"] == "tiered":
        if price["tiers_mode"] == "volume":
            return [_volume(price["_tiers"], quantity)]
        return _graduated(price["_tiers"], quantity)
    unit = Decimal(price["unit_amount_decimal"])
    return [Charge(rounded(unit * packages(price["transform_quantity"], quantity)), quantity, unit)]


def total(price: dict[str, Any], quantity: int) -> int:
    """What the quantity costs for a whole period."""
    return sum(charge.amount for charge in charges(price, quantity))


def packages(transform: dict[str, Any] | None, quantity: int) -> int:
    """The quantity that is charged: 11 units in packages of 5, rounded up, are 3."""
    if transform is None:
        return quantity
    rounding = ROUND_CEILING if transform["round"] == "up" else ROUND_FLOOR
    return int((Decimal(quantity) / transform["divide_by"]).to_integral_value(rounding))


def _graduated(tiers: list[dict[str, Any]], quantity: int) -> list[Charge]:
    found, below = [], 0
    for number, tier in enumerate(tiers, 1):
        bound = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        inside = bound - below
        if inside > 0 or number == 1:
            unit = _decimal(tier["unit_amount_decimal"])
            exact = unit * inside + _decimal(tier["flat_amount_decimal"])
            found.append(Charge(rounded(exact), inside, unit, number))
        below = max(below, bound)
    return found


def _volume(tiers: list[dict[str, Any]], quantity: int) -> Charge:
    for number, tier in enumerate(tiers, 1):
        if tier["up_to"] is None or quantity <= tier["up_to"]:
            unit = _decimal(tier["unit_amount_decimal"])
            exact = unit * quantity + _decimal(tier["flat_amount_decimal"])
            return Charge(rounded(exact), quantity, unit, number)
    raise ValueError("The last tier of a price has no end.")


def _decimal(text: str | None) -> Decimal:
    return ZERO if text is None else Decimal(text)
