"""The audit log as a tenant's administrators see it."""

from datetime import datetime

import strawberry
from strawberry import ID

from mirror.queries import Row
from schema import ids


@strawberry.type(description="Something that was done, or refused, in the tenant's name. It names no person.")
class AuditEntry:
    id: ID = strawberry.field(description="The entry's id in this API; opaque.")
    at: datetime = strawberry.field(description="When, to the microsecond.")
    actor: str = strawberry.field(
        description="Who: a role with its token's public id or its customer's id at Stripe, or an operator."
    )
    action: str = strawberry.field(description="What: a mutation, a read for administrators, or an operator's command.")
    target: str | None = strawberry.field(description="Of what: an id at Stripe, or a key's public id.")
    outcome: str = strawberry.field(description="ok, read, admitted, or the code of the refusal.")
    request_id: str | None = strawberry.field(description="The request that did it.")
    operation_id: str | None = strawberry.field(
        description="The operation under an idempotency key, where there is one: its objects bear it in their metadata."
    )
    place: str | None = strawberry.field(
        description="Its place in the tenant's chain, 1, 2, …; null for the second until it is sealed."
    )
    hash: str | None = strawberry.field(
        description="SHA-256 in hexadecimal over this entry and all before it: kept elsewhere, it proves them."
    )


@strawberry.input(description="Which entries.")
class AuditFilter:
    action: str | None = strawberry.field(default=None, description="Exactly this action.")
    target: str | None = strawberry.field(default=None, description="What was done to this id.")


def audit_entry(row: Row) -> AuditEntry:
    """From a row of `tenants.audit.page`."""
    return AuditEntry(
        id=ids.encode("AuditEntry", row["stripe_id"]),
        at=row["created"],
        operation_id=None if row["operation_id"] is None else str(row["operation_id"]),
        place=None if row["place"] is None else str(row["place"]),
        hash=None if row["hash"] is None else bytes(row["hash"]).hex(),
        **{name: row[name] for name in ("actor", "action", "target", "outcome", "request_id")},
    )
