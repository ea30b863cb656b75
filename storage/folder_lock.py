"""Keeps a second process out of a folder; the system drops the lock with its holder, however that ends."""

import fcntl
import os
from pathlib import Path
from typing import IO


class FolderInUseError(RuntimeError):
    """Another process holds the folder; the message names it."""


class FolderLock:
    """A lock on one file in the folder, which tells others the holder's process id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Hold the lock from now on; taking it again changes nothing. Raises FolderInUseError."""
        if self._file is not None:
            return
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise FolderInUseError(
                f"the folder {self._path.parent} is in use by another process (id {holder}): "
                "stop that one, or choose another folder"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let others have it; the file stays, since removing it would race with them."""
        if self._file is not None:
            self._file.close()
            self._file = None
