"""The roles can do no more than they must, and migrating again changes nothing."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.migrate import MigrationRefusedError, migrate
from storage.database import APP_ROLE, SYSTEM_ROLE, DatabaseUrl
from storage.embedded import EmbeddedPostgres
from tests.support.databases import APP_PASSWORD, SYSTEM_PASSWORD, copy_of

PASSWORDS = {"app_password": APP_PASSWORD, "system_password": SYSTEM_PASSWORD}


@pytest.fixture
async def empty(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[DatabaseUrl]:
    """A database that no migration has touched (the roles belong to the whole server, and exist)."""
    async with copy_of(postgres, "template0") as url:
        yield url


@pytest.fixture
async def superuser(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.superuser_url("postgres"))
    yield connection
    await connection.close()


async def test_the_first_run_applies_all_and_the_second_nothing(empty: DatabaseUrl) -> None:
    first = await migrate(empty, **PASSWORDS)
    assert first[0] == "0001_initial"
    assert await migrate(empty, **PASSWORDS) == []


async def test_two_runs_at_once_apply_each_migration_once(empty: DatabaseUrl) -> None:
    results = await asyncio.gather(*(migrate(empty, **PASSWORDS) for _ in range(2)))
    assert sorted(map(bool, results)) == [False, True]


async def test_both_roles_log_in_with_the_given_passwords(app_url: DatabaseUrl, system_url: DatabaseUrl) -> None:
    for url, role in ((app_url, APP_ROLE), (system_url, SYSTEM_ROLE)):
        connection = await asyncpg.connect(**url.credentials())
        assert await connection.fetchval("select current_user") == role
        await connection.close()


@pytest.mark.parametrize("target", ["gateway_system", "gateway_owner", "postgres"])
async def test_the_application_cannot_become_another_role(app_url: DatabaseUrl, target: str) -> None:
    connection = await asyncpg.connect(**app_url.credentials())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"set role {target}")
    await connection.execute("set role none")
    assert await connection.fetchval("select current_user") == APP_ROLE
    await connection.close()


async def test_a_membership_that_somebody_granted_is_taken_back(
    database_url: DatabaseUrl, app_url: DatabaseUrl
) -> None:
    owner = await asyncpg.connect(**database_url.credentials())
    await owner.execute(f"grant {SYSTEM_ROLE} to {APP_ROLE}")
    await owner.close()
    await migrate(database_url, **PASSWORDS)
    connection = await asyncpg.connect(**app_url.credentials())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"set role {SYSTEM_ROLE}")
    await connection.close()


async def test_a_role_that_row_security_would_not_bind_is_refused(
    database_url: DatabaseUrl, superuser: asyncpg.Connection
) -> None:
    await superuser.execute(f"alter role {APP_ROLE} bypassrls")
    try:
        with pytest.raises(MigrationRefusedError, match="must not have bypassrls"):
            await migrate(database_url, **PASSWORDS)
    finally:
        await superuser.execute(f"alter role {APP_ROLE} nobypassrls")


async def test_new_passwords_replace_the_old_ones(database_url: DatabaseUrl, app_url: DatabaseUrl) -> None:
    await migrate(database_url, app_password="another-one", system_password=SYSTEM_PASSWORD)
    try:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(**app_url.credentials())
    finally:
        await migrate(database_url, **PASSWORDS)
    await (await asyncpg.connect(**app_url.credentials())).close()


async def test_a_password_beyond_ascii_is_refused_with_nothing_changed(empty: DatabaseUrl) -> None:
    with pytest.raises(MigrationRefusedError, match="printable ASCII"):
        await migrate(empty, app_password="pässword", system_password=SYSTEM_PASSWORD)
    connection = await asyncpg.connect(**empty.credentials())
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
    await connection.close()
