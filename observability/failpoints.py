"""Named places where a test may kill the process, to prove that nothing is lost there; unarmed they cost nothing."""

import os
import signal
from collections.abc import Mapping
from enum import StrEnum

_armed: dict[str, int] = {}


class Failpoint(StrEnum):
    """Every place there is."""

    BEFORE_STRIPE = "before_stripe"
    AFTER_STRIPE = "after_stripe"
    BEFORE_COMMIT = "before_commit"
    INBOX_STORED = "inbox_stored"
    EVENT_LEASED = "event_leased"
    EVENT_APPLIED = "event_applied"


def arm(points: Mapping[str, int]) -> None:
    """Kill this process (-9) when a point is passed for the n-th time from now."""
    _armed.clear()
    _armed.update({Failpoint(name): count for name, count in points.items()})


def passed(point: Failpoint) -> None:
    """Called at the point itself."""
    if not _armed or point not in _armed:
        return
    _armed[point] -= 1
    if _armed[point] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
