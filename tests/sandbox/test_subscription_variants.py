"""Subscriptions in less usual ways: updates that wait for a payment, anchors to come, other discounts."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of, monthly
from tests.sandbox.server import raw

START = 1_768_435_200  # 15 Jan 2026, 00:00 UTC
FEBRUARY = 1_769_904_000
DAY = 86_400


async def clocked(client: stripe.StripeClient, at: int = START) -> tuple[str, str]:
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": at})
    return clock.id, await customer_with(client, test_clock=clock.id)


async def until(client: stripe.StripeClient, clock: str, second: int) -> None:
    await client.v1.test_helpers.test_clocks.advance_async(clock, {"frozen_time": second})
    while (await client.v1.test_helpers.test_clocks.retrieve_async(clock)).status != "ready":
        pass


async def pay_with(client: stripe.StripeClient, customer: str, card: str) -> None:
    method = await client.v1.payment_methods.attach_async(card, {"customer": customer})
    await client.v1.customers.update_async(customer, {"invoice_settings": {"default_payment_method": method.id}})


async def upgrade(client: stripe.StripeClient, made: stripe.Subscription, price: str) -> stripe.Subscription:
    change: Any = {
        "items": [{"id": made["items"].data[0].id, "price": price}],
        "payment_behavior": "pending_if_incomplete",
        "proration_behavior": "always_invoice",
    }
    return await client.v1.subscriptions.update_async(made.id, change)


async def test_a_pending_update_is_applied_when_its_invoice_is_paid(client: stripe.StripeClient) -> None:
    _, customer = await clocked(client)
    small, large = await monthly(client, 1_000), await monthly(client, 5_000)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": small}]})
    await pay_with(client, customer, "pm_card_chargeCustomerFail")
    waiting = await upgrade(client, made, large)
    assert (waiting.status, waiting["items"].data[0].price.id) == ("active", small)
    assert waiting.pending_update is not None
    assert waiting.pending_update.expires_at == START + 23 * 3_600
    assert waiting.pending_update.subscription_items is not None
    assert waiting.pending_update.subscription_items[0].price.id == large
    invoice = await client.v1.invoices.retrieve_async(str(waiting.latest_invoice))
    assert (invoice.status, invoice.total) == ("open", 4_000)
    await pay_with(client, customer, "pm_card_visa")
    await client.v1.invoices.pay_async(invoice.id)
    done = await client.v1.subscriptions.retrieve_async(made.id)
    assert (done.pending_update, done["items"].data[0].price.id) == (None, large)
    assert (await events_of(client, "customer.subscription."))[-1] == "customer.subscription.pending_update_applied"


async def test_a_pending_update_expires_and_its_invoice_is_voided(client: stripe.StripeClient) -> None:
    clock, customer = await clocked(client)
    small, large = await monthly(client, 1_000), await monthly(client, 5_000)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": small}]})
    await pay_with(client, customer, "pm_card_chargeCustomerFail")
    waiting = await upgrade(client, made, large)
    await until(client, clock, START + DAY)
    over = await client.v1.subscriptions.retrieve_async(made.id)
    assert (over.status, over.pending_update, over["items"].data[0].price.id) == ("active", None, small)
    assert (await client.v1.invoices.retrieve_async(str(waiting.latest_invoice))).status == "void"
    assert "customer.subscription.pending_update_expired" in await events_of(client, "customer.subscription.")


async def test_an_update_that_is_paid_at_once_does_not_wait(client: stripe.StripeClient) -> None:
    _, customer = await clocked(client)
    small, large = await monthly(client, 1_000), await monthly(client, 5_000)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": small}]})
    changed = await upgrade(client, made, large)
    assert (changed.pending_update, changed["items"].data[0].price.id) == (None, large)


async def test_only_what_can_wait_may_be_pending(client: stripe.StripeClient) -> None:
    _, customer = await clocked(client)
    price = await monthly(client, 1_000)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscriptions.create_async(
            {"customer": customer, "items": [{"price": price}], "payment_behavior": "pending_if_incomplete"}
        )
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": price}]})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.subscriptions.update_async(
            made.id, {"metadata": {"a": "b"}, "payment_behavior": "pending_if_incomplete"}
        )
    assert refused.value.param == "metadata"
    assert raw(await client.v1.subscriptions.retrieve_async(made.id))["metadata"] == {}


@pytest.mark.parametrize("how", ["anchor", "config"])
async def test_an_anchor_to_come_shortens_the_first_period(client: stripe.StripeClient, how: str) -> None:
    clock, customer = await clocked(client)
    price = await monthly(client, 3_100)
    given: Any = {"customer": customer, "items": [{"price": price}]}
    if how == "anchor":
        given["billing_cycle_anchor"] = FEBRUARY
    else:
        given["billing_cycle_anchor_config"] = {"day_of_month": 1, "hour": 0, "minute": 0, "second": 0}
    made = await client.v1.subscriptions.create_async(given)
    # A whole month from 15 January would be 31 days long; 17 of them are used.
    exact = Decimal(3_100) * (FEBRUARY - START) / (31 * DAY)
    first = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    item = made["items"].data[0]
    assert (made.billing_cycle_anchor, item.current_period_end) == (FEBRUARY, FEBRUARY)
    assert (await client.v1.invoices.retrieve_async(str(made.latest_invoice))).total == first == 1_700
    await until(client, clock, FEBRUARY + 2 * 3_600)
    found = (await client.v1.invoices.list_async({"customer": customer})).data
    assert [invoice.total for invoice in found] == [3_100, 1_700]


async def test_an_anchor_without_prorations_costs_nothing_until_then(client: stripe.StripeClient) -> None:
    _, customer = await clocked(client)
    price = await monthly(client, 3_100)
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer,
            "items": [{"price": price}],
            "billing_cycle_anchor": FEBRUARY,
            "proration_behavior": "none",
        }
    )
    assert (await client.v1.invoices.retrieve_async(str(made.latest_invoice))).total == 0


@pytest.mark.parametrize("anchor", [START, START - 1, START + 40 * DAY])
async def test_an_anchor_must_be_within_the_first_period(client: stripe.StripeClient, anchor: int) -> None:
    _, customer = await clocked(client)
    price = await monthly(client, 3_100)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.subscriptions.create_async(
            {"customer": customer, "items": [{"price": price}], "billing_cycle_anchor": anchor}
        )
    assert refused.value.param == "billing_cycle_anchor"
    assert not (await client.v1.subscriptions.list_async({"customer": customer})).data


async def test_an_update_replaces_the_discounts(client: stripe.StripeClient) -> None:
    clock, customer = await clocked(client)
    half = await client.v1.coupons.create_async({"percent_off": 50, "duration": "forever"})
    tenth = await client.v1.coupons.create_async({"percent_off": 10, "duration": "forever"})
    price = await monthly(client, 1_000)
    made = await client.v1.subscriptions.create_async(
        {"customer": customer, "items": [{"price": price}], "discounts": [{"coupon": half.id}]}
    )
    changed = await client.v1.subscriptions.update_async(made.id, {"discounts": [{"coupon": tenth.id}]})
    assert len(changed.discounts) == 1
    assert changed.discounts != made.discounts
    await until(client, clock, made["items"].data[0].current_period_end + 2 * 3_600)
    found = (await client.v1.invoices.list_async({"customer": customer})).data
    assert [invoice.total for invoice in found] == [900, 500]
    cleared = await client.v1.subscriptions.update_async(made.id, {"discounts": ""})
    assert cleared.discounts == []
