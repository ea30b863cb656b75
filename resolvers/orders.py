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
_OWN = "\x1f"  # between a customer and its key: nobody else's keys have it


def order(info: Info, action: str, input_: Any) -> Order:
    """The order for an input with an `idempotency_key`; without one, each request is a new order."""
    fields: dict[str, Any] = strawberry.asdict(input_)
    key = fields.pop("idempotency_key")
    if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
        raise BillingError(
            Code.INVALID_INPUT, f"An idempotencyKey has 1 to {_LONGEST_KEY} characters.", field="idempotencyKey"
        )
    caller = info.context.caller
    if key is not None and caller.customer is not None:
        # a customer's keys are its own: it neither meets nor takes those of others and of the tenant's back end
        key = f"{caller.customer}{_OWN}{key}"
    return Order(caller, action, key or f"auto-{uuid4()}", fields, info.context.request_id)


async def repeated(info: Info, asked: Order) -> Outcome | None:
    """What the same order came to before; None where it is to be carried out (or carried on) now."""
    return await info.context.operations.answered(asked)


async def changed(info: Info, table: str, outcome: Outcome) -> Row:
    """The row that an operation left, read anew: loaders may still hold the old one."""
    info.context.revision = outcome.revision
    found = await queries.by_ids(info.context.read, table, info.context.view, [outcome.object_id])
    if outcome.object_id not in found:
        raise BillingError(Code.NOT_FOUND, "This was done; what it made or changed has been deleted since.")
    return found[outcome.object_id]
