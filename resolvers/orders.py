"""From a mutation's input to an order: the key, and what must be the same again under it."""

from typing import Any
from uuid import uuid4

import strawberry

from billing.errors import BillingError, Code
from billing.operations import Order, Outcome
from mirror import queries
from mirror.queries import Row
from schema.context import Info

_LONGEST_KEY = 200


def order(info: Info, action: str, input_: Any) -> Order:
    """The order for an input with an `idempotency_key`; without one, each request is a new order."""
    given = strawberry.asdict(input_)
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not strawberry.UNSET}
    key = fields.pop("idempotency_key")
    if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
        raise BillingError(
            Code.INVALID_INPUT, f"An idempotencyKey has 1 to {_LONGEST_KEY} characters.", field="idempotencyKey"
        )
    return Order(info.context.caller, action, key or f"auto-{uuid4()}", fields, info.context.request_id)


async def repeated(info: Info, asked: Order) -> Outcome | None:
    """What the same order came to before; None where it is to be carried out (or carried on) now."""
    return await info.context.operations.answered(asked)


async def changed(info: Info, table: str, outcome: Outcome) -> Row:
    """The row that an operation left, read anew, as is all that hangs on it."""
    info.context.revision = outcome.revision
    info.context.renew()
    found = await queries.by_ids(info.context.read, table, info.context.view, [outcome.object_id])
    if outcome.object_id not in found:
        raise BillingError(Code.NOT_FOUND, "This was done; what it made or changed has been deleted since.")
    return found[outcome.object_id]
