"""What there is to compare with: bare servers that do as little as can be done.

python -m bench.floors PORT bytes SIZE      uvicorn alone, ready bytes
python -m bench.floors PORT route SIZE      a Starlette route, ready bytes
python -m bench.floors PORT query URL       a Starlette route that asks PostgreSQL once by raw asyncpg
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# What the bench's document asks for, made into JSON by PostgreSQL itself: no filter by tenant, no types, no cursors.
_JOINED = """
select json_agg(row_to_json(x))::text from (
    select s.stripe_id, s.status, s.current_period_end,
        (select row_to_json(p) from (
            select pr.stripe_id, pr.currency, pr.unit_amount, pr.interval from subscription_items i
                join prices pr on pr.tenant_id = i.tenant_id and pr.livemode = i.livemode and pr.stripe_id = i.price_id
                where i.tenant_id = s.tenant_id and i.livemode = s.livemode and i.parent_id = s.stripe_id) p) as plan,
        (select json_agg(row_to_json(n)) from (
            select n.stripe_id, n.number, n.status, n.currency, n.total, n.created from invoices n
                where n.tenant_id = s.tenant_id and n.livemode = s.livemode and n.subscription_id = s.stripe_id
                order by n.created desc, n.stripe_id desc limit 3) n) as invoices
    from subscriptions s where s.tenant_id = 1 and not s.livemode
    order by s.created desc, s.stripe_id desc limit 20) x
"""


def _bytes(size: int) -> Any:
    body = b"x" * size
    headers = [(b"content-length", str(size).encode())]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _route(size: int) -> Starlette:
    body = b"x" * size

    async def ready(_: Request) -> Response:
        return Response(body)

    return Starlette(routes=[Route("/graphql", ready, methods=["POST"])])


def _query(url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url, min_size=10, max_size=10) as pool:
            app.state.pool = pool
            yield

    async def asked(request: Request) -> Response:
        await request.body()
        return Response(await request.app.state.pool.fetchval(_JOINED), media_type="application/json")

    return Starlette(routes=[Route("/graphql", asked, methods=["POST"])], lifespan=lifespan)


def main() -> None:
    """The command line."""
    port, kind, given = sys.argv[1:]
    app = _query(given) if kind == "query" else {"bytes": _bytes, "route": _route}[kind](int(given))
    lifespan: Any = "off" if kind == "bytes" else "on"
    uvicorn.run(app, port=int(port), log_level="error", access_log=False, lifespan=lifespan)


if __name__ == "__main__":
    main()
