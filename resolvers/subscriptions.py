"""Starting, changing and ending subscriptions."""

from typing import Any

from billing import subscriptions
from billing.errors import BillingError, Code
from billing.operations import Order, Outcome
from resolvers.orders import changed, order, repeated
from resolvers.permission import mutates, visible
from schema.context import Info
from schema.inputs import (
    Input,
    SubscriptionCancelInput,
    SubscriptionChangeInput,
    SubscriptionCreateInput,
    SubscriptionPayload,
    SubscriptionUncancelInput,
)
from schema.previews import SubscriptionChangePreviewInput
from schema.types import subscription
from tenants.context import Feature, Scope

_UNPAID = {"incomplete", "past_due"}
_LONGEST_COMMENT = 500


def quantity_of(quantity: int | None) -> int | None:
    """The quantity, if it is one; raises BillingError."""
    if quantity is not None and not 1 <= quantity <= 1_000_000:
        raise BillingError(Code.INVALID_INPUT, "quantity takes 1 to 1,000,000.", field="quantity")
    return quantity


@mutates(SubscriptionPayload, Scope.SUBSCRIPTIONS_WRITE)
async def subscription_create(info: Info, input: Input[SubscriptionCreateInput]) -> SubscriptionPayload:  # noqa: A002
    asked = order(info, "subscriptionCreate", input)
    return await _paid(info, await repeated(info, asked) or await _create(info, asked, input))


@mutates(SubscriptionPayload, Scope.SUBSCRIPTIONS_WRITE, own=True, own_feature=Feature.CUSTOMER_CHANGES)
async def subscription_change(info: Info, input: Input[SubscriptionChangeInput]) -> SubscriptionPayload:  # noqa: A002
    asked = order(info, "subscriptionChange", input)
    return await _paid(info, await repeated(info, asked) or await _change(info, asked, input))


@mutates(SubscriptionPayload, Scope.SUBSCRIPTIONS_WRITE, own=True, own_feature=Feature.CUSTOMER_CHANGES)
async def subscription_cancel(info: Info, input: Input[SubscriptionCancelInput]) -> SubscriptionPayload:  # noqa: A002
    asked = order(info, "subscriptionCancel", input)
    return await _payload(info, await repeated(info, asked) or await _cancel(info, asked, input))


@mutates(SubscriptionPayload, Scope.SUBSCRIPTIONS_WRITE, own=True, own_feature=Feature.CUSTOMER_CHANGES)
async def subscription_uncancel(info: Info, input: Input[SubscriptionUncancelInput]) -> SubscriptionPayload:  # noqa: A002
    asked = order(info, "subscriptionUncancel", input)
    return await _payload(info, await repeated(info, asked) or await _uncancel(info, asked, input))


async def _create(info: Info, asked: Order, given: SubscriptionCreateInput) -> Outcome:
    payer = await visible(info, "customers", "Customer", given.customer, "customer")
    price = await visible(info, "prices", "Plan", given.plan, "plan")
    method = given.payment_method
    if method:
        method = (await visible(info, "payment_methods", "PaymentMethod", method, "paymentMethod"))["stripe_id"]
    new = subscriptions.NewSubscription(
        customer=payer["stripe_id"],
        price=price["stripe_id"],
        quantity=quantity_of(given.quantity),
        trial_period_days=given.trial_period_days,
        payment_method=method,
        coupon=given.coupon,
    )
    return await subscriptions.create(info.context.operations, asked, new)


async def change_of(
    info: Info, given: SubscriptionChangeInput | SubscriptionChangePreviewInput
) -> tuple[str, str, dict[str, Any]]:
    """Stripe's ids of the subscription and of its one item, and what shall change; raises BillingError."""
    row = await visible(info, "subscriptions", "Subscription", given.subscription, "subscription")
    price = await visible(info, "prices", "Plan", given.plan, "plan") if given.plan else None
    items = await info.context.parts("subscription_items", row["stripe_id"])
    if len(items) != 1:
        raise BillingError(Code.INVALID_INPUT, "Only a subscription with one item can be changed so.")
    if price is None and given.quantity is None:
        raise BillingError(Code.INVALID_INPUT, "Give a plan, a quantity or both.", field="plan")
    fields = {
        "price": price["stripe_id"] if price else None,
        "quantity": quantity_of(given.quantity),
        "proration_behavior": given.proration.value,
    }
    return row["stripe_id"], items[0]["stripe_id"], fields


async def _change(info: Info, asked: Order, given: SubscriptionChangeInput) -> Outcome:
    subscription_id, item, fields = await change_of(info, given)
    return await subscriptions.change(info.context.operations, asked, subscription_id, item, fields)


async def _cancel(info: Info, asked: Order, given: SubscriptionCancelInput) -> Outcome:
    row = await visible(info, "subscriptions", "Subscription", given.subscription, "subscription")
    if given.comment is not None and not 1 <= len(given.comment) <= _LONGEST_COMMENT:
        raise BillingError(Code.INVALID_INPUT, "A comment has 1 to 500 characters.", field="comment")
    details = {"feedback": given.feedback and given.feedback.value, "comment": given.comment}
    return await subscriptions.cancel(
        info.context.operations,
        asked,
        row["stripe_id"],
        at_period_end=given.at_period_end,
        details={name: value for name, value in details.items() if value},
    )


async def _uncancel(info: Info, asked: Order, given: SubscriptionUncancelInput) -> Outcome:
    row = await visible(info, "subscriptions", "Subscription", given.subscription, "subscription")
    return await subscriptions.uncancel(info.context.operations, asked, row["stripe_id"])


async def _payload(info: Info, outcome: Outcome) -> SubscriptionPayload:
    row = await changed(info, "subscriptions", outcome)
    return SubscriptionPayload(subscription=subscription(row), revision=str(outcome.revision))


async def _paid(info: Info, outcome: Outcome) -> SubscriptionPayload:
    """With what the customer needs to pay the latest invoice, where the saved means of payment did not do."""
    row = await changed(info, "subscriptions", outcome)
    secret = None
    if row["status"] in _UNPAID and row["latest_invoice_id"]:
        context = info.context
        secret = await subscriptions.confirmation(
            context.operations, context.caller, outcome.body, row["latest_invoice_id"]
        )
    return SubscriptionPayload(subscription=subscription(row), revision=str(outcome.revision), client_secret=secret)
