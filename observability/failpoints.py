"""Named places where a test may kill the process, to prove that nothing is lost there; unarmed they cost nothing."""

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

_folder: Path | None = None
_held: Counter[str] = Counter()


class Failpoint(StrEnum):
    """Every place there is."""

    BEFORE_STRIPE = "before_stripe"
    AFTER_STRIPE = "after_stripe"
    BEFORE_COMMIT = "before_commit"
    INBOX_STORED = "inbox_stored"
    EVENT_LEASED = "event_leased"
    EVENT_APPLIED = "event_applied"
    REREAD_DONE = "reread_done"
    PAGE_SAVED = "page_saved"
    EFFECT_DONE = "effect_done"


def arm(folder: Path) -> None:
    """From now on a file in `folder` with a point's name kills (-9) the first process that passes the point.

    A number in the file holds whoever passes until so many are held, and then kills them all at once.
    """
    global _folder
    _folder = folder


async def passed(point: Failpoint) -> None:
    """Called at the point itself. Whoever takes the file away dies, so that one file kills one process."""
    if _folder is None:
        return
    with suppress(FileNotFoundError):
        wanted = int((_folder / point.value).read_text() or 1)
        _held[point] += 1
        if _held[point] < wanted:
            await asyncio.Event().wait()
        (_folder / point.value).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
