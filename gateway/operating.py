"""What the operators' commands share: the database or Stripe for one command's time, a tenant by slug, and who asks."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
from tortoise.exceptions import DBConnectionError, OperationalError

from billing.pressure import Limits
from billing.stripe_client import StripeGateway
from gateway.models import MODELS
from gateway.settings import Settings
from gateway.user_error import UserError
from observability import logs
from storage.database import Database, PoolLimits, open_database
from tenants.audit import Author
from tenants.context import CLOSED
from tenants.models import Tenant

T = TypeVar("T")
_OLDER = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
NEEDED = ("database_url", "gateway_app_password", "gateway_system_password")


@dataclass(frozen=True, slots=True)
class Desk:
    """What most commands need: no key of Stripe's, and none that signs tokens."""

    settings: Settings
    database: Database


@dataclass(frozen=True, slots=True)
class StripeDesk(Desk):
    """The same, with the way to Stripe."""

    stripe: StripeGateway


def at_desk(work: Callable[[Desk], Awaitable[T]], *needed: str) -> T:
    """Run something that keeps to the database; `needed` are settings that it wants besides. Raises UserError."""
    settings = Settings.load(*NEEDED, *needed)

    async def run() -> T:
        async with _database(settings) as database:
            return await work(Desk(settings, database))

    return asyncio.run(run())


def with_stripe(work: Callable[[StripeDesk], Awaitable[T]]) -> T:
    """Run something that talks to Stripe too. Raises UserError."""
    settings = Settings.load(*NEEDED, "stripe_api_key")

    async def run() -> T:
        async with _database(settings) as database:
            stripe = StripeGateway(
                api_key=settings.stripe_api_key.get_secret_value(),
                base=settings.stripe_api_base or None,
                timeout=settings.stripe_timeout,
                limits=Limits(background_per_second=settings.stripe_background_rate),
            )
            try:
                return await work(StripeDesk(settings, database, stripe))
            finally:
                await stripe.close()

    return asyncio.run(run())


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    logs.configure(level=settings.gateway_log_level, console=settings.gateway_log_format == "console")
    limits = PoolLimits(app=settings.gateway_app_pool, system=settings.gateway_system_pool)
    url = settings.owner_url()
    place = f"the database {url.database} on {url.host}:{url.port}"
    try:
        async with open_database(
            app=settings.app_url(), system=settings.system_url(), models=MODELS, limits=limits
        ) as database:
            yield database
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise UserError(f"{place} does not let the gateway's roles in: {error}") from None
    except BrokenPipeError:
        raise  # not the database's: who was reading our output has read enough
    except (DBConnectionError, OSError) as error:
        raise UserError(f"can't reach {place}: {error or 'no answer in time'}") from None
    except OperationalError as error:
        if not isinstance(error.__cause__, _OLDER):
            raise
        raise UserError(f"{place} has tables of another version: run `gateway migrate`") from None


async def find_tenant(database: Database, slug: str, *, closed: bool = False) -> Tenant:
    """By its slug, as the system; raises UserError. One that was removed is found only where `closed` says so."""
    found = await Tenant.get_or_none(slug=slug, using_db=database.system)  # type: ignore[arg-type]
    if found is None:
        raise UserError(f"there is no tenant {slug}")
    if found.status == CLOSED and not closed:
        raise UserError(f"the tenant {slug} was removed (`gateway tenants add {slug} …` opens it again)")
    return found


def operator() -> Author:
    """Who runs a command, for the audit log: an account of this machine."""
    try:
        return Author(f"operator:{getpass.getuser()}")
    except (KeyError, OSError):  # a container's user may have no name
        return Author(f"operator:{os.getuid()}")
