"""Creating and changing customers, and tokens for their browsers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import strawberry

from billing import customers
from billing.errors import BillingError, Code
from billing.operations import Order, Outcome
from resolvers.orders import changed, order, repeated
from resolvers.permission import mutates, visible, whose
from schema.context import Info
from schema.inputs import (
    CustomerCreateInput,
    CustomerPayload,
    CustomerTokenCreateInput,
    CustomerTokenPayload,
    CustomerUpdateInput,
    Input,
)
from schema.types import customer
from tenants import audit
from tenants.context import Scope


def _fields(input_: CustomerCreateInput | CustomerUpdateInput) -> dict[str, Any]:
    given = {name: getattr(input_, name) for name in ("email", "name", "phone")}
    if input_.address:
        given["address"] = {key: value for key, value in strawberry.asdict(input_.address).items() if value is not None}
    if given["email"] is not None and "@" not in given["email"]:
        raise BillingError(Code.INVALID_INPUT, "That is not an e-mail address.", field="email")
    return {key: value for key, value in given.items() if value is not None}


@mutates(CustomerPayload, Scope.CUSTOMERS_WRITE)
async def customer_create(info: Info, input: Input[CustomerCreateInput]) -> CustomerPayload:  # noqa: A002 (the API's word)
    fields = _fields(input)
    if input.external_id:
        fields["metadata"] = {customers.EXTERNAL_ID: input.external_id}
    outcome = await customers.create(info.context.operations, order(info, "customerCreate", input), fields)
    row = await changed(info, "customers", outcome)
    return CustomerPayload(customer=customer(row, masked=info.context.masked), revision=str(outcome.revision))


@mutates(CustomerPayload, Scope.CUSTOMERS_WRITE, own=True)
async def customer_update(info: Info, input: Input[CustomerUpdateInput]) -> CustomerPayload:  # noqa: A002 (the API's word)
    asked = order(info, "customerUpdate", input)
    outcome = await repeated(info, asked) or await _update(info, asked, input)
    row = await changed(info, "customers", outcome)
    return CustomerPayload(customer=customer(row, masked=info.context.masked), revision=str(outcome.revision))


async def _update(info: Info, asked: Order, given: CustomerUpdateInput) -> Outcome:
    row = await visible(info, "customers", "Customer", whose(info, given.customer), "customer")
    return await customers.update(info.context.operations, asked, row["stripe_id"], _fields(given))


@mutates(CustomerTokenPayload, Scope.SESSIONS_WRITE)
async def customer_token_create(info: Info, input: Input[CustomerTokenCreateInput]) -> CustomerTokenPayload:  # noqa: A002
    context = info.context
    if not 60 <= input.lifetime_seconds <= 3600:
        raise BillingError(Code.INVALID_INPUT, "lifetimeSeconds takes 60 to 3600.", field="lifetimeSeconds")
    row = await visible(info, "customers", "Customer", input.customer, "customer")
    token = context.sessions.mint(
        tenant=context.caller.tenant.slug,
        customer=row["stripe_id"],
        livemode=context.caller.livemode,
        now=datetime.now(UTC),
        lifetime=timedelta(seconds=input.lifetime_seconds),
    )
    await audit.record(
        context.read,
        context.caller.tenant.id,
        context.author,
        action="customerTokenCreate",
        target=row["stripe_id"],
    )
    return CustomerTokenPayload(token=token)
