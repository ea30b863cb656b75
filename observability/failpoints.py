"""Named places where a test may kill the process, to prove that nothing is lost there; unarmed they cost nothing."""

import os
import signal
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

_folder: Path | None = None


class Failpoint(StrEnum):
    """Every place there is."""

    BEFORE_STRIPE = "before_stripe"
    AFTER_STRIPE = "after_stripe"
    BEFORE_COMMIT = "before_commit"
    INBOX_STORED = "inbox_stored"
    EVENT_LEASED = "event_leased"
    EVENT_APPLIED = "event_applied"


def arm(folder: Path) -> None:
    """From now on a file in `folder` with a point's name kills (-9) the first process that passes the point."""
    global _folder
    _folder = folder


def passed(point: Failpoint) -> None:
    """Called at the point itself. Whoever takes the file away dies, so that one file kills one process."""
    if _folder is None:
        return
    with suppress(FileNotFoundError):
        (_folder / point.value).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
