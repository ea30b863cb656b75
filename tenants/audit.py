"""The audit log: one entry for every mutation, written in the transaction that it tells of."""

from dataclasses import dataclass
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
