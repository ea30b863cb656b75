"""Opens everything that a process holds, in one place, and closes it in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

from billing.operations import Operations
from billing.pressure import Limits
from billing.stripe_client import StripeGateway
from gateway.models import MODELS
from gateway.session_keys import session_keys
from gateway.settings import Settings
from observability import failpoints, logs
from storage.buckets import Store, make_store
from storage.cache import LookupCache
from storage.database import Database, PoolLimits, open_database
from storage.feed import Listener, RevisionBook
from tenants.auth import Authenticator
from tenants.last_used import LastUsed
from tenants.providers import Providers
from tenants.safe_fetch import fetch
from tenants.sessions import SessionKeys

log = logs.logger(__name__)
_USED_EVERY = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a process holds while it runs."""

    settings: Settings
    database: Database
    stripe: StripeGateway
    operations: Operations
    book: RevisionBook
    cache: LookupCache
    sessions: SessionKeys
    authenticator: Authenticator
    buckets: Store
    wake: asyncio.Event


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Everything that gateway, worker and the demo share."""
    if settings.gateway_failpoints:
        failpoints.arm(Path(settings.gateway_failpoints))
    logs.configure(level=settings.gateway_log_level, console=settings.gateway_log_format == "console")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                app=settings.app_url(),
                system=settings.system_url(),
                models=MODELS,
                limits=PoolLimits(app=settings.gateway_app_pool, system=settings.gateway_system_pool),
            )
        )
        stripe = StripeGateway(
            api_key=settings.stripe_api_key.get_secret_value(),
            base=settings.stripe_api_base or None,
            timeout=settings.stripe_timeout,
            limits=Limits(background_per_second=settings.stripe_background_rate),
        )
        stack.push_async_callback(stripe.close)
        book, cache, wake = RevisionBook(database), LookupCache(), asyncio.Event()
        sessions = SessionKeys(session_keys(settings.gateway_session_key.get_secret_value()))
        await stack.enter_async_context(running(Listener(database, book=book, wake=wake).run()))
        buckets, redis = make_store(
            settings.redis_url.get_secret_value(), lambda error: log.warning("redis.away", error=error)
        )
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        used = LastUsed()
        await stack.enter_async_context(running(_writing(used, database)))
        yield Runtime(
            settings=settings,
            database=database,
            stripe=stripe,
            operations=Operations(database, stripe),
            book=book,
            cache=cache,
            sessions=sessions,
            authenticator=Authenticator(
                database,
                book,
                cache,
                sessions,
                buckets,
                used,
                Providers(database, partial(fetch, private=settings.gateway_private_providers)),
            ),
            buckets=buckets,
            wake=wake,
        )


async def _writing(used: LastUsed, database: Database) -> None:
    """Bring the times at which keys were used into the database."""
    while True:
        await asyncio.sleep(_USED_EVERY)
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await used.write(database)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run something beside the block, and end it with the block."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
