"""Subscription schedules by test clock: phases, their invoices, their ends."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of, monthly

JANUARY = 1_767_225_600  # 1 Jan 2026, 00:00 UTC
FEBRUARY = 1_769_904_000
MARCH = 1_772_323_200
APRIL = 1_775_001_600
HOUR = 3_600


class Life:
    """A customer on a test clock."""

    def __init__(self, client: stripe.StripeClient, clock: str, customer: str) -> None:
        self.client, self.clock, self.customer = client, clock, customer

    async def until(self, second: int) -> None:
        clocks = self.client.v1.test_helpers.test_clocks
        await clocks.advance_async(self.clock, {"frozen_time": second})
        while (await clocks.retrieve_async(self.clock)).status != "ready":
            pass

    async def invoices(self) -> list[tuple[int, str]]:
        """Total and status, oldest first."""
        found = (await self.client.v1.invoices.list_async({"customer": self.customer})).data
        return [(invoice.total, str(invoice.status)) for invoice in reversed(found)]

    async def schedule(self, *phases: dict[str, Any], **more: Any) -> stripe.SubscriptionSchedule:
        params: Any = {"customer": self.customer, "phases": list(phases), "start_date": "now", **more}
        return await self.client.v1.subscription_schedules.create_async(params)

    async def subscription(self, schedule: stripe.SubscriptionSchedule) -> stripe.Subscription:
        return await self.client.v1.subscriptions.retrieve_async(str(schedule.subscription))


@pytest.fixture
async def life(client: stripe.StripeClient) -> Life:
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": JANUARY})
    return Life(client, clock.id, await customer_with(client, test_clock=clock.id))


def phase(price: str, months: int = 1, **more: Any) -> dict[str, Any]:
    duration = {"interval": "month", "interval_count": months}
    return {"items": [{"price": price}], "duration": duration, **more}


async def test_a_term_of_two_prices_and_then_the_end(life: Life, client: stripe.StripeClient) -> None:
    intro, full = await monthly(client, 1_000), await monthly(client, 2_500)
    made = await life.schedule(phase(intro, 2), phase(full), end_behavior="cancel")
    assert (made.status, made.current_phase and made.current_phase.end_date) == ("active", MARCH)
    assert [(one.start_date, one.end_date) for one in made.phases] == [(JANUARY, MARCH), (MARCH, APRIL)]
    assert (await life.subscription(made)).schedule == made.id
    await life.until(FEBRUARY + 2 * HOUR)
    await life.until(MARCH + 2 * HOUR)
    await life.until(APRIL + 2 * HOUR)
    assert await life.invoices() == [(1_000, "paid"), (1_000, "paid"), (2_500, "paid")]
    done = await client.v1.subscription_schedules.retrieve_async(made.id)
    assert (done.status, done.completed_at, done.current_phase) == ("completed", APRIL, None)
    assert (await life.subscription(made)).status == "canceled"
    assert await events_of(client, "subscription_schedule.") == [
        "subscription_schedule.created", "subscription_schedule.updated", "subscription_schedule.updated",
        "subscription_schedule.expiring", "subscription_schedule.completed",
    ]  # fmt: skip


async def test_a_released_subscription_goes_on(life: Life, client: stripe.StripeClient) -> None:
    price = await monthly(client, 1_000)
    made = await life.schedule(phase(price), end_behavior="release")
    await life.until(FEBRUARY + 2 * HOUR)
    done = await client.v1.subscription_schedules.retrieve_async(made.id)
    assert (done.status, done.subscription, done.released_subscription) == ("released", None, made.subscription)
    kept = await client.v1.subscriptions.retrieve_async(str(made.subscription))
    assert (kept.status, kept.schedule) == ("active", None)
    await life.until(MARCH + 2 * HOUR)
    assert await life.invoices() == [(1_000, "paid")] * 3


async def test_from_monthly_to_yearly_the_anchor_moves(life: Life, client: stripe.StripeClient) -> None:
    cheap, annual = await monthly(client, 1_000), await monthly(client, 9_900, "year")
    made = await life.schedule(phase(cheap), phase(annual, 12))
    await life.until(FEBRUARY + 2 * HOUR)
    assert await life.invoices() == [(1_000, "paid"), (9_900, "paid")]
    (item,) = (await life.subscription(made))["items"].data
    assert (item.current_period_start, item.current_period_end) == (FEBRUARY, FEBRUARY + 365 * 24 * HOUR)


async def test_a_phase_in_the_middle_of_a_period_is_prorated(life: Life, client: stripe.StripeClient) -> None:
    one, two = await monthly(client, 3_100), await monthly(client, 6_200)
    middle = JANUARY + 15 * 24 * HOUR + 12 * HOUR  # half of January
    first = {"items": [{"price": one}], "end_date": middle}
    second = {"items": [{"price": two}], "end_date": MARCH, "proration_behavior": "always_invoice"}
    await life.schedule(first, second)
    await life.until(middle + HOUR)
    assert await life.invoices() == [(3_100, "paid"), (3_100 - 1_550, "paid")]


async def test_a_schedule_waits_for_its_start_and_can_be_given_up(life: Life, client: stripe.StripeClient) -> None:
    price = await monthly(client, 1_000)
    later = await life.schedule(phase(price), start_date=FEBRUARY)
    given_up = await life.schedule(phase(price), start_date=FEBRUARY)
    assert (later.status, later.subscription) == ("not_started", None)
    waiting = await client.v1.subscription_schedules.list_async({"scheduled": True})
    assert {one.id for one in waiting.data} == {later.id, given_up.id}
    cancelled = await client.v1.subscription_schedules.cancel_async(given_up.id)
    assert cancelled.status == "canceled"
    await life.until(FEBRUARY + HOUR)
    begun = await client.v1.subscription_schedules.retrieve_async(later.id)
    assert begun.status == "active"
    assert await life.invoices() == [(1_000, "paid")]


async def test_a_schedule_from_a_subscription_takes_new_phases(life: Life, client: stripe.StripeClient) -> None:
    one, two = await monthly(client, 1_000), await monthly(client, 2_000)
    subscription = await client.v1.subscriptions.create_async({"customer": life.customer, "items": [{"price": one}]})
    made = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    assert (made.phases[0].start_date, made.phases[0].end_date) == (JANUARY, FEBRUARY)
    await client.v1.subscription_schedules.update_async(
        made.id,
        {
            "end_behavior": "cancel",
            "phases": [
                {"items": [{"price": one}], "start_date": JANUARY, "end_date": FEBRUARY},
                {"items": [{"price": two, "quantity": 3}], "end_date": MARCH},
            ],
        },
    )
    await life.until(FEBRUARY + 2 * HOUR)
    assert await life.invoices() == [(1_000, "paid"), (6_000, "paid")]


async def test_cancelling_ends_both_and_gives_the_rest_back(life: Life, client: stripe.StripeClient) -> None:
    price = await monthly(client, 3_100)
    made = await life.schedule(phase(price, 3))
    await life.until(JANUARY + 24 * HOUR)
    done = await client.v1.subscription_schedules.cancel_async(made.id)
    assert (done.status, done.canceled_at) == ("canceled", JANUARY + 24 * HOUR)
    assert (await life.subscription(made)).status == "canceled"
    assert await life.invoices() == [(3_100, "paid"), (-3_000, "paid")]
    customer = await client.v1.customers.retrieve_async(life.customer)
    assert customer.balance == -3_000
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscription_schedules.release_async(made.id)


async def test_a_cancelled_subscription_takes_its_schedule_along(life: Life, client: stripe.StripeClient) -> None:
    made = await life.schedule(phase(await monthly(client, 1_000), 3))
    await client.v1.subscriptions.cancel_async(str(made.subscription))
    assert (await client.v1.subscription_schedules.retrieve_async(made.id)).status == "canceled"


async def test_a_released_schedule_leaves_the_subscription(life: Life, client: stripe.StripeClient) -> None:
    made = await life.schedule(phase(await monthly(client, 1_000), 3), end_behavior="cancel")
    released = await client.v1.subscription_schedules.release_async(made.id)
    assert released.released_subscription == made.subscription
    await life.until(FEBRUARY + 2 * HOUR)
    assert await life.invoices() == [(1_000, "paid"), (1_000, "paid")]


async def test_phases_that_make_no_sense_are_refused_and_nothing_is_made(
    life: Life, client: stripe.StripeClient
) -> None:
    price = await monthly(client, 1_000)
    item = {"items": [{"price": price}]}
    for phases in (
        [],
        [item],
        [{**item, "end_date": JANUARY}],
        [{"duration": {"interval": "month"}}],
        [{**item, "duration": {"interval": "month"}, "end_date": MARCH}],
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await life.schedule(*phases)
    assert not (await client.v1.subscription_schedules.list_async()).data
    assert await life.invoices() == []
