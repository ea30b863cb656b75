"""Tenants for tests: made through the registry, as the system makes them, and a row of theirs in every table."""

from dataclasses import dataclass
from typing import Any

from storage.database import Connection, Database
from tenants.models import Tenant
from tenants.registry import save_tenant

# What checks of the tables ask for; every other column takes any value of its type.
_CHECKED: dict[tuple[str, str], Any] = {("api_tokens", "role"): "partner", ("changes", "kind"): "updated"}
_CHECKED |= {("jobs", "kind"): "sample", ("trusted_documents", "hash"): "0" * 64}
_FILLED = ("revisions", "audit_unsealed")  # by saving the tenant, and by its audit entry
_VALUES: dict[str, str] = {
    "bigint": "1",
    "integer": "1",
    "numeric": "1",
    "boolean": "false",
    "bytea": "'\\x00'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "timestamp with time zone": "now()",
    "ARRAY": "'{}'",
    "uuid": "gen_random_uuid()",
}


@dataclass(frozen=True, slots=True)
class Two:
    """The two tenants that tests hold against each other."""

    clinic: Tenant
    school: Tenant


async def new_tenant(database: Database, slug: str, *, industry: str = "saas", **changes: Any) -> Tenant:
    """A tenant in test mode, connected to `acct_<slug>` unless told otherwise."""
    given = {
        "name": f"{slug.title()} Inc.",
        "mcc": "7372",
        "country": "US",
        "default_currency": "usd",
        "account_id": f"acct_{slug}",
        "livemode": False,
        "status": "active",
    } | changes
    return await save_tenant(database, Tenant(slug=slug, industry=industry, **given))


async def two_tenants(database: Database) -> Two:
    """A clinic and a school."""
    return Two(
        clinic=await new_tenant(database, "clinic", industry="healthcare", mcc="8011"),
        school=await new_tenant(database, "school", industry="education", mcc="8220"),
    )


async def owned_tables(connection: Connection) -> list[str]:
    """Every table that has a `tenant_id`: read from the database, so that a new one can't be forgotten."""
    rows = await connection.execute_query_dict(
        "select c.table_name from information_schema.columns c join information_schema.tables t"
        " using (table_schema, table_name) where c.table_schema = 'public' and c.column_name = 'tenant_id'"
        " and t.table_type = 'BASE TABLE' order by 1"
    )
    return [row["table_name"] for row in rows]


async def needed_columns(connection: Connection, table: str) -> dict[str, str]:
    """The columns that an insert must name, other than `tenant_id`, with an SQL value for each."""
    rows = await connection.execute_query_dict(
        "select column_name as name, data_type as type from information_schema.columns"
        " where table_schema = 'public' and table_name = $1 and is_nullable = 'NO' and column_default is null"
        " and is_identity = 'NO' and column_name <> 'tenant_id' order by ordinal_position",
        [table],
    )
    return {row["name"]: _value(table, row["name"], row["type"]) for row in rows}


def _value(table: str, column: str, type_: str) -> str:
    if (table, column) in _CHECKED:
        return f"'{_CHECKED[table, column]}'"
    return _VALUES.get(type_, "gen_random_uuid()::text")


def insert_statement(table: str, tenant_id: int, columns: dict[str, str]) -> str:
    """An insert of one row of this tenant."""
    names = ", ".join(["tenant_id", *(f'"{name}"' for name in columns)])
    return f"insert into {table} ({names}) values ({', '.join([str(tenant_id), *columns.values()])})"


async def fill_every_table(database: Database, tenant: Tenant) -> None:
    """Give a tenant at least one row in each table that tenants own."""
    for table in await owned_tables(database.system):
        if table in _FILLED:
            continue
        columns = await needed_columns(database.system, table)
        await database.system.execute_query(insert_statement(table, tenant.id, columns))
