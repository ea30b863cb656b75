"""The audit log: one entry for every mutation, written in the transaction that it tells of, and its reading by page."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage.database import Connection
from tenants.context import Caller


@dataclass(frozen=True, slots=True)
class Author:
    """Who does something: a role with its token's public id, an operator's account on this machine, or the system."""

    actor: str
    request_id: str | None = None


SYSTEM = Author("system")


def author(caller: Caller, request_id: str | None = None) -> Author:
    """The caller of a request, never as a person."""
    return Author(caller.actor, request_id)


async def record(
    connection: Connection,
    tenant_id: int,
    by: Author,
    *,
    action: str,
    outcome: str = "ok",
    target: str | None = None,
    operation_id: UUID | None = None,
) -> None:
    """Write one entry. `target` is a Stripe id or a key's public id; names, addresses and secrets never stand here."""
    await connection.execute_query(
        "insert into audit_entries (tenant_id, actor, action, target, outcome, request_id, operation_id)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        [tenant_id, by.actor, action, target, outcome, by.request_id, operation_id],
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a tenant: of one action or of one target, where they are given."""

    tenant_id: int
    action: str | None = None
    target: str | None = None


_WANTED = "e.tenant_id = $1 and ($2::text is null or e.action = $2) and ($3::text is null or e.target = $3)"


async def page(
    connection: Connection, wanted: Wanted, after: int | None, before: int | None, *, size: int, oldest_first: bool
) -> list[dict[str, Any]]:
    """Entries that are older than `after` and newer than `before`, by their numbers, each with its place in the chain.

    The number stands as `stripe_id` and the time as `created`: connections are made of rows like the mirror's.
    """
    way = "asc" if oldest_first else "desc"
    return await connection.execute_query_dict(
        "select e.id::text as stripe_id, e.at as created, e.actor, e.action, e.target, e.outcome, e.request_id,"  # noqa: S608
        " e.operation_id,"
        " c.seq as place, c.hash from audit_entries e"
        " left join audit_chain c on c.tenant_id = e.tenant_id and c.entry_id = e.id"
        f" where {_WANTED} and ($4::bigint is null or e.id < $4) and ($5::bigint is null or e.id > $5)"
        f" order by e.id {way} limit $6",
        [wanted.tenant_id, wanted.action, wanted.target, after, before, size],
    )


async def count(connection: Connection, wanted: Wanted) -> int:
    """How many such entries there are."""
    rows = await connection.execute_query_dict(
        f"select count(*) as n from audit_entries e where {_WANTED}",  # noqa: S608 (our own words)
        [wanted.tenant_id, wanted.action, wanted.target],
    )
    return int(rows[0]["n"])
