"""Periods from an anchor."""

from datetime import UTC, datetime

import pytest

from sandbox.billing.periods import Interval, Period, after, containing


def second(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("times", "expected"),
    [(1, (2027, 2, 28)), (2, (2027, 3, 31)), (3, (2027, 4, 30)), (13, (2028, 2, 29)), (-2, (2026, 11, 30))],
)
def test_a_month_end_is_clamped_from_the_original_anchor(times: int, expected: tuple[int, int, int]) -> None:
    assert after(second(2027, 1, 31), Interval("month"), times) == second(*expected)


def test_a_leap_day_comes_back_every_fourth_year() -> None:
    anchor = second(2028, 2, 29)
    assert after(anchor, Interval("year"), 1) == second(2029, 2, 28)
    assert after(anchor, Interval("year"), 4) == second(2032, 2, 29)


def test_days_weeks_and_quarters_are_counted_whole() -> None:
    anchor = second(2027, 1, 31)
    assert after(anchor, Interval("day", 3), 2) == second(2027, 2, 6)
    assert after(anchor, Interval("week", 2), 1) == second(2027, 2, 14)
    assert after(anchor, Interval("month", 3), 1) == second(2027, 4, 30)


@pytest.mark.parametrize("unit", ["day", "week", "month", "year"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_period_of_a_moment_contains_it_and_touches_its_neighbours(unit: str, count: int) -> None:
    anchor, interval = second(2027, 1, 31), Interval(unit, count)
    for moment in range(second(2020, 1, 1), second(2036, 1, 1), 7_777_777):
        period = containing(anchor, interval, moment)
        assert period.start <= moment < period.end
        assert containing(anchor, interval, period.end).start == period.end


def test_a_period_begins_at_its_own_first_second() -> None:
    anchor = second(2027, 1, 31)
    assert containing(anchor, Interval("month"), anchor) == Period(anchor, second(2027, 2, 28))
