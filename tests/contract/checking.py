"""Puts the contract between a sandbox and its clients: every API answer that passes is checked."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.operations import find
from tests.contract.operations import core_operations
from tests.contract.responses import problems

MAX_REPORTED = 10


class CheckedApp:
    """An ASGI application that passes everything on, and collects what is wrong with the answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.checked = 0
        self.found: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if operation is None or operation[0].name not in core_operations():
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        await self._app(scope, receive, answer)
        if answer.body:
            self._check(operation[0].name, answer.status, answer.body)

    def _check(self, operation: str, status: int, body: bytes) -> None:
        self.checked += 1
        found = problems(operation, status, orjson.loads(body))
        if found and len(self.found) < MAX_REPORTED:
            self.found.append(f"{operation} answered {status}:\n    " + "\n    ".join(found))


class _Answer:
    """A `send` that remembers; it keeps the server's own object, by which the sandbox cuts connections."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.__self__ = getattr(send, "__self__", None)
        self.status = 0
        self.body = b""

    async def __call__(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        await self._send(message)


@contextmanager
def checked(app: ASGIApp) -> Iterator[CheckedApp]:
    """The application with its answers checked; leaving the block raises if one broke the contract."""
    watched = CheckedApp(app)
    yield watched
    assert not watched.found, "answers that Stripe would not give:\n  " + "\n  ".join(watched.found)
