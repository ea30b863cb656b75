"""Files for our own eyes: mode 600 from the first byte, and whole or not at all."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson


def write_private_json(path: Path, value: Any) -> None:
    """Write JSON beside the path and rename it into place."""
    write_private(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_private_shell(path: Path, variables: Mapping[str, str]) -> None:
    """Write variables as a POSIX shell reads them with `.`, each quoted."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables.items()]
    write_private(path, "".join(lines).encode("utf-8"))


def write_private(path: Path, content: bytes) -> None:
    """Write beside the path and rename into place."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; an empty one where there is no file or no object in it."""
    try:
        found = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
