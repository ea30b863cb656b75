"""What may be done with customers."""

from collections.abc import Mapping
from typing import Any

from billing.finding import OPERATION, finder
from billing.operations import Operations, Order, Outcome
from billing.stripe_client import Answer

# The tenant's own id of a customer is kept in Stripe's metadata under this key.
EXTERNAL_ID = "external_id"


async def create(operations: Operations, order: Order, fields: Mapping[str, Any]) -> Outcome:
    """Create a customer. `fields` are Stripe's parameters, `email` among them, checked by the caller."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, operation: str) -> Answer:
        params = dict(fields) | {"metadata": dict(fields.get("metadata", {})) | {OPERATION: operation}}
        return await stripe.call(account, lambda v1, o: v1.customers.create_async(params, o), idempotency_key=key)

    wanted = {"email": fields["email"]}
    find = finder(stripe, account, lambda v1, asked, o: v1.customers.list_async(asked, o), wanted)
    return await operations.run(order, call, find=find)


async def update(operations: Operations, order: Order, customer: str, fields: Mapping[str, Any]) -> Outcome:
    """Change a customer's name, address and contact."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, _operation: str) -> Answer:
        return await stripe.call(
            account, lambda v1, o: v1.customers.update_async(customer, dict(fields), o), idempotency_key=key
        )

    return await operations.run(order, call, target=("customer", customer))
