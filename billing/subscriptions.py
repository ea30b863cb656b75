"""What may be done with subscriptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.errors import BillingError, Code
from billing.finding import OPERATION, finder
from billing.operations import Operations, Order, Outcome
from billing.stripe_client import Answer


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What to subscribe whom to; ids are Stripe's."""

    customer: str
    price: str
    quantity: int | None = None
    trial_period_days: int | None = None
    payment_method: str | None = None
    coupon: str | None = None
    metadata: Mapping[str, str] | None = None

    def params(self, operation: str) -> dict[str, Any]:
        """Stripe's parameters; the operation's id lets a later attempt find what an earlier one made."""
        item: dict[str, Any] = {"price": self.price} | ({"quantity": self.quantity} if self.quantity else {})
        params: dict[str, Any] = {"customer": self.customer, "items": [item]}
        params["metadata"] = dict(self.metadata or {}) | {OPERATION: operation}
        if self.trial_period_days:
            params["trial_period_days"] = self.trial_period_days
        if self.payment_method:
            params["default_payment_method"] = self.payment_method
        if self.coupon:
            params["discounts"] = [{"coupon": self.coupon}]
        return params


async def create(operations: Operations, order: Order, new: NewSubscription) -> Outcome:
    """Start a subscription; where the first payment fails it is `incomplete`, as Stripe has it."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, operation: str) -> Answer:
        params = new.params(operation)
        return await stripe.call(account, lambda v1, o: v1.subscriptions.create_async(params, o), idempotency_key=key)

    wanted = {"customer": new.customer, "status": "all"}
    find = finder(stripe, account, lambda v1, asked, o: v1.subscriptions.list_async(asked, o), wanted)
    return await operations.run(order, call, find=find)


async def change(
    operations: Operations, order: Order, subscription: str, item: str, fields: Mapping[str, Any]
) -> Outcome:
    """Move a subscription's item to another price or quantity; `fields` may name Stripe's proration behaviour."""
    stripe, account = operations.stripe, order.caller.tenant.account
    changed = {"id": item} | {name: fields[name] for name in ("price", "quantity") if fields.get(name) is not None}
    params: dict[str, Any] = {"items": [changed], "proration_behavior": fields["proration_behavior"]}

    async def call(key: str, _operation: str) -> Answer:
        return await stripe.call(
            account, lambda v1, o: v1.subscriptions.update_async(subscription, params, o), idempotency_key=key
        )

    return await operations.run(order, call, target=("subscription", subscription))


async def cancel(operations: Operations, order: Order, subscription: str, *, at_period_end: bool) -> Outcome:
    """End a subscription now, or at the end of what is paid for."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, _operation: str) -> Answer:
        if at_period_end:
            params = {"cancel_at_period_end": True}
            return await stripe.call(
                account, lambda v1, o: v1.subscriptions.update_async(subscription, params, o), idempotency_key=key
            )
        # Stripe takes no idempotency key for DELETE and refuses a second one: then the first one was answered to nobody
        try:
            return await stripe.call(account, lambda v1, o: v1.subscriptions.cancel_async(subscription, None, o))
        except BillingError as error:
            if error.code is not Code.STRIPE_REFUSED:
                raise
            found = await stripe.call(account, lambda v1, o: v1.subscriptions.retrieve_async(subscription, None, o))
            if found.body["status"] != "canceled":
                raise
            return found

    return await operations.run(order, call, target=("subscription", subscription))
