"""What may be done with subscriptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.errors import BillingError, Code
from billing.finding import OPERATION, finder
from billing.mirroring import Mirroring
from billing.operations import Operations, Order, Outcome
from billing.stripe_client import Answer
from mirror.apply import epoch
from mirror.kinds import KINDS
from tenants.context import Caller, TenantInfo

# With the answer, so that who subscribes sees at once what is to be paid and can pay it.
LATEST_INVOICE = ["latest_invoice.confirmation_secret", "latest_invoice.payments"]


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
        params: dict[str, Any] = {"customer": self.customer, "items": [item], "expand": LATEST_INVOICE}
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
    changed = {"id": item} | {name: fields[name] for name in ("price", "quantity") if fields.get(name) is not None}
    params: dict[str, Any] = {"items": [changed], "proration_behavior": fields["proration_behavior"]}
    return await _update(operations, order, subscription, params | {"expand": LATEST_INVOICE})


async def _update(operations: Operations, order: Order, subscription: str, params: Mapping[str, Any]) -> Outcome:
    """Carry out an order that is one update at Stripe."""
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(key: str, _operation: str) -> Answer:
        return await stripe.call(
            account, lambda v1, o: v1.subscriptions.update_async(subscription, dict(params), o), idempotency_key=key
        )

    return await operations.run(order, call, target=("subscription", subscription))


async def confirmation(
    operations: Operations, caller: Caller, body: Mapping[str, Any] | None, invoice: str
) -> str | None:
    """The client secret with which the customer pays an open invoice; None where there is nothing to pay.

    `body` is Stripe's answer just now, with the invoice in it; without it Stripe is asked. The payment that waits or
    failed is brought to the mirror, so that its reason is seen at once.
    """
    found = (body or {}).get("latest_invoice")
    stripe, tenant = operations.stripe, caller.tenant
    if not isinstance(found, Mapping):
        asked = {"expand": ["confirmation_secret", "payments"]}
        found = (await stripe.call(tenant.account, lambda v1, o: v1.invoices.retrieve_async(invoice, asked, o))).body
    if found["status"] != "open":
        return None
    for each in (found.get("payments") or {}).get("data", []):
        if intent := each["payment"].get("payment_intent"):
            await _bring_payment(operations, caller.tenant, intent)
    return (found.get("confirmation_secret") or {}).get("client_secret")


async def _bring_payment(operations: Operations, tenant: TenantInfo, intent: str) -> None:
    """Read a payment into the mirror: Stripe's events of it are under way in the same second."""
    database, stripe = operations.database, operations.stripe
    known = await epoch(database.app, tenant.id, KINDS["payment_intent"], intent, livemode=tenant.livemode)
    answer = await stripe.call(tenant.account, lambda v1, o: v1.payment_intents.retrieve_async(intent, None, o))
    way = Mirroring(stripe, tenant.id, tenant.account or "", tenant.livemode)
    await way.bring(database, way.arrival(answer, read_epoch=known))


async def cancel(
    operations: Operations,
    order: Order,
    subscription: str,
    *,
    at_period_end: bool,
    details: Mapping[str, str] | None = None,
) -> Outcome:
    """End a subscription now, or at the end of what is paid for; `details` are Stripe's `cancellation_details`."""
    given = {"cancellation_details": dict(details)} if details else {}
    if at_period_end:
        return await _update(operations, order, subscription, {"cancel_at_period_end": True, **given})
    stripe, account = operations.stripe, order.caller.tenant.account

    async def call(_key: str, _operation: str) -> Answer:
        # Stripe takes no idempotency key for DELETE and refuses a second one: then the first one was answered to nobody
        try:
            return await stripe.call(account, lambda v1, o: v1.subscriptions.cancel_async(subscription, given, o))
        except BillingError as error:
            if error.code is not Code.STRIPE_REFUSED:
                raise
            found = await stripe.call(account, lambda v1, o: v1.subscriptions.retrieve_async(subscription, None, o))
            if found.body["status"] != "canceled":
                raise
            return found

    return await operations.run(order, call, target=("subscription", subscription))


async def uncancel(operations: Operations, order: Order, subscription: str) -> Outcome:
    """Take back a cancellation that is still to come; refused by Stripe once the subscription has ended."""
    return await _update(operations, order, subscription, {"cancel_at_period_end": False})
