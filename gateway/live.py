"""Live operations: how many there may be, how long they last, and the protocol graphql-transport-ws."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql.language import OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway import origins
from gateway.admission import Admission
from gateway.execution import AWAY, Job, Service
from gateway.wire import Asked, BadRequestError, asked, refusal, request_id_of
from observability.logs import logger
from storage.database import is_away
from tenants.context import Caller

log = logger(__name__)

PROTOCOL = "graphql-transport-ws"
STILL_ALLOWED_EVERY = 2.0  # seconds between two looks at a live caller's token
KEEP_ALIVE = 15.0
Still = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Streams:
    """Counts what is live, per token and per tenant."""

    service: Service
    _open: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """A place among the live operations; raises BadRequestError where there is none left."""
        settings = self.service.runtime.settings
        own, shared = f"{caller.tenant.id}:{caller.purse}", f"{caller.tenant.id}"
        with self._within({own: settings.graphql_live_per_token, shared: settings.graphql_live_per_tenant}):
            yield

    def socket(self, caller: Caller) -> AbstractContextManager[None]:
        """A place among the sockets that have begun, whether or not anything is asked over them."""
        settings = self.service.runtime.settings
        own, shared = f"socket {caller.tenant.id}:{caller.purse}", f"socket {caller.tenant.id}"
        return self._within({own: settings.graphql_sockets_per_token, shared: settings.graphql_sockets_per_tenant})

    def waiting(self, address: str) -> AbstractContextManager[None]:
        """A place among the sockets of an address that have not begun: nobody knows yet whose they are."""
        return self._within({f"waiting {address}": self.service.runtime.settings.graphql_sockets_waiting})

    @contextmanager
    def _within(self, limits: Mapping[str, int]) -> Iterator[None]:
        if any(self._open[name] >= most for name, most in limits.items()):
            raise BadRequestError(429, "TOO_MANY_LIVE", "Too many live operations are open.", retry_after=5)
        self._open.update(limits.keys())
        try:
            yield
        finally:
            self._open.subtract(limits.keys())
            self._open += Counter()

    def full(self, caller: Caller) -> BadRequestError | None:
        """Why there is no place for another live operation; None where there is one."""
        try:
            with self.place(caller):
                return None
        except BadRequestError as error:
            return error

    async def events(self, caller: Caller, job: Job, still: Still) -> AsyncIterator[dict[str, Any] | None]:
        """The answers of an operation; None now and then while there is none. Ends when the token does."""
        if job.kind is not OperationType.SUBSCRIPTION:
            yield (await self.service.answer(job)).body
            return
        if refused := self.full(caller):  # the last place was taken since the answer began
            yield refusal(refused)
            return
        with self.place(caller):
            answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(1)
            pump = asyncio.ensure_future(_pump(self.service.stream(job), answers))
            quiet = 0.0
            try:
                while True:
                    try:
                        body = await asyncio.wait_for(answers.get(), STILL_ALLOWED_EVERY)
                    except TimeoutError:
                        quiet += STILL_ALLOWED_EVERY
                        if not await still():
                            yield _ENDED
                            return
                        if quiet >= KEEP_ALIVE:
                            quiet = 0.0
                            yield None
                        continue
                    if body is None:
                        return
                    if not await still():
                        yield _ENDED
                        return
                    yield body
            finally:
                pump.cancel()
                while not answers.empty():  # the pump still wants to say that it has ended
                    answers.get_nowait()
                await asyncio.gather(pump, return_exceptions=True)


_FAILED = [{"message": "Something went wrong here. It was logged.", "extensions": {"code": "INTERNAL"}}]
_AWAY = refusal(BadRequestError(503, "UNAVAILABLE", AWAY))["errors"]
_ENDED: dict[str, Any] = {"errors": [{"message": "The token has ended.", "extensions": {"code": "TOKEN_EXPIRED"}}]}


async def _pump(stream: AsyncIterator[dict[str, Any]], answers: "asyncio.Queue[dict[str, Any] | None]") -> None:
    """Read a stream in one task from its beginning to its end: what it binds to the task is unbound there too."""
    try:
        async with aclosing(stream) as found:  # type: ignore[type-var]  # an async generator
            async for body in found:
                await answers.put(body)
    finally:
        await answers.put(None)


class CloseError(Exception):
    """The connection must end with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class Socket:
    """One connection that speaks graphql-transport-ws."""

    websocket: WebSocket
    service: Service
    admission: Admission
    streams: Streams
    _caller: Caller | None = None
    _bearer: str = ""
    _begun: bool = False
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    _places: ExitStack = field(default_factory=ExitStack)

    async def run(self) -> None:
        """Serve until either side ends it."""
        if PROTOCOL not in self.websocket.scope["subprotocols"]:
            await self.websocket.accept()
            await self.websocket.close(4406, "Subprotocol not acceptable")
            return
        client = self.websocket.client
        try:
            self._places.enter_context(self.streams.waiting(client.host if client else ""))
        except BadRequestError:
            await self.websocket.close()  # before it is accepted: answered 403
            return
        await self.websocket.accept(PROTOCOL)
        guard = asyncio.ensure_future(self._guard())
        try:
            receive = asyncio.ensure_future(self._receive())
            done, _ = await asyncio.wait({guard, receive}, return_when=asyncio.FIRST_COMPLETED)
            receive.cancel()
            for task in done:
                task.result()
        except CloseError as error:
            if self.websocket.client_state is WebSocketState.CONNECTED:
                with suppress(RuntimeError, WebSocketDisconnect):
                    await self.websocket.close(error.code, error.reason)
        except (WebSocketDisconnect, RuntimeError):
            pass
        except Exception as error:
            if not is_away(error):
                raise
            with suppress(RuntimeError, WebSocketDisconnect):
                await self.websocket.close(1013, "Try again later")
        finally:
            self._places.close()
            guard.cancel()
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(guard, *self._running.values(), return_exceptions=True)

    async def _guard(self) -> None:
        """Close what does not begin in time, and what outlives its token."""
        await asyncio.sleep(self.service.runtime.settings.graphql_init_timeout)
        if not self._begun:
            raise CloseError(4408, "Connection initialisation timeout")
        while True:
            await asyncio.sleep(STILL_ALLOWED_EVERY)
            if self._caller is not None and not await self.admission.still(self._bearer, self.websocket, self._caller):
                raise CloseError(4403, "Forbidden")

    async def _receive(self) -> None:
        while True:
            message = await self.websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if not isinstance(text, str):
                raise CloseError(4400, "Only text messages are read")
            if len(text) > self.service.runtime.settings.graphql_body_limit:
                raise CloseError(4400, "The message is too large")
            await self._handle(_message(text))

    async def _handle(self, message: dict[str, Any]) -> None:
        type_ = message["type"]
        if type_ == "connection_init":
            await self._begin(message.get("payload"))
        elif type_ == "ping":
            await self._send({"type": "pong", **({"payload": message["payload"]} if "payload" in message else {})})
        elif type_ == "pong":
            pass
        elif type_ == "subscribe":
            await self._subscribe(message)
        elif type_ == "complete":
            task = self._running.pop(_id(message), None)
            if task is not None:
                task.cancel()
        else:
            raise CloseError(4400, "Unknown type of message")

    async def _begin(self, payload: Any) -> None:
        if self._begun:
            raise CloseError(4429, "Too many initialisation requests")
        self._begun = True
        if payload is not None and not isinstance(payload, dict):
            raise CloseError(4400, "The payload of connection_init must be an object")
        given = {name.lower(): value for name, value in (payload or {}).items()}.get("authorization")
        scheme, _, token = given.partition(" ") if isinstance(given, str) else ("", "", "")
        self._bearer = token.strip() if scheme.lower() == "bearer" else self.admission.bearer(self.websocket)
        try:
            caller = await self.admission.verified(self._bearer, self.websocket)
            headers = self.websocket.headers
            origins.check(headers.get("origin"), headers.get("host"), self.service.runtime.settings.public_url, caller)
            self._places.close()  # it waits no longer
            self._places.enter_context(self.streams.socket(caller))
        except BadRequestError as error:
            if error.code == "TOO_MANY_LIVE":
                raise CloseError(4429, "Too many connections") from None
            raise CloseError(4403, "Forbidden") from None
        self._caller = caller
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, message: dict[str, Any]) -> None:
        id_ = _id(message)
        if self._caller is None:
            raise CloseError(4401, "Unauthorized")
        if id_ in self._running:
            raise CloseError(4409, f"Subscriber for {id_} already exists")
        if not isinstance(message.get("payload"), dict):
            raise CloseError(4400, "The payload of subscribe must be an object")
        try:
            given = asked(message["payload"])
        except BadRequestError as error:
            raise CloseError(4400, str(error)[:100]) from None
        if len(self._running) >= self.service.runtime.settings.graphql_live_per_token:
            raise CloseError(4429, "Too many operations at a time")
        self._running[id_] = asyncio.ensure_future(self._operate(id_, self._caller, given))

    async def _operate(self, id_: str, caller: Caller, given: Asked) -> None:
        """One operation: `next` for each answer and `complete`, or `error` for one that did not run."""
        try:
            job = await self.service.prepare(caller, given, request_id_of_socket(self.websocket))
            if job.kind is not OperationType.SUBSCRIPTION:
                answer = await self.service.answer(job)
                told = await self._told(id_, answer.body)
            else:
                told = True
                with self.streams.place(caller):
                    async for body in self.service.stream(job):
                        told = told and await self._told(id_, body)
            if told:
                await self._send({"id": id_, "type": "complete"})
        except BadRequestError as error:
            await self._send({"id": id_, "type": "error", "payload": refusal(error)["errors"]})
        except WebSocketDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 (whatever it is, the client must not wait for ever)
            log.error("live.failed", error=type(error).__name__)
            shown = _AWAY if is_away(error) else _FAILED
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._send({"id": id_, "type": "error", "payload": shown})
        finally:
            # the client may have ended this one and begun another under its id meanwhile
            if self._running.get(id_) is asyncio.current_task():
                del self._running[id_]

    async def _told(self, id_: str, body: dict[str, Any]) -> bool:
        """Send an answer; False for one of an operation that did not run, which ends it."""
        if "data" not in body:
            await self._send({"id": id_, "type": "error", "payload": body["errors"]})
            return False
        await self._send({"id": id_, "type": "next", "payload": body})
        return True

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._sending:
            await self.websocket.send_text(orjson.dumps(message).decode())


def request_id_of_socket(websocket: WebSocket) -> str:
    """A new id for each operation, unless the client gave one for the connection."""
    return request_id_of(websocket)  # type: ignore[arg-type]  # reads headers alone


def _message(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise CloseError(4400, "The message is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise CloseError(4400, "The message has no type")
    return found


def _id(message: dict[str, Any]) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not 1 <= len(id_) <= 200:
        raise CloseError(4400, "The message has no id")
    return id_
