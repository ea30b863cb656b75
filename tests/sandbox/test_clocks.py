"""Time: renewals, trials, retries and expiry, on test clocks."""

import json
from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of, monthly
from tests.sandbox.server import Receiver

START = 1_800_000_000  # 15 January 2027
DAY = 86_400
HOUR = 3600


class Clock:
    """A test clock that tells by a webhook when it has arrived."""

    def __init__(self, client: stripe.StripeClient, receiver: Receiver, clock_id: str) -> None:
        self._client = client
        self._receiver = receiver
        self.id = clock_id

    async def to(self, second: int) -> None:
        answer = await self._client.v1.test_helpers.test_clocks.advance_async(self.id, {"frozen_time": second})
        assert answer.status == "advancing"
        body, _ = await self._receiver.arrived.get()
        assert json.loads(body)["type"] == "test_helpers.test_clock.ready"
        assert (await self._client.v1.test_helpers.test_clocks.retrieve_async(self.id)).frozen_time == second


@pytest.fixture
async def clock(client: stripe.StripeClient, receiver: Receiver) -> Clock:
    await client.v1.webhook_endpoints.create_async(
        {"url": receiver.url, "enabled_events": ["test_helpers.test_clock.ready"]}
    )
    made = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": START})
    return Clock(client, receiver, made.id)


async def subscribed(
    client: stripe.StripeClient, clock: Clock, card: str = "pm_card_visa", **more: Any
) -> stripe.Subscription:
    customer = await customer_with(client, card, test_clock=clock.id)
    return await client.v1.subscriptions.create_async(
        {"customer": customer, "items": [{"price": await monthly(client, 2500)}], **more}  # type: ignore[arg-type]
    )


async def use_card(client: stripe.StripeClient, customer: str, card: str) -> None:
    method = await client.v1.payment_methods.attach_async(card, {"customer": customer})
    await client.v1.customers.update_async(customer, {"invoice_settings": {"default_payment_method": method.id}})


async def test_a_renewal_is_a_draft_for_an_hour_and_then_paid(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock)
    assert made.created == START
    (item,) = made["items"].data
    await clock.to(item.current_period_end)
    renewed = await client.v1.subscriptions.retrieve_async(made.id)
    draft = await client.v1.invoices.retrieve_async(str(renewed.latest_invoice))
    assert renewed["items"].data[0].current_period_start == item.current_period_end
    assert (draft.status, draft.billing_reason, draft.total) == ("draft", "subscription_cycle", 2500)
    assert (draft.period_start, draft.period_end) == (START, item.current_period_end)
    await clock.to(item.current_period_end + HOUR)
    paid = await client.v1.invoices.retrieve_async(draft.id)
    assert (paid.status, paid.attempt_count) == ("paid", 1)
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == "active"


async def test_prorations_are_on_the_next_renewal(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock)
    (item,) = made["items"].data
    half = (START + item.current_period_end) // 2
    await clock.to(half)
    await client.v1.subscription_items.update_async(item.id, {"quantity": 2})
    await clock.to(item.current_period_end)
    latest = str((await client.v1.subscriptions.retrieve_async(made.id)).latest_invoice)
    invoice = await client.v1.invoices.retrieve_async(latest)
    assert [line.amount for line in invoice.lines.data] == [-1250, 2500, 5000]
    assert (await client.v1.invoice_items.list_async({"pending": True})).data == []


async def test_a_failed_renewal_is_tried_four_times_and_then_cancels(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock)
    (item,) = made["items"].data
    await use_card(client, str(made.customer), "pm_card_chargeCustomerFail")
    at = item.current_period_end + HOUR
    await clock.to(at)
    failed = await client.v1.subscriptions.retrieve_async(made.id)
    invoice = await client.v1.invoices.retrieve_async(str(failed.latest_invoice))
    assert (failed.status, invoice.attempt_count, invoice.next_payment_attempt) == ("past_due", 1, at + 3 * DAY)
    await clock.to(at + 8 * DAY)
    assert (await client.v1.invoices.retrieve_async(invoice.id)).attempt_count == 3
    await clock.to(at + 15 * DAY)
    last = await client.v1.invoices.retrieve_async(invoice.id)
    ended = await client.v1.subscriptions.retrieve_async(made.id)
    assert (last.status, last.attempt_count, last.next_payment_attempt) == ("open", 4, None)
    assert (ended.status, ended.ended_at) == ("canceled", at + 15 * DAY)
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.reason == "payment_failed"


