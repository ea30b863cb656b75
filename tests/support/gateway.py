"""The GraphQL endpoint for tests: the real one on a real database, reached without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from joserfc.jwk import OKPKey
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from billing.operations import Operations
from billing.stripe_client import StripeGateway
from gateway.app import endpoint_of, graphql_socket
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.wire import GRAPHQL
from storage.buckets import MemoryStore
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants.auth import Authenticator
from tenants.last_used import LastUsed
from tenants.providers import Providers
from tenants.safe_fetch import fetch
from tenants.sessions import SessionKeys


def runtime(database: Database, stripe: StripeGateway, settings: Settings | None = None) -> Runtime:
    """What the endpoint works with; the logs stay as the test run has them."""
    book, cache, buckets = RevisionBook(database), LookupCache(), MemoryStore()
    sessions = SessionKeys([OKPKey.generate_key("Ed25519").as_pem(private=True).decode()])
    return Runtime(
        settings=settings or Settings(),
        database=database,
        stripe=stripe,
        operations=Operations(database, stripe),
        book=book,
        cache=cache,
        sessions=sessions,
        authenticator=Authenticator(
            database, book, cache, sessions, buckets, LastUsed(), Providers(database, partial(fetch, private=True))
        ),
        buckets=buckets,
        wake=asyncio.Event(),
    )


@asynccontextmanager
async def endpoint_client(
    database: Database, *, settings: Settings | None = None, stripe: StripeGateway | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """A client of `/graphql`; unless told otherwise its Stripe is at an address where nobody listens."""
    nobody = StripeGateway(api_key="sk_test_nobody", base="http://127.0.0.1:1", timeout=1.0)
    try:
        held = runtime(database, stripe or nobody, settings)
        endpoint = endpoint_of(held)
        app = Starlette(
            routes=[
                Route("/graphql", endpoint.__call__, methods=["GET", "POST", "OPTIONS"]),
                WebSocketRoute("/graphql", graphql_socket),
            ]
        )
        app.state.endpoint = endpoint
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers={"accept": GRAPHQL}
        ) as client:
            yield client, held
    finally:
        await nobody.close()
