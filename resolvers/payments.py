"""Paying an open invoice, and forgetting a saved means of payment."""

from billing import payments, subscriptions
from billing.operations import Order, Outcome
from resolvers.orders import changed, order, repeated
from resolvers.permission import mutates, visible
from schema.context import Info
from schema.inputs import (
    Input,
    InvoiceConfirmationCreateInput,
    InvoiceConfirmationPayload,
    InvoicePayInput,
    InvoicePayload,
    PaymentMethodDetachInput,
    PaymentMethodPayload,
)
from schema.types import invoice, payment_method
from tenants.context import Scope


@mutates(InvoicePayload, Scope.PAYMENTS_WRITE, own=True)
async def invoice_pay(info: Info, input: Input[InvoicePayInput]) -> InvoicePayload:  # noqa: A002 (the API's word)
    asked = order(info, "invoicePay", input)
    outcome = await repeated(info, asked) or await _pay(info, asked, input)
    row = await changed(info, "invoices", outcome)
    return InvoicePayload(invoice=invoice(row), revision=str(outcome.revision))


async def _pay(info: Info, asked: Order, given: InvoicePayInput) -> Outcome:
    row = await visible(info, "invoices", "Invoice", given.invoice, "invoice")
    method = None
    if given.payment_method is not None:
        found = await visible(info, "payment_methods", "PaymentMethod", given.payment_method, "paymentMethod")
        method = found["stripe_id"]
    return await payments.pay(info.context.operations, asked, row["stripe_id"], method)


@mutates(InvoiceConfirmationPayload, Scope.PAYMENTS_WRITE, own=True)
async def invoice_confirmation_create(
    info: Info,
    input: Input[InvoiceConfirmationCreateInput],  # noqa: A002 (the API's word)
) -> InvoiceConfirmationPayload:
    context = info.context
    found = await visible(info, "invoices", "Invoice", input.invoice, "invoice")
    secret = await subscriptions.confirmation(context.operations, context.caller, None, found["stripe_id"])
    context.renew()
    row = await visible(info, "invoices", "Invoice", found["stripe_id"], "invoice")
    return InvoiceConfirmationPayload(client_secret=secret, invoice=invoice(row))


@mutates(PaymentMethodPayload, Scope.CUSTOMERS_WRITE, own=True)
async def payment_method_detach(info: Info, input: Input[PaymentMethodDetachInput]) -> PaymentMethodPayload:  # noqa: A002
    asked = order(info, "paymentMethodDetach", input)
    outcome = await repeated(info, asked) or await _detach(info, asked, input)
    info.context.revision = outcome.revision
    info.context.renew()
    row = await info.context.one("payment_methods", outcome.object_id)
    return PaymentMethodPayload(payment_method=payment_method(row) if row else None, revision=str(outcome.revision))


async def _detach(info: Info, asked: Order, given: PaymentMethodDetachInput) -> Outcome:
    row = await visible(info, "payment_methods", "PaymentMethod", given.payment_method, "paymentMethod")
    return await payments.detach(info.context.operations, asked, row["stripe_id"])
