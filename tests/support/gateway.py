"""The GraphQL endpoint for tests: the real one on a real database, reached without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from joserfc.jwk import OKPKey
from starlette.applications import Starlette
from starlette.routing import Route

from billing.operations import Operations
from billing.stripe_client import StripeGateway
from gateway import graphql
from gateway.endpoint import Endpoint
from gateway.runtime import Runtime
from gateway.settings import Settings
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants.auth import Authenticator
from tenants.sessions import SessionKeys


def runtime(database: Database, stripe: StripeGateway) -> Runtime:
    """What the endpoint works with; the logs stay as the test run has them."""
    book, cache = RevisionBook(database), LookupCache()
    sessions = SessionKeys([OKPKey.generate_key("Ed25519").as_pem(private=True).decode()])
    return Runtime(
        settings=Settings(),
        database=database,
        stripe=stripe,
        operations=Operations(database, stripe),
        book=book,
        cache=cache,
        sessions=sessions,
        authenticator=Authenticator(database, book, cache, sessions),
        wake=asyncio.Event(),
    )


@asynccontextmanager
async def endpoint_client(database: Database) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """A client of `/graphql`; its Stripe is at an address where nobody listens."""
    stripe = StripeGateway(api_key="sk_test_nobody", base="http://127.0.0.1:1", timeout=1.0)
    try:
        held = runtime(database, stripe)
        app = Starlette(routes=[Route("/graphql", Endpoint(held, graphql.build()).__call__, methods=["GET", "POST"])])
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client, held
    finally:
        await stripe.close()