async def test_a_better_card_ends_the_retries(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock)
    (item,) = made["items"].data
    await use_card(client, str(made.customer), "pm_card_chargeCustomerFail")
    await clock.to(item.current_period_end + HOUR)
    await use_card(client, str(made.customer), "pm_card_visa")
    await clock.to(item.current_period_end + HOUR + 3 * DAY)
    saved = await client.v1.subscriptions.retrieve_async(made.id)
    invoice = await client.v1.invoices.retrieve_async(str(saved.latest_invoice))
    assert (saved.status, invoice.status, invoice.attempt_count) == ("active", "paid", 2)


@pytest.mark.parametrize(
    ("missing", "status", "event"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("pause", "paused", "customer.subscription.paused"),
        ("create_invoice", "past_due", "customer.subscription.updated"),
    ],
)
async def test_a_trial_without_a_card_ends_as_its_settings_say(
    client: stripe.StripeClient, clock: Clock, missing: Any, status: str, event: str
) -> None:
    customer = await client.v1.customers.create_async({"test_clock": clock.id})
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "items": [{"price": await monthly(client, 2500)}],
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": missing}},
        }
    )
    await clock.to(START + 7 * DAY + HOUR)
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == status
    told = await events_of(client, "customer.subscription")
    assert "customer.subscription.trial_will_end" in told
    assert told[-1] == event


async def test_a_trial_with_a_card_is_charged_at_its_end(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock, trial_period_days=7)
    await clock.to(START + 7 * DAY + HOUR)
    after = await client.v1.subscriptions.retrieve_async(made.id, {"expand": ["latest_invoice"]})
    assert after.status == "active"
    assert after["items"].data[0].current_period_start == START + 7 * DAY
    assert isinstance(after.latest_invoice, stripe.Invoice)
    assert (after.latest_invoice.status, after.latest_invoice.amount_paid) == ("paid", 2500)


async def test_an_unpaid_first_invoice_expires_after_23_hours(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock, "pm_card_chargeCustomerFail")
    await clock.to(START + 23 * HOUR - 1)
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == "incomplete"
    await clock.to(START + 23 * HOUR)
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == "incomplete_expired"
    assert (await client.v1.invoices.retrieve_async(str(made.latest_invoice))).status == "void"


async def test_a_planned_cancellation_happens_instead_of_the_renewal(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock, cancel_at_period_end=True)
    (item,) = made["items"].data
    await clock.to(item.current_period_end + DAY)
    ended = await client.v1.subscriptions.retrieve_async(made.id)
    assert (ended.status, ended.ended_at) == ("canceled", item.current_period_end)
    assert len((await client.v1.invoices.list_async()).data) == 1


@pytest.mark.parametrize(
    ("behavior", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")]
)
async def test_invoices_of_a_paused_collection_are_not_charged(
    client: stripe.StripeClient, clock: Clock, behavior: Any, status: str
) -> None:
    made = await subscribed(client, clock)
    (item,) = made["items"].data
    await client.v1.subscriptions.update_async(made.id, {"pause_collection": {"behavior": behavior}})
    await clock.to(item.current_period_end + HOUR)
    after = await client.v1.subscriptions.retrieve_async(made.id, {"expand": ["latest_invoice"]})
    assert isinstance(after.latest_invoice, stripe.Invoice)
    assert (after.status, after.latest_invoice.status) == ("active", status)


async def test_an_invoice_that_is_not_paid_in_time_makes_the_subscription_past_due(
    client: stripe.StripeClient, clock: Clock
) -> None:
    made = await subscribed(client, clock, collection_method="send_invoice", days_until_due=5)
    assert made.status == "active"
    await clock.to(START + HOUR)
    sent = await client.v1.invoices.retrieve_async(str(made.latest_invoice))
    assert (sent.status, sent.due_date) == ("open", START + HOUR + 5 * DAY)
    await clock.to(START + 6 * DAY)
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == "past_due"
    assert "invoice.overdue" in await events_of(client, "invoice.")


async def test_a_clock_goes_forward_only_and_not_too_far(client: stripe.StripeClient, clock: Clock) -> None:
    await subscribed(client, clock)
    for second in (START, START + 70 * DAY):
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": second})


async def test_a_deleted_clock_takes_its_customers_along(client: stripe.StripeClient, clock: Clock) -> None:
    made = await subscribed(client, clock)
    await client.v1.test_helpers.test_clocks.delete_async(clock.id)
    assert (await client.v1.test_helpers.test_clocks.list_async()).data == []
    assert (await client.v1.customers.retrieve_async(str(made.customer))).deleted is True
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == "canceled"
