"""Databases for tests: one embedded server per run, one migrated template, a copy of it for each test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg

from gateway.migrate import migrate
from storage.database import APP_ROLE, SYSTEM_ROLE, DatabaseUrl
from storage.embedded import DATABASE, OWNER_ROLE, EmbeddedPostgres

APP_PASSWORD = "app-password-for-tests"
SYSTEM_PASSWORD = "system-password-for-tests"
_numbers = count(1)


async def migrate_template(server: EmbeddedPostgres) -> str:
    """Migrate the server's own database; copies of it are what tests get."""
    owner = DatabaseUrl.parse(server.owner_url())
    await migrate(owner, app_password=APP_PASSWORD, system_password=SYSTEM_PASSWORD)
    return DATABASE


@asynccontextmanager
async def copy_of(server: EmbeddedPostgres, template: str) -> AsyncIterator[DatabaseUrl]:
    """A new database with the template's content, as its owner sees it; dropped afterwards, with its sessions."""
    name = f"test_{next(_numbers)}"
    superuser = await asyncpg.connect(server.superuser_url("postgres"))
    try:
        await superuser.execute(f"create database {name} template {template} owner {OWNER_ROLE}")
        try:
            yield DatabaseUrl.parse(server.owner_url(name))
        finally:
            await superuser.execute(f"drop database {name} with (force)")
    finally:
        await superuser.close()


def as_app(owner: DatabaseUrl) -> DatabaseUrl:
    """The same database as the application's role sees it."""
    return owner.as_role(APP_ROLE, APP_PASSWORD)


def as_system(owner: DatabaseUrl) -> DatabaseUrl:
    """The same database as the system's role sees it."""
    return owner.as_role(SYSTEM_ROLE, SYSTEM_PASSWORD)
