"""Shares of a period, counted in seconds."""

from decimal import Decimal

from sandbox.billing.periods import Period
from sandbox.billing.pricing import rounded


def share(amount: int, period: Period, moment: int) -> int:
    """The part of a period's amount that is left from the moment on, to the nearest cent."""
    left = min(max(period.end - moment, 0), period.end - period.start)
    return rounded(Decimal(amount) * left / (period.end - period.start))


def partial(amount: int, whole: Period, used: Period) -> int:
    """What the used part of a whole period costs; the used part may be longer than one period."""
    return rounded(Decimal(amount) * (used.end - used.start) / (whole.end - whole.start))
