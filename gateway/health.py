"""Whether a process lives, and whether it can do its work now."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from observability.logs import logger
from storage.database import Database

log = logger(__name__)

_WITHIN = 1.0  # seconds


async def livez(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """The database answers too; else 503, and no traffic should come here."""
    database: Database = request.app.state.database
    try:
        async with asyncio.timeout(_WITHIN):
            await database.system.execute_query_dict("select 1")
    except Exception as error:  # noqa: BLE001 (whatever it is, we are not ready)
        log.warning("not ready", error=type(error).__name__)
        return JSONResponse({"ready": False}, status_code=503)
    return JSONResponse({"ready": True})


def routes() -> list[Route]:
    """Both, for any application whose state has a `database`."""
    return [Route("/livez", livez), Route("/readyz", readyz)]
