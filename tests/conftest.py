"""Fixtures that every room may use: a PostgreSQL server for the run, and a fresh migrated database for a test."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.models import MODELS
from storage.database import Database, DatabaseUrl, PoolLimits, open_database
from storage.embedded import EmbeddedPostgres
from tests.support.databases import as_app, as_system, copy_of, migrate_template
from tests.support.tenants import Two, two_tenants


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One embedded server for the run. Not below pytest's own folder, whose mode other runs change."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """The name of the migrated database that tests get copies of."""
    return asyncio.run(migrate_template(postgres))


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[DatabaseUrl]:
    """A fresh, migrated database, logged in as its owner."""
    async with copy_of(postgres, template) as url:
        yield url


@pytest.fixture
def app_url(database_url: DatabaseUrl) -> DatabaseUrl:
    """The same database as the application's role: row-level security binds it to a tenant."""
    return as_app(database_url)


@pytest.fixture
def system_url(database_url: DatabaseUrl) -> DatabaseUrl:
    """The same database as the system's role, which sees every tenant."""
    return as_system(database_url)


@pytest.fixture
async def opened(app_url: DatabaseUrl, system_url: DatabaseUrl) -> AsyncIterator[Database]:
    """Both clients, open. The application's pool has two connections only, so that tasks must share them."""
    limits = PoolLimits(app=2, system=4)
    async with open_database(app=app_url, system=system_url, models=MODELS, limits=limits) as database:
        yield database


@pytest.fixture
async def two(opened: Database) -> Two:
    """Two tenants, made through the registry."""
    return await two_tenants(opened)
