"""The sidecar's own application: verify the bytes, keep the event, answer 200. Everything else happens later."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.database import Database
from webhooks import inbox
from webhooks.intake import Intake
from webhooks.signature import BadSignatureError, verify

PATH = "/webhooks/stripe"
_MAX_BODY = 1024 * 1024
_STORE_WITHIN = 0.9  # seconds; Stripe is told to come again rather than kept waiting

log = logger(__name__)


def refuse(status: int, code: str, message: str, *, retry_after: int | None = None) -> JSONResponse:
    """A refusal with a code; nothing was stored."""
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return None
    return bytes(body)


async def receive(request: Request) -> Response:
    """Take in one delivery of Stripe's. 2xx is sent only after the event is committed."""
    secrets: Sequence[str] = request.app.state.webhook_secrets
    database: Database = request.app.state.database
    intake: Intake = request.app.state.intake
    payload = await _body(request)
    if payload is None:
        return refuse(413, "BODY_TOO_LARGE", "The body is larger than 1 MiB.")
    try:
        verify(payload, request.headers.get("stripe-signature"), secrets, now=datetime.now(UTC))
        async with asyncio.timeout(_STORE_WITHIN):
            fresh = await intake.keep(database.system, inbox.Delivery.parse(payload))
    except BadSignatureError:
        return refuse(400, "INVALID_SIGNATURE", "The Stripe-Signature header does not fit this body.")
    except inbox.MalformedEventError:
        return refuse(400, "MALFORMED_EVENT", "The body is not a Stripe event.")
    except Exception as error:  # noqa: BLE001 (whatever the database says, Stripe must come again)
        log.warning("inbox.unavailable", error=type(error).__name__)
        return refuse(503, "INBOX_UNAVAILABLE", "The event could not be stored now.", retry_after=5)
    await passed(Failpoint.INBOX_STORED)
    return JSONResponse({"received": True, "duplicate": not fresh})


def create(lifespan: Lifespan[Starlette], health: Sequence[Route]) -> Starlette:
    """The application; `lifespan` puts `database` and `webhook_secrets` on its state."""
    app = Starlette(routes=[Route(PATH, receive, methods=["POST"]), *health], lifespan=lifespan)
    app.state.intake = Intake()
    return app
