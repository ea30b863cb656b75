"""Row-level security holds whatever SQL the application sends: a tenant's rows are for that tenant alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from tortoise.exceptions import OperationalError

from storage.binding import bind_tenant, bound_tenant
from storage.database import Database, DatabaseUrl
from storage.tenant_client import TenantChangedInTransactionError
from tests.support.tenants import Two, fill_every_table, insert_statement, needed_columns, owned_tables

OWNED_AT_LEAST = {"api_tokens", "audit_entries", "operations", "customers", "invoices", "changes", "revisions"}
REFUSED = r"row-level security|permission denied"


@pytest.fixture
async def tables(opened: Database, two: Two) -> list[str]:
    """The tenant-owned tables, each with rows of both tenants."""
    await fill_every_table(opened, two.clinic)
    await fill_every_table(opened, two.school)
    found = await owned_tables(opened.system)
    assert set(found) >= OWNED_AT_LEAST
    for table in found:
        assert set(await _seen(opened.system.execute_query_dict, table)) == {two.clinic.id, two.school.id}, table
    return found


async def _seen(query: Callable[[str], Awaitable[Any]], table: str) -> list[int]:
    """Whose rows a table shows."""
    return [row["tenant_id"] for row in await query(f"select distinct tenant_id from {table} order by 1")]


@pytest.fixture
async def raw(app_url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the application's password and nothing of our code around it."""
    connection = await asyncpg.connect(**app_url.credentials())
    try:
        yield connection
    finally:
        await connection.close()


async def test_without_a_tenant_no_table_shows_a_row(opened: Database, tables: list[str]) -> None:
    assert bound_tenant() is None
    for table in [*tables, "tenants"]:
        assert await opened.app.execute_query_dict(f"select 1 from {table}") == [], table


async def test_raw_sql_without_a_filter_shows_the_bound_tenant_only(
    opened: Database, two: Two, tables: list[str]
) -> None:
    for tenant in (two.clinic, two.school):
        with bind_tenant(tenant.id):
            for table in tables:
                assert await _seen(opened.app.execute_query_dict, table) == [tenant.id], table
            rows = await opened.app.execute_query_dict("select slug from tenants")
            assert [row["slug"] for row in rows] == [tenant.slug]


async def test_asking_for_another_tenants_rows_by_name_finds_none(
    opened: Database, two: Two, tables: list[str]
) -> None:
    with bind_tenant(two.clinic.id):
        for table in tables:
            query = f"select 1 from {table} where tenant_id = $1 or tenant_id <> $2"
            assert await opened.app.execute_query_dict(query, [two.school.id, two.clinic.id]) == [], table


async def test_an_insert_for_another_tenant_is_refused(opened: Database, two: Two, tables: list[str]) -> None:
    for table in tables:
        columns = await needed_columns(opened.system, table)
        with bind_tenant(two.clinic.id), pytest.raises(OperationalError, match=REFUSED):
            await opened.app.execute_query(insert_statement(table, two.school.id, columns))


async def test_an_update_reaches_no_row_of_another_tenant_and_gives_none_away(
    opened: Database, two: Two, tables: list[str]
) -> None:
    # append-only, or written by the system alone: any update is refused
    kept = {"audit_chain", "audit_entries", "changes"}
    kept |= {"identity_providers", "session_revocations", "trusted_documents", "audit_unsealed"}
    with bind_tenant(two.clinic.id):
        for table in sorted(set(tables) - kept):
            marked = await opened.app.execute_query(
                f"update {table} set tenant_id = tenant_id where tenant_id = $1", [two.school.id]
            )
            assert marked[0] == 0, table
            with pytest.raises(OperationalError, match=REFUSED):
                await opened.app.execute_query(f"update {table} set tenant_id = $1", [two.school.id])


async def test_nothing_can_be_deleted_but_the_bound_tenants_own_parts(
    opened: Database, two: Two, tables: list[str]
) -> None:
    parts = ("invoice_lines", "subscription_items")
    with bind_tenant(two.clinic.id):
        for table in parts:
            await opened.app.execute_query(f"delete from {table}")
        for table in sorted(set(tables) - set(parts)):
            with pytest.raises(OperationalError, match="permission denied"):
                await opened.app.execute_query(f"delete from {table}")
    for table in parts:
        assert await _seen(opened.system.execute_query_dict, table) == [two.school.id]


@pytest.mark.parametrize("statement", ["set role none", "reset role", "reset session authorization"])
async def test_going_back_to_the_login_role_gains_nothing(
    raw: asyncpg.Connection, tables: list[str], statement: str
) -> None:
    await raw.execute(statement)
    assert await raw.fetchval("select current_user || '/' || session_user") == "gateway_app/gateway_app"
    for table in tables:
        assert await _seen(raw.fetch, table) == [], table


