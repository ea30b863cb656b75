"""CORS by tenant: a browser's page may ask only where its origin is registered."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.wire import SECURITY, BadRequestError
from storage.database import Database
from tenants.context import Caller

ALLOWED_HEADERS = "Authorization, Billing-Min-Revision, Billing-Tenant, Content-Type, X-Request-Id"
EXPOSED_HEADERS = "Billing-Revision, Retry-After, X-Request-Id"
_REMEMBERED = "600"  # seconds


async def preflight(request: Request, database: Database) -> Response:
    """It bears no token, so it is answered for any origin that some tenant has registered."""
    origin = request.headers.get("origin", "")
    headers = {**SECURITY, "Allow": "GET, POST, OPTIONS", "Vary": "Origin"}
    if origin and len(origin) < 300 and await _registered(database, origin):
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": _REMEMBERED,
        }
    return Response(status_code=204, headers=headers)


def check(origin: str | None, host: str | None, public_url: str, caller: Caller) -> dict[str, str]:
    """The answer's headers for this origin, or a refusal: the token's own tenant must have registered it."""
    headers = {"Vary": "Origin"}
    if origin is None or _is_own(origin, host, public_url):
        return headers
    if origin not in caller.tenant.cors_origins:
        raise BadRequestError(403, "ORIGIN_NOT_ALLOWED", "The tenant has not registered this origin.")
    return headers | shown(origin)


def shown(origin: str) -> dict[str, str]:
    """What lets a page of this origin read the answer."""
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED_HEADERS}


async def readable(request: Request, database: Database) -> dict[str, str]:
    """Headers for a refusal: a registered origin's page may read why."""
    origin = request.headers.get("origin")
    if origin and len(origin) < 300 and await _registered(database, origin):
        return {"Vary": "Origin"} | shown(origin)
    return {"Vary": "Origin"}


def _is_own(origin: str, host: str | None, public_url: str) -> bool:
    """A page that the gateway itself served: GraphiQL."""
    # compared, never parsed: what a stranger calls an origin need not be an address
    return origin == public_url or origin in {f"http://{host}", f"https://{host}"}


async def _registered(database: Database, origin: str) -> bool:
    rows = await database.app.execute_query_dict("select origin_registered($1) as known", [origin])
    return bool(rows[0]["known"])
