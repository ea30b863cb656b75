"""A year of a tenant's life on a test clock; every amount is worked out here by formula, by none of the sandbox's."""

import asyncio
from calendar import monthrange
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from typing import Any

import stripe

from tests.sandbox.billed import customer_with, monthly

START = datetime(2027, 1, 31, 12, tzinfo=UTC)  # the last of a month: each renewal is on the last of its own
DAY = 86_400
HOUR = 3_600


def month(number: int, first: datetime = START) -> int:
    """The second at which the numbered period begins: the same day of the month, or its last."""
    years, index = divmod(first.month - 1 + number, 12)
    year = first.year + years
    day = min(first.day, monthrange(year, index + 1)[1])
    return int(first.replace(year=year, month=index + 1, day=day).timestamp())


def nearest(amount: Fraction) -> int:
    """Rounded to the nearest minor unit, halves away from zero."""
    return floor(amount + Fraction(1, 2)) if amount >= 0 else -floor(-amount + Fraction(1, 2))


def rest_of(amount: int, at: int, begin: int, end: int) -> int:
    """What the rest of a period costs, to the second."""
    return nearest(Fraction(amount * (end - at), end - begin))


class Life:
    """A clock, and what happens to the customers on it."""

    def __init__(self, client: stripe.StripeClient, clock: str) -> None:
        self.v1 = client.v1
        self.client = client
        self.clock = clock

    async def until(self, second: int) -> None:
        clocks = self.v1.test_helpers.test_clocks
        await clocks.advance_async(self.clock, {"frozen_time": second})
        while (await clocks.retrieve_async(self.clock)).status != "ready":  # noqa: ASYNC110 (Stripe's way to wait)
            await asyncio.sleep(0.01)

    async def subscribe(self, price: str, **given: Any) -> stripe.Subscription:
        customer = await customer_with(self.client, test_clock=self.clock)
        made: Any = {"customer": customer, "items": [{"price": price, "quantity": given.pop("quantity", 1)}], **given}
        return await self.v1.subscriptions.create_async(made)

    async def card(self, subscription: stripe.Subscription, card: str) -> None:
        owner = str(subscription.customer)
        method = await self.v1.payment_methods.attach_async(card, {"customer": owner})
        await self.v1.customers.update_async(owner, {"invoice_settings": {"default_payment_method": method.id}})

    async def bills(self, subscription: stripe.Subscription) -> list[tuple[str | None, int, int]]:
        """Each invoice so far: status, total, amount paid; the oldest first."""
        listed = await self.v1.invoices.list_async({"subscription": subscription.id, "limit": 100})
        return [(one.status, one.total, one.amount_paid) for one in reversed(listed.data)]

    async def status(self, subscription: stripe.Subscription) -> str:
        return (await self.v1.subscriptions.retrieve_async(subscription.id)).status

    async def balance(self, subscription: stripe.Subscription) -> int:
        return (await self.v1.customers.retrieve_async(str(subscription.customer))).balance or 0


