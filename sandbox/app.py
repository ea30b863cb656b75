"""The ASGI application: the API on a short path of its own, everything else through Starlette."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

import orjson
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from sandbox import authorization, control, pages
from sandbox.config import Config
from sandbox.delivery import Deliverer
from sandbox.due import Due
from sandbox.errors import StripeError
from sandbox.faults import Effect, Fault, Faults
from sandbox.http.api import Answer, Api, Request
from sandbox.log import Log
from sandbox.pages.desk import Desk
from sandbox.resources import load
from sandbox.store import Store


class TooLargeError(Exception):
    """The body is over the limit."""


class SandboxApp(Starlette):
    """Takes /v1/ and /v2/ before Starlette's middleware and routing, which cost more than the operations."""

    def __init__(self, config: Config) -> None:
        load()
        self._config = config
        self._store = Store()
        self._log = Log(config.data)
        self._log.open(self._store)
        self._faults = Faults(config.seed)
        self._deliverer = Deliverer(config, self._store, self._log)
        self.api = Api(config, self._store, self._log, self._deliverer.deliver)
        self._due = Due(config, self._store, self.api.commit)
        super().__init__(
            routes=[
                *control.routes(self.api, self._deliverer, self._faults, self._store.chaos),
                *authorization.routes(Desk(self.api)),
                *pages.routes(self.api),
            ],
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("/v1/", "/v2/")):
            await self._serve(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve_rest(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _serve_rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            limit = self._config.state_limit if scope["path"] == "/_sandbox/state" else self._config.body_limit
            body = await _body(receive, limit)
        except TooLargeError:
            await _send(send, Answer(413, _error("The request is too large."), _JSON))
            return
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            return next(parts, None) or await receive()

        await super().__call__(scope, replay, send)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._deliverer.start()
        self._due.start()
        try:
            yield
        finally:
            await self._due.stop()
            await self._deliverer.stop()
            self._log.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await _body(receive, self._config.body_limit)
        except TooLargeError:
            await _send(send, Answer(413, _error("The request is too large."), _JSON))
            return
        request = Request(scope["method"], scope["path"], scope["query_string"], headers, body)
        fault = self._faults.take(request.method, request.path, headers.get("stripe-account"))
        if fault is not None and fault.effect in {Effect.STATUS, Effect.DROP_BEFORE}:
            await self._fail(fault, receive, send)
            return
        answer = self.api.answer(request, failure=_failure(fault))
        if fault is not None and fault.effect is Effect.DROP_ANSWER:
            await self._fail(fault, receive, send)
            return
        if fault is not None and fault.effect is Effect.SLOW:
            with self.api.in_flight(request):
                await asyncio.sleep(fault.seconds)
        await _send(send, answer, skew=self._store.chaos.clock_skew)

    async def _fail(self, fault: Fault, receive: Receive, send: Send) -> None:
        if fault.effect is Effect.STATUS:
            await _send(send, Answer(fault.status, _error("The sandbox was told to fail here."), _JSON))
            return
        # ASGI has no word for cutting a connection: uvicorn's `send` is a method of the object that holds it.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionAbortedError("The sandbox was told to cut this connection.")
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass  # uvicorn must know of the cut before this returns, or it reports a missing answer


_JSON = {"Content-Type": "application/json"}


def create_app(config: Config) -> Starlette:
    """A sandbox with its state read from `config.data`; its lifespan runs the deliveries."""
    return SandboxApp(config)


async def _body(receive: Receive, limit: int) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > limit:
            raise TooLargeError
        if not message.get("more_body"):
            return body


async def _send(send: Send, answer: Answer, *, skew: float = 0.0) -> None:
    date = formatdate(time.time() + skew, usegmt=True)
    headers = answer.headers | {"Content-Length": str(len(answer.body)), "Date": date}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


def _failure(fault: Fault | None) -> StripeError | None:
    if fault is None or fault.effect not in {Effect.SAVED, Effect.SAVED_AFTER}:
        return None
    took_effect = fault.effect is Effect.SAVED_AFTER
    return StripeError(fault.status, "api_error", "The sandbox was told to fail here.", keep=took_effect)


def _error(message: str) -> bytes:
    return orjson.dumps({"error": {"type": "api_error", "message": message}})
