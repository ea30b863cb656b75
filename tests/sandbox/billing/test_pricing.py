"""What quantities cost."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.billing.pricing import Charge, charges, packages, rounded, total


def per_unit(decimal: str, transform: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"billing_scheme": "per_unit", "unit_amount_decimal": decimal, "transform_quantity": transform}


def tiered(mode: str) -> dict[str, Any]:
    def tier(up_to: int | None, unit: str | None, flat: str | None) -> dict[str, Any]:
        return {"up_to": up_to, "unit_amount_decimal": unit, "flat_amount_decimal": flat}

    tiers = [tier(5, "500", None), tier(10, "400", "1000"), tier(None, "300", "2000")]
    return {"billing_scheme": "tiered", "tiers_mode": mode, "_tiers": tiers}


def test_a_decimal_price_is_rounded_once_for_the_whole_line() -> None:
    assert total(per_unit("0.000381"), 24_104_515) == 9184


@pytest.mark.parametrize(("exact", "whole"), [("0.5", 1), ("1.5", 2), ("-0.5", -1), ("166.35", 166)])
def test_halves_are_rounded_away_from_zero(exact: str, whole: int) -> None:
    assert rounded(Decimal(exact)) == whole


@pytest.mark.parametrize(("quantity", "amount"), [(0, 0), (5, 2500), (6, 3900), (10, 5500), (12, 8100)])
def test_a_graduated_price_adds_each_tier_and_its_flat_amount(quantity: int, amount: int) -> None:
    assert total(tiered("graduated"), quantity) == amount


def test_a_graduated_price_gives_a_line_for_each_tier_it_reaches() -> None:
    assert charges(tiered("graduated"), 7) == [
        Charge(2500, 5, Decimal(500), 1),
        Charge(1800, 2, Decimal(400), 2),
    ]


@pytest.mark.parametrize(("quantity", "amount"), [(5, 2500), (6, 3400), (10, 5000), (11, 5300)])
def test_a_volume_price_takes_the_tier_it_reaches_for_all(quantity: int, amount: int) -> None:
    assert total(tiered("volume"), quantity) == amount


@pytest.mark.parametrize(("rounding", "expected"), [("up", 3), ("down", 2)])
def test_a_transformed_quantity_is_divided_before_it_is_priced(rounding: str, expected: int) -> None:
    transform = {"divide_by": 5, "round": rounding}
    assert packages(transform, 11) == expected
    assert total(per_unit("700", transform), 11) == expected * 700
