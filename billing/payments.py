"""What may be done with invoices that wait for money, and with saved means of payment."""

from typing import Any

from billing.errors import BillingError, Code
from billing.operations import Operations, Order, Outcome
from billing.stripe_client import Answer


async def pay(operations: Operations, order: Order, invoice: str, payment_method: str | None) -> Outcome:
    """Pay an open invoice now; a card that is declined is refused with CARD_DECLINED and the bank's reason."""
    stripe, account = operations.stripe, order.caller.tenant.account
    params: dict[str, Any] = {"payment_method": payment_method} if payment_method else {}

    async def call(key: str, _operation: str) -> Answer:
        return await stripe.call(account, lambda v1, o: v1.invoices.pay_async(invoice, params, o), idempotency_key=key)

    async def find(_operation: str) -> Answer | None:
        """What a first attempt did whose answer is lost: an invoice is paid once, whoever paid it."""
        found = await stripe.call(account, lambda v1, o: v1.invoices.retrieve_async(invoice, None, o))
        return found if found.body["status"] == "paid" else None

    return await operations.run(order, call, find=find, target=("invoice", invoice))


async def detach(operations: Operations, order: Order, payment_method: str) -> Outcome:
    """Take a means of payment away from its customer, for good: Stripe lets nobody use it again."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, _operation: str) -> Answer:
        try:
            return await stripe.call(
                account, lambda v1, o: v1.payment_methods.detach_async(payment_method, None, o), idempotency_key=key
            )
        except BillingError as error:
            if error.code is not Code.STRIPE_REFUSED:
                raise
            found = await stripe.call(account, lambda v1, o: v1.payment_methods.retrieve_async(payment_method, None, o))
            if found.body["customer"] is not None:
                raise
            return found  # the first attempt was answered to nobody

    return await operations.run(order, call, target=("payment_method", payment_method))
