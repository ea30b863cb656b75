"""Opens everything that a process holds, in one place, and closes it in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from billing.operations import Operations
from billing.pressure import Limits
from billing.stripe_client import StripeGateway
from gateway.models import MODELS
from gateway.session_keys import session_keys
from gateway.settings import Settings
from observability import failpoints, logs
from storage.cache import LookupCache
from storage.database import Database, PoolLimits, open_database
from storage.feed import Listener, RevisionBook
from tenants.auth import Authenticator
from tenants.sessions import SessionKeys


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
    wake: asyncio.Event


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Everything that gateway, worker and command line share."""
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
        yield Runtime(
            settings=settings,
            database=database,
            stripe=stripe,
            operations=Operations(database, stripe),
            book=book,
            cache=cache,
            sessions=sessions,
            authenticator=Authenticator(database, book, cache, sessions),
            wake=wake,
        )


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
