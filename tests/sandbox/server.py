"""Runs a sandbox, and a receiver of webhooks, on ports that the system chooses."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.app import create_app
from sandbox.config import Config
from tests.contract.checking import checked

KEY = "sk_test_sandbox_tests"


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The address of a running app; connections wait in the socket until the app is ready."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="auto"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


@asynccontextmanager
async def sandbox_running(
    data: Path | None = None, retry_schedule: tuple[float, ...] = (0.01, 0.01), **more: Any
) -> AsyncIterator[str]:
    config = Config(api_keys=(KEY,), data=data, retry_schedule=retry_schedule, **more)
    with checked(create_app(config)) as app:
        async with serving(app) as address:
            yield address


@asynccontextmanager
async def official_client(address: str) -> AsyncIterator[stripe.StripeClient]:
    """The official SDK, with none of its four addresses left at the real hosts."""
    http_client = stripe.AIOHTTPClient()
    yield stripe.StripeClient(
        KEY,
        base_addresses={"api": address, "connect": address, "files": address, "meter_events": address},
        http_client=http_client,
    )
    await http_client.close_async()  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class Receiver:
    """Takes webhooks; answers 500 as often as `failures` says, then 200."""

    failures: int = 0
    url: str = ""
    arrived: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        async with serving(Starlette(routes=[Route("/hook", self._take, methods=["POST"])])) as address:
            self.url = address + "/hook"
            yield self

    async def _take(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.arrived.put_nowait((body, request.headers["stripe-signature"]))
        if self.failures:
            self.failures -= 1
            return Response(status_code=500)
        return Response()


def raw(value: stripe.StripeObject) -> dict[str, Any]:
    """The object as plain data."""
    plain: dict[str, Any] = value.to_dict()
    return plain


def loose(given: Any) -> Any:
    """Parameters put together from parts, which the SDK's types can't follow."""
    return given


@dataclass(slots=True)
class Caller:
    """Plain calls of the API, for what the SDK's types make hard to write."""

    session: aiohttp.ClientSession

    async def post(self, path: str, given: Any = None, **headers: str) -> Any:
        """The answer, or the error's hash."""
        async with self.session.post(path, data=dict(_flat(given or {})), headers=headers) as answer:
            body = await answer.json()
            return body.get("error", body)

    async def get(self, path: str, given: Any = None, **headers: str) -> Any:
        async with self.session.get(path, params=dict(_flat(given or {})), headers=headers) as answer:
            body = await answer.json()
            return body.get("error", body)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Stripe's form encoding."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{place}]")
    else:
        yield name, str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
