"""The GraphQL endpoint over HTTP: one request, a batch, or a stream of server-sent events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from graphql.language import OperationType
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway import origins
from gateway.admission import Admission
from gateway.execution import AWAY, Job, Service
from gateway.live import Streams
from gateway.wire import (
    EVENTS,
    GRAPHQL,
    JSON,
    SECURITY,
    Asked,
    BadRequestError,
    media_of,
    read,
    refusal,
    request_id_of,
    respond,
    wanted_revision,
)
from observability.logs import logger
from storage.database import is_away
from tenants.context import Caller

log = logger(__name__)

RESPONSE_TYPE = GRAPHQL


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`/graphql` for every audience: the token decides everything."""

    service: Service
    admission: Admission
    streams: Streams

    async def __call__(self, request: Request) -> Response:
        """Answer one request; refusals have a status, a code, and did nothing."""
        media = media_of(request.headers.get("accept", ""))
        headers = {"X-Request-Id": request_id_of(request)}
        try:
            if request.method == "OPTIONS":
                return await origins.preflight(request, self.service.runtime.database)
            if media is None:
                wanted = "Accept application/graphql-response+json, application/json or text/event-stream."
                raise BadRequestError(406, "NOT_ACCEPTABLE", wanted)
            return await self._serve(request, media, headers)
        except BadRequestError as error:
            headers |= await self._readable(request, headers)
            return self._refused(error, media, headers)
        except Exception as error:
            if not is_away(error):
                raise
            log.error("database.away", error=type(error).__name__)
            return self._refused(BadRequestError(503, "UNAVAILABLE", AWAY, retry_after=1), media, headers)

    async def _serve(self, request: Request, media: str, headers: dict[str, str]) -> Response:
        caller = await self.admission.admit(request)
        settings = self.service.runtime.settings
        headers |= origins.check(
            request.headers.get("origin"), request.headers.get("host"), settings.public_url, caller
        )
        given = await read(request, body_limit=settings.graphql_body_limit, batch_limit=settings.graphql_batch_limit)
        wanted = wanted_revision(request)
        if wanted is not None:
            headers["Billing-Revision"] = str(await self.service.catch_up(caller, wanted))
        request_id = headers["X-Request-Id"]
        if isinstance(given, list):
            return await self._batch(caller, given, request_id, media, headers)
        job = await self.service.prepare(caller, given, request_id)
        if job.kind is not OperationType.QUERY and request.method == "GET" and media != EVENTS:
            raise BadRequestError(405, "METHOD_NOT_ALLOWED", "GET is for queries.")
        if job.kind is OperationType.MUTATION and request.method == "GET":
            raise BadRequestError(405, "METHOD_NOT_ALLOWED", "GET is for queries and live operations.")
        if media == EVENTS:
            return await self._events(request, caller, job, headers)
        if job.kind is OperationType.SUBSCRIPTION:
            message = "A live operation goes over WebSocket, or is asked for as text/event-stream."
            raise BadRequestError(400, "LIVE_OPERATION", message)
        answer = await self.service.answer(job, media=media)
        return respond(answer.body, answer.status, media, headers | answer.headers)

    async def _batch(
        self, caller: Caller, given: list[Asked], request_id: str, media: str, headers: dict[str, str]
    ) -> Response:
        """One after the other; each has its own answer, and one that is refused does not stop the next."""
        if media == EVENTS:
            raise BadRequestError(400, "BAD_REQUEST", "A batch can't be answered as text/event-stream.")
        bodies: list[dict[str, Any]] = []
        for each in given:
            try:
                job = await self.service.prepare(caller, each, request_id)
                if job.kind is OperationType.SUBSCRIPTION:
                    raise BadRequestError(400, "LIVE_OPERATION", "A live operation can't be part of a batch.")
                answer = await self.service.answer(job, media=JSON)
                bodies.append(answer.body)
                if "Billing-Revision" in answer.headers:
                    headers["Billing-Revision"] = answer.headers["Billing-Revision"]
            except BadRequestError as error:
                bodies.append(refusal(error))
                if error.retry_after is not None:
                    headers["Retry-After"] = str(max(error.retry_after, int(headers.get("Retry-After", 0))))
        return respond(bodies, 200, media, headers)

    async def _events(self, request: Request, caller: Caller, job: Job, headers: dict[str, str]) -> Response:
        """Server-sent events, in the protocol's distinct connections mode."""
        if job.kind is OperationType.SUBSCRIPTION and (refused := self.streams.full(caller)):
            raise refused
        bearer = self.admission.bearer(request)
        stream = self.streams.events(caller, job, lambda: self.admission.still(bearer, request, caller))

        async def lines() -> AsyncIterator[bytes]:
            async for body in stream:
                if body is None:
                    yield b":\n\n"  # keeps the connection open
                else:
                    yield b"event: next\ndata: " + orjson.dumps(body) + b"\n\n"
            yield b"event: complete\ndata:\n\n"

        kept = SECURITY | headers | {"X-Accel-Buffering": "no"}
        return StreamingResponse(lines(), headers=kept, media_type=EVENTS)

    async def _readable(self, request: Request, headers: dict[str, str]) -> dict[str, str]:
        if "Access-Control-Allow-Origin" in headers or "origin" not in request.headers:
            return {}
        try:
            return await origins.readable(request, self.service.runtime.database)
        except Exception as error:
            if not is_away(error):
                raise
            return {}  # the refusal stands, though the page can't read it

    def _refused(self, error: BadRequestError, media: str | None, headers: dict[str, str]) -> Response:
        more = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        if error.status == 405:
            more["Allow"] = "POST"
        if error.retry_after is not None:
            more["Retry-After"] = str(error.retry_after)
        return respond(refusal(error), error.status, GRAPHQL if media == GRAPHQL else JSON, headers | more)
