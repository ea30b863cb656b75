"""The audit log: one entry for every mutation, written in the transaction that it tells of."""

from uuid import UUID

from storage.database import Connection
from tenants.context import Caller


async def record(
    connection: Connection,
    caller: Caller,
    *,
    action: str,
    outcome: str,
    target: str | None = None,
    request_id: str | None = None,
    operation_id: UUID | None = None,
) -> None:
    """Write one entry. `target` is a Stripe id; names, addresses and secrets never stand here."""
    await connection.execute_query(
        "insert into audit_entries (tenant_id, actor, action, target, outcome, request_id, operation_id)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        [caller.tenant.id, caller.actor, action, target, outcome, request_id, operation_id],
    )