async def test_a_year_of_a_tenants_life_to_the_minor_unit(client: stripe.StripeClient) -> None:
    now = month(0)
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": now})
    life = Life(client, clock.id)
    small, large = await monthly(client, 2900), await monthly(client, 4900)
    seats = await life.subscribe(small, quantity=3)
    annual = await life.subscribe(await monthly(client, 30_000, "year"))
    lost = await life.subscribe(await monthly(client, 1500))
    trial = await life.subscribe(await monthly(client, 2000), trial_period_days=14)
    term = await life.subscribe(await monthly(client, 10_000), cancel_at=month(4))
    assert await life.bills(seats) == [("paid", 3 * 2900, 3 * 2900)]
    assert await life.bills(annual) == [("paid", 30_000, 30_000)]
    assert await life.bills(trial) == [("paid", 0, 0)]

    # upgrade after ten days: the old plan's rest is credited and the new one's is owed with the next invoice
    at = now + 10 * DAY
    await life.until(at)
    (item,) = seats["items"].data
    await client.v1.subscriptions.update_async(seats.id, {"items": [{"id": item.id, "price": large}]})
    credit = -rest_of(3 * 2900, at, month(0), month(1))
    debit = rest_of(3 * 4900, at, month(0), month(1))

    # the trial ends after fourteen days, and its day becomes the anchor
    trial_end = now + 14 * DAY
    await life.until(trial_end + 2 * HOUR)
    assert await life.bills(trial) == [("paid", 0, 0), ("paid", 2000, 2000)]

    await life.until(month(1) + 2 * HOUR)
    upgraded = 3 * 4900 + credit + debit
    assert await life.bills(seats) == [("paid", 3 * 2900, 3 * 2900), ("paid", upgraded, upgraded)]
    charges = await client.v1.charges.list_async({"customer": str(seats.customer), "limit": 1})
    await client.v1.refunds.create_async({"charge": charges.data[0].id, "amount": 1000})
    await life.card(lost, "pm_card_chargeCustomerFail")

    await life.until(month(2) + 2 * HOUR)
    assert (await life.bills(lost))[2:] == [("open", 1500, 0)]
    assert await life.status(lost) == "past_due"

    # downgrade five days later, billed at once: what is too much stays on the customer's balance
    at = month(2) + 5 * DAY
    await life.until(at)
    change: Any = {"items": [{"id": item.id, "quantity": 1}], "proration_behavior": "always_invoice"}
    await client.v1.subscriptions.update_async(seats.id, change)
    owed = -rest_of(3 * 4900, at, month(2), month(3)) + rest_of(4900, at, month(2), month(3))
    assert (await life.bills(seats))[2:] == [("paid", 3 * 4900, 3 * 4900), ("paid", owed, 0)]
    assert await life.balance(seats) == owed

    # a renewal fails, a better card comes, and the retry after three days is paid
    anchor = datetime.fromtimestamp(trial_end, UTC)
    await life.card(trial, "pm_card_chargeCustomerFail")
    await life.until(month(2, anchor) + 2 * HOUR)
    assert (await life.bills(trial))[2:] == [("paid", 2000, 2000), ("open", 2000, 0)]
    assert await life.status(trial) == "past_due"
    await life.card(trial, "pm_card_visa")
    # the other one's last retry comes 3, 5 and 7 days after one another, and ends it
    await life.until(month(2) + HOUR + (3 + 5 + 7) * DAY + HOUR)
    assert await life.status(lost) == "canceled"
    assert [paid for _, _, paid in await life.bills(lost)] == [1500, 1500, 0]
    await life.until(month(2, anchor) + HOUR + 3 * DAY + HOUR)
    assert (await life.bills(trial))[2:] == [("paid", 2000, 2000), ("paid", 2000, 2000)]
    assert await life.status(trial) == "active"

    # the balance pays the next invoice whole, and the one after in part
    await life.until(month(3) + 2 * HOUR)
    left = owed + 4900
    assert left < 0
    assert (await life.bills(seats))[4:] == [("paid", 4900, 0)]
    assert await life.balance(seats) == left
    await life.until(month(4) + 2 * HOUR)
    assert (await life.bills(seats))[5:] == [("paid", 4900, 4900 + left)]
    assert await life.balance(seats) == 0
    assert await life.status(term) == "canceled"
    assert await life.bills(term) == [("paid", 10_000, 10_000)] * 4

    # a credit note on a paid invoice goes to the balance, and from there to the next one
    newest = (await client.v1.invoices.list_async({"subscription": seats.id, "limit": 1})).data[0]
    note: Any = {"invoice": str(newest.id), "amount": 300, "credit_amount": 300}
    await client.v1.credit_notes.create_async(note)
    assert await life.balance(seats) == -300
    await life.until(month(5) + 2 * HOUR)
    assert (await life.bills(seats))[6:] == [("paid", 4900, 4600)]

    # collection is paused for two months: their invoices are void
    await client.v1.subscriptions.update_async(seats.id, {"pause_collection": {"behavior": "void"}})
    await life.until(month(6) + 2 * HOUR)
    await life.until(month(7) + 2 * HOUR)
    assert [(status, paid) for status, _, paid in (await life.bills(seats))[7:]] == [("void", 0)] * 2
    await client.v1.subscriptions.update_async(seats.id, {"pause_collection": ""})
    for number in range(8, 13):
        await life.until(month(number) + 2 * HOUR)
    assert (await life.bills(seats))[9:] == [("paid", 4900, 4900)] * 5
    assert await life.bills(annual) == [("paid", 30_000, 30_000)] * 2
    # 14 February to 14 January: twelve renewals, and the trial's invoice of nothing
    assert await life.bills(trial) == [("paid", 0, 0)] + [("paid", 2000, 2000)] * 12

    paid = [3 * 2900, upgraded, 3 * 4900, 4900 + left, 4600, *[4900] * 5, *[30_000] * 2, *[1500] * 2]
    paid += [2000] * 12 + [10_000] * 4
    fees = sum(nearest(Fraction(amount * 29, 1000)) + 30 for amount in paid)
    balance = await client.v1.balance.retrieve_async()
    held = sum(one.amount for state in (balance.available, balance.pending) for one in state)
    assert held == sum(paid) - fees - 1000
