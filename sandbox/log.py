"""The append-only log: one write a request, read and compacted at start."""

import os
from pathlib import Path

import orjson

from sandbox.store import Store

NAME = "sandbox.log"


class Log:
    """With a folder, appends records to a file there; without one, forgets them."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / NAME
        self._file = -1

    def open(self, store: Store) -> None:
        """Fill the store from the file, write it back compact, and be ready to append."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            _read(self._path, store)
        compact = self._path.with_suffix(".new")
        with compact.open("wb") as file:
            for account, tables in store.accounts.items():
                for kind, objects in tables.items():
                    for value in objects.values():
                        file.write(_line({"n": store.sequence, "put": [(account, kind, value)], "del": []}))
            file.flush()
            os.fsync(file.fileno())
        compact.replace(self._path)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def append(self, record: bytes) -> None:
        """One write() into the page cache: it survives the end of the process, not of the machine."""
        if self._file >= 0 and os.write(self._file, record) != len(record):
            raise OSError("The sandbox's log could not be written whole.")

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _line(record: object) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _read(path: Path, store: Store) -> None:
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return  # torn by a kill in the middle of the write: its request was never answered
            record = orjson.loads(line)
            store.sequence = record["n"]  # a state that was put back may count from less
            for account, kind, value in record["put"]:
                store.put(account, kind, value)
            for account, kind, object_id in record["del"]:
                store.drop(account, kind, object_id)
