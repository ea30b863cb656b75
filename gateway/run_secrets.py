"""What `gateway run` makes up once and keeps in its data folder: passwords, keys and webhook secrets."""

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.private_file import read_json, write_private_json
from gateway.session_keys import new_session_key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint at the sandbox that delivers to our sidecar."""

    id: str
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class RunSecrets:
    """All that one data folder's gateway needs to be the same gateway after a restart."""

    sandbox_key: str
    app_password: str
    system_password: str
    session_key: str
    connect: Endpoint | None = None
    platform: Endpoint | None = None

    def with_endpoints(self, *, connect: Endpoint, platform: Endpoint) -> "RunSecrets":
        """The same with other endpoints."""
        return replace(self, connect=connect, platform=platform)

    def save(self, path: Path) -> None:
        """Write all, mode 600, by rename."""
        value: dict[str, Any] = {name: getattr(self, name) for name in _WORDS}
        for name in _ENDPOINTS:
            if endpoint := getattr(self, name):
                value[name] = {"id": endpoint.id, "url": endpoint.url, "secret": endpoint.secret}
        write_private_json(path, value)


_WORDS = ("sandbox_key", "app_password", "system_password", "session_key")
_ENDPOINTS = ("connect", "platform")


def load_or_make(path: Path) -> RunSecrets:
    """The folder's secrets; on first use new ones, saved at once. A file that lacks some gets just these."""
    found = read_json(path)
    values: dict[str, Any] = {name: str(found.get(name) or _new(name)) for name in _WORDS}
    values |= {name: Endpoint(**found[name]) for name in _ENDPOINTS if found.get(name)}
    made = RunSecrets(**values)
    if any(name not in found for name in _WORDS):
        made.save(path)
    return made


def _new(name: str) -> str:
    match name:
        case "sandbox_key":
            return f"sk_test_{secrets.token_hex(24)}"
        case "session_key":
            return new_session_key()
        case _:
            return secrets.token_urlsafe(24)