@pytest.mark.parametrize("role", ["gateway_system", "gateway_owner", "postgres", "pg_read_all_data"])
@pytest.mark.parametrize("way", ["set role", "set local role", "set session authorization"])
async def test_no_other_role_can_be_taken(raw: asyncpg.Connection, tables: list[str], role: str, way: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await raw.execute(f"{way} {role}")
    assert await raw.fetchval("select current_user") == "gateway_app"
    assert await _seen(raw.fetch, tables[0]) == []


@pytest.mark.parametrize(
    "statement",
    [
        "alter table customers disable row level security",
        "alter table customers no force row level security",
        "create policy mine on customers to gateway_app using (true)",
        "drop policy app on customers",
        "alter role gateway_app bypassrls",
        "grant gateway_system to gateway_app",
        "grant select on inbox to gateway_app",
        "create function public.leak() returns void language sql security definer as ''",
        "truncate customers",
    ],
)
async def test_the_application_cannot_change_the_rules(raw: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await raw.execute(statement)


async def test_row_security_off_is_an_error_not_a_way_round(raw: asyncpg.Connection) -> None:
    await raw.execute("set row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await raw.fetch("select * from customers")


@pytest.mark.parametrize("table", ["inbox", "platform_entries", "platform_tokens"])
async def test_tables_of_no_tenant_are_closed_to_the_application(opened: Database, two: Two, table: str) -> None:
    with bind_tenant(two.clinic.id):
        for statement in (f"select 1 from {table}", f"delete from {table}", f"insert into {table} default values"):
            with pytest.raises(OperationalError, match="permission denied"):
                await opened.app.execute_query(statement)


async def test_the_application_is_no_superuser_owns_nothing_and_belongs_to_no_role(raw: asyncpg.Connection) -> None:
    rights = await raw.fetchrow(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
        " where rolname = current_user"
    )
    assert rights is not None
    assert not any(rights.values())
    assert await raw.fetchval("select count(*) from pg_class where relowner = current_user::regrole") == 0
    assert await raw.fetchval("select count(*) from pg_auth_members where member = current_user::regrole") == 0


async def test_released_connections_come_back_unbound(opened: Database, two: Two, tables: list[str]) -> None:
    query = "select count(*) as n, pg_backend_pid() as pid from customers"

    async def ask() -> tuple[int, int]:
        row = (await opened.app.execute_query_dict(query))[0]
        return row["n"], row["pid"]

    with bind_tenant(two.clinic.id):
        bound = await asyncio.gather(*(ask() for _ in range(20)))
    unbound = await asyncio.gather(*(ask() for _ in range(20)))
    assert {n for n, _ in bound} == {1}
    assert {n for n, _ in unbound} == {0}
    assert {pid for _, pid in bound} & {pid for _, pid in unbound}, "no connection was used again: nothing was proved"


async def test_a_binding_left_by_an_exception_or_a_broken_transaction_does_not_survive(
    opened: Database, two: Two, tables: list[str]
) -> None:
    for _ in range(4):
        with bind_tenant(two.clinic.id), pytest.raises(OperationalError):
            async with opened.app_transaction() as connection:
                await connection.execute_query("select 1/0")
        assert await opened.app.execute_query_dict("select 1 from customers") == []


async def test_two_thousand_interleaved_queries_on_two_connections_mix_nothing(
    opened: Database, two: Two, tables: list[str]
) -> None:
    async def ask(tenant_id: int, in_transaction: bool) -> tuple[int, list[int], int]:
        with bind_tenant(tenant_id):
            if in_transaction:
                async with opened.app_transaction() as connection:
                    rows = await connection.execute_query_dict(query)
            else:
                rows = await opened.app.execute_query_dict(query)
        return tenant_id, rows[0]["tenants"], rows[0]["pid"]

    query = "select array_agg(tenant_id) as tenants, pg_backend_pid() as pid from customers"
    wanted = [((two.clinic if n % 2 else two.school).id, n % 5 == 0) for n in range(2_000)]
    answers = await asyncio.gather(*(ask(*one) for one in wanted))
    assert [seen for _, seen, _ in answers] == [[tenant_id] for tenant_id, _ in wanted]
    assert len({pid for _, _, pid in answers}) <= 2


async def test_changing_the_tenant_inside_a_transaction_raises(opened: Database, two: Two, tables: list[str]) -> None:
    with bind_tenant(two.clinic.id):
        async with opened.app_transaction() as connection:
            with bind_tenant(two.school.id), pytest.raises(TenantChangedInTransactionError):
                await connection.execute_query_dict("select 1 from customers")
            # the transaction itself is still good for the tenant that it began with
            rows = await connection.execute_query_dict("select tenant_id from customers")
    assert [row["tenant_id"] for row in rows] == [two.clinic.id]


async def test_a_transaction_begun_without_a_tenant_cannot_be_given_one(opened: Database, two: Two) -> None:
    async with opened.app_transaction() as connection:
        with bind_tenant(two.clinic.id), pytest.raises(TenantChangedInTransactionError):
            await connection.execute_query_dict("select 1 from customers")
