"""Billing periods: an anchor plus whole intervals, month ends clamped from the anchor itself."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Interval:
    """`count` days, weeks, months or years."""

    unit: str
    count: int = 1

    def roughly(self) -> int:
        """Its length in seconds, for estimates and for ordering."""
        days = DAYS[self.unit] if self.unit in DAYS else MONTHS[self.unit] * 30
        return days * self.count * 86_400


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (inside) to `end` (outside), in seconds."""

    start: int
    end: int


def after(anchor: int, interval: Interval, times: int) -> int:
    """The anchor plus `times` intervals: from Jan 31 one month is Feb 28, two months are Mar 31 again."""
    at = datetime.fromtimestamp(anchor, UTC)
    if interval.unit in DAYS:
        return int((at + timedelta(days=DAYS[interval.unit] * interval.count * times)).timestamp())
    month = at.year * 12 + at.month - 1 + MONTHS[interval.unit] * interval.count * times
    year, month = month // 12, month % 12 + 1
    day = min(at.day, monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())


def containing(anchor: int, interval: Interval, moment: int) -> Period:
    """The period that the moment lies in, when one begins at the anchor and they follow each other both ways."""
    times = (moment - anchor) // interval.roughly()
    while after(anchor, interval, times) > moment:
        times -= 1
    while after(anchor, interval, times + 1) <= moment:
        times += 1
    return Period(after(anchor, interval, times), after(anchor, interval, times + 1))
