"""Creating and changing customers, and tokens for their browsers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import strawberry
from strawberry import UNSET

from billing import customers
from billing.errors import BillingError, Code, not_found
from billing.operations import Order, Outcome
from mirror.queries import Row
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
    """Stripe's parameters for what was given; an empty text clears at Stripe."""
    given = {name: getattr(input_, name) for name in ("email", "name", "phone", "address")}
    given = {name: value for name, value in given.items() if value is not UNSET}
    if "email" in given and "@" not in (given["email"] or ""):
        raise BillingError(Code.INVALID_INPUT, "That is not an e-mail address.", field="email")
    if given.get("address"):
        # whole, so that nothing of an address before it is left
        given["address"] = {name: value or "" for name, value in strawberry.asdict(given["address"]).items()}
    return {name: "" if value is None else value for name, value in given.items()}


@mutates(CustomerPayload, Scope.CUSTOMERS_WRITE)
async def customer_create(info: Info, input: Input[CustomerCreateInput]) -> CustomerPayload:  # noqa: A002 (the API's word)
    fields = {name: value for name, value in _fields(input).items() if value != ""}
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
    fields = _fields(given)
    if given.default_payment_method is not UNSET:
        fields["invoice_settings"] = {"default_payment_method": await _own_method(info, row, given)}
    return await customers.update(info.context.operations, asked, row["stripe_id"], fields)


async def _own_method(info: Info, payer: Row, given: CustomerUpdateInput) -> str:
    """Stripe's id of a means of payment of this customer; empty for none."""
    if given.default_payment_method is None:
        return ""
    field = "defaultPaymentMethod"
    method = await visible(info, "payment_methods", "PaymentMethod", given.default_payment_method, field)
    if method["customer_id"] != payer["stripe_id"]:
        raise not_found("payment method", field)
    return str(method["stripe_id"])


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
