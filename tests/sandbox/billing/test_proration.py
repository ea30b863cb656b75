"""Shares of a period; the figures are from real invoices."""

import pytest

from sandbox.billing.periods import Period
from sandbox.billing.proration import partial, share


@pytest.mark.parametrize(
    ("amount", "left", "length", "expected"),
    [
        (1000, 445_540, 2_678_400, 166),
        (3252, 445_540, 2_678_400, 541),
        (1000, 881_112, 2_419_200, 364),
        (2500, 2_591_996, 2_592_000, 2500),
    ],
)
def test_what_is_left_of_a_period_costs_its_share_in_seconds(
    amount: int, left: int, length: int, expected: int
) -> None:
    assert share(amount, Period(0, length), length - left) == expected


def test_a_moment_outside_the_period_leaves_all_or_nothing() -> None:
    assert share(1000, Period(100, 200), 50) == 1000
    assert share(1000, Period(100, 200), 300) == 0


def test_a_short_first_period_costs_its_part_of_a_whole_one() -> None:
    assert partial(2800, Period(0, 28), Period(14, 28)) == 1400
