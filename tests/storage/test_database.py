"""The database's own transactions outlive a server that cuts every connection."""

from contextlib import suppress

import asyncpg
import pytest

from storage.database import Connection, Database

_POOL = 10  # storage.database.PoolLimits


async def _cut(database: Database) -> None:
    """End every other connection of the role, as a restart does."""
    other = await asyncpg.connect(**database.system_url.credentials())
    try:
        await other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = current_user and datname = current_database() and pid <> pg_backend_pid()"
        )
    finally:
        await other.close()


async def _one(connection: Connection) -> list[dict[str, int]]:
    return await connection.execute_query_dict("select 1 as n")


async def _answers(database: Database) -> bool:
    """Whether a transaction succeeds once every dead connection of the pool was met: each attempt meets one."""
    for _ in range(_POOL + 1):
        with suppress(Exception):  # asyncpg has many words for a connection that is gone
            async with database.system_transaction() as connection:
                return await _one(connection) == [{"n": 1}]
    return False


@pytest.mark.parametrize("inside", [True, False], ids=["within the transaction", "before it begins"])
async def test_a_task_goes_on_after_its_connection_was_cut(opened: Database, *, inside: bool) -> None:
    """More often than the pool has connections: none may be lost, and the task keeps no dead one."""
    for _ in range(_POOL + 2):
        assert await _answers(opened)
        if not inside:
            await _cut(opened)
        with suppress(Exception):
            async with opened.system_transaction() as connection:
                if inside:
                    await _cut(opened)
                await _one(connection)
    assert await _answers(opened)
