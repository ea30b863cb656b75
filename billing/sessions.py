"""Hosted pages and secrets for one customer: Checkout, the billing portal, and saving a payment method."""

from dataclasses import dataclass
from typing import Any

from billing.finding import OPERATION, finder
from billing.operations import Operations, Order, Outcome
from billing.stripe_client import Answer


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """A Checkout page on which a customer starts a subscription."""

    customer: str
    price: str
    quantity: int
    success_url: str
    cancel_url: str | None
    allow_promotion_codes: bool = False

    def params(self, operation: str) -> dict[str, Any]:
        """Stripe's parameters."""
        params: dict[str, Any] = {
            "mode": "subscription",
            "customer": self.customer,
            "line_items": [{"price": self.price, "quantity": self.quantity}],
            "success_url": self.success_url,
            "metadata": {OPERATION: operation},
        }
        if self.allow_promotion_codes:
            params["allow_promotion_codes"] = True
        return params | ({"cancel_url": self.cancel_url} if self.cancel_url else {})


async def create_checkout(operations: Operations, order: Order, new: NewCheckout) -> Outcome:
    """Open a Checkout page."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, operation: str) -> Answer:
        params = new.params(operation)
        return await stripe.call(
            account, lambda v1, o: v1.checkout.sessions.create_async(params, o), idempotency_key=key
        )

    wanted = {"customer": new.customer}
    find = finder(stripe, account, lambda v1, asked, o: v1.checkout.sessions.list_async(asked, o), wanted)
    return await operations.run(order, call, find=find)


async def create_portal(operations: Operations, order: Order, customer: str, return_url: str) -> Outcome:
    """Open the billing portal; its address is a secret of minutes and is never stored."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, _operation: str) -> Answer:
        params = {"customer": customer, "return_url": return_url}
        return await stripe.call(
            account, lambda v1, o: v1.billing_portal.sessions.create_async(params, o), idempotency_key=key
        )

    return await operations.run(order, call, mirrored=False)


async def create_setup_intent(operations: Operations, order: Order, customer: str) -> Outcome:
    """Prepare to save a payment method; the client secret is never stored."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, operation: str) -> Answer:
        params = {"customer": customer, "usage": "off_session", "metadata": {OPERATION: operation}}
        return await stripe.call(account, lambda v1, o: v1.setup_intents.create_async(params, o), idempotency_key=key)

    wanted = {"customer": customer}
    find = finder(stripe, account, lambda v1, asked, o: v1.setup_intents.list_async(asked, o), wanted)
    return await operations.run(order, call, find=find, mirrored=False)
