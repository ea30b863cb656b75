"""Subscriptions with the official SDK: creation, changes, cancellation."""

from typing import Literal

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of, monthly

EXPAND = ["latest_invoice.confirmation_secret", "latest_invoice.payments", "pending_setup_intent", "discounts"]


async def subscribed(client: stripe.StripeClient, amount: int = 2500, quantity: int = 1) -> stripe.Subscription:
    customer, price = await customer_with(client), await monthly(client, amount)
    return await client.v1.subscriptions.create_async(
        {"customer": customer, "items": [{"price": price, "quantity": quantity}], "expand": list(EXPAND)}
    )


def invoice_of(subscription: stripe.Subscription) -> stripe.Invoice:
    assert isinstance(subscription.latest_invoice, stripe.Invoice)
    return subscription.latest_invoice


async def test_a_good_card_makes_an_active_subscription_with_a_paid_invoice(client: stripe.StripeClient) -> None:
    made = await subscribed(client)
    (item,) = made["items"].data
    assert (made.status, made.billing_cycle_anchor) == ("active", item.current_period_start)
    invoice = invoice_of(made)
    assert (invoice.status, invoice.billing_reason, invoice.amount_paid) == ("paid", "subscription_create", 2500)
    assert invoice.period_start == invoice.period_end
    assert [line.description for line in invoice.lines.data] == ["1 user × Seats (at $25.00 / month)"]
    assert await events_of(client, "customer.subscription", "invoice.") == [
        "invoice.created",
        "customer.subscription.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]


async def test_a_customer_without_a_card_is_refused_and_nothing_is_left(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({})
    price = await monthly(client, 2500)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.subscriptions.create_async({"customer": customer.id, "items": [{"price": price}]})
    assert refused.value.code == "resource_missing"
    assert (await client.v1.invoices.list_async()).data == []
    assert (await client.v1.subscriptions.list_async({"status": "all"})).data == []


async def test_a_declined_first_payment_leaves_it_incomplete_until_it_is_paid(client: stripe.StripeClient) -> None:
    customer, price = await customer_with(client, "pm_card_chargeCustomerFail"), await monthly(client, 2500)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": price}]})
    assert made.status == "incomplete"
    invoice = await client.v1.invoices.retrieve_async(str(made.latest_invoice))
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == ("open", 1, None)
    good = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer})
    await client.v1.invoices.pay_async(invoice.id, {"payment_method": good.id})
    assert (await client.v1.subscriptions.retrieve_async(made.id)).status == "active"


async def test_error_if_incomplete_refuses_and_creates_nothing(client: stripe.StripeClient) -> None:
    customer, price = await customer_with(client, "pm_card_chargeCustomerFail"), await monthly(client, 2500)
    with pytest.raises(stripe.CardError) as refused:
        await client.v1.subscriptions.create_async(
            {"customer": customer, "items": [{"price": price}], "payment_behavior": "error_if_incomplete"}
        )
    assert (refused.value.http_status, refused.value.code) == (402, "card_declined")
    assert (await client.v1.subscriptions.list_async({"status": "all"})).data == []
    assert (await client.v1.payment_intents.list_async()).data == []


async def test_default_incomplete_waits_for_the_intent_to_be_confirmed(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({})
    price = await monthly(client, 2500)
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "items": [{"price": price}],
            "payment_behavior": "default_incomplete",
            "payment_settings": {"save_default_payment_method": "on_subscription"},
            "expand": list(EXPAND),
        }
    )
    secret = invoice_of(made).confirmation_secret
    assert made.status == "incomplete"
    assert secret is not None
    intent = secret.client_secret.partition("_secret_")[0]
    await client.v1.payment_intents.confirm_async(intent, {"payment_method": "pm_card_visa"})
    after = await client.v1.subscriptions.retrieve_async(made.id, {"expand": ["latest_invoice"]})
    assert (after.status, invoice_of(after).status) == ("active", "paid")
    assert after.default_payment_method is not None


async def test_a_card_that_needs_authentication_counts_no_attempt(client: stripe.StripeClient) -> None:
    customer, price = await customer_with(client, "pm_card_authenticationRequired"), await monthly(client, 2500)
    made = await client.v1.subscriptions.create_async(
        {"customer": customer, "items": [{"price": price}], "expand": list(EXPAND)}
    )
    invoice = invoice_of(made)
    assert (made.status, invoice.status, invoice.attempted, invoice.attempt_count) == ("incomplete", "open", True, 0)
    assert invoice.payments is not None
    assert [(payment.status, payment.amount_paid) for payment in invoice.payments.data] == [("open", None)]
    assert "invoice.payment_action_required" in await events_of(client, "invoice.")


async def test_a_trial_costs_nothing_and_anchors_at_its_end(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({})
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "items": [{"price": await monthly(client, 2500)}],
            "trial_period_days": 15,
            "expand": list(EXPAND),
        }
    )
    (item,) = made["items"].data
    invoice = invoice_of(made)
    assert (made.status, made.trial_end) == ("trialing", made.created + 15 * 86_400)
    assert made.billing_cycle_anchor == made.trial_end == item.current_period_end
    assert (invoice.status, invoice.attempt_count, invoice.total) == ("paid", 0, 0)
    assert invoice.lines.data[0].description == "Free trial for 1 user × Seats"
    assert invoice.payments is not None
    assert invoice.payments.data == []


async def test_a_swap_to_a_yearly_price_keeps_the_anchor_and_bills_the_difference(client: stripe.StripeClient) -> None:
    made = await subscribed(client)
    yearly = await monthly(client, 25_000, "year")
    (item,) = made["items"].data
    changed = await client.v1.subscriptions.update_async(
        made.id,
        {
            "items": [{"id": item.id, "price": yearly}],
            "proration_behavior": "always_invoice",
            "proration_date": made.created,
            "trial_end": "now",
            "expand": list(EXPAND),
        },
    )
    (moved,) = changed["items"].data
    assert (moved.id, moved.current_period_start) == (item.id, made.billing_cycle_anchor)
    assert moved.current_period_end - moved.current_period_start in {365 * 86_400, 366 * 86_400}
    invoice = invoice_of(changed)
    assert (invoice.status, invoice.billing_reason, invoice.total) == ("paid", "subscription_update", 22_500)
    unused, remaining = invoice.lines.data
    assert (unused.amount, remaining.amount) == (-2500, 25_000)
    assert unused.description is not None
    assert unused.description.startswith("Unused time on Seats after ")
    assert unused.parent is not None
    details = unused.parent.subscription_item_details
    assert details is not None
    assert details.proration_details is not None
    assert details.proration_details.credited_items is not None
    assert details.proration_details.credited_items.invoice == invoice_of(made).id


async def test_prorations_wait_for_the_next_invoice_unless_unwanted(client: stripe.StripeClient) -> None:
    made = await subscribed(client, 1000)
    (item,) = made["items"].data
    half = (item.current_period_start + item.current_period_end) // 2
    await client.v1.subscriptions.update_async(
        made.id, {"items": [{"id": item.id, "quantity": 3}], "proration_date": half}
    )
    waiting = await client.v1.invoice_items.list_async({"pending": True})
    assert [each.amount for each in waiting.data] == [1500, -500]
    await client.v1.subscription_items.update_async(item.id, {"quantity": 9, "proration_behavior": "none"})
    assert len((await client.v1.invoice_items.list_async({"pending": True})).data) == 2
    preview = await client.v1.invoices.create_preview_async({"subscription": made.id})
    assert [line.amount for line in preview.lines.data] == [-500, 1500, 9000]
    assert len((await client.v1.invoices.list_async()).data) == 1


async def test_a_preview_tells_the_same_as_the_change_that_follows(client: stripe.StripeClient) -> None:
    made = await subscribed(client, 1000)
    (item,) = made["items"].data
    moment = item.current_period_start + 864_000
    preview = await client.v1.invoices.create_preview_async(
        {
            "subscription": made.id,
            "subscription_details": {
                "items": [{"id": item.id, "quantity": 4}],
                "proration_behavior": "always_invoice",
                "proration_date": moment,
            },
        }
    )
    assert (await client.v1.subscriptions.retrieve_async(made.id))["items"].data[0].quantity == 1
    changed = await client.v1.subscriptions.update_async(
        made.id,
        {
            "items": [{"id": item.id, "quantity": 4}],
            "proration_behavior": "always_invoice",
            "proration_date": moment,
            "expand": list(EXPAND),
        },
    )
    assert preview.status == "draft"
    assert preview.total == invoice_of(changed).total > 0


async def test_items_are_added_listed_and_deleted(client: stripe.StripeClient) -> None:
    made = await subscribed(client, 1000)
    added = await client.v1.subscription_items.create_async(
        {"subscription": made.id, "price": await monthly(client, 300), "proration_behavior": "none"}
    )
    listed = await client.v1.subscription_items.list_async({"subscription": made.id})
    assert [item.id for item in listed.data] == [made["items"].data[0].id, added.id]
    assert (await client.v1.subscription_items.retrieve_async(added.id)).subscription == made.id
    await client.v1.subscription_items.delete_async(added.id)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscription_items.delete_async(listed.data[0].id)


async def test_cancelling_at_the_period_end_can_be_taken_back(client: stripe.StripeClient) -> None:
    made = await subscribed(client)
    (item,) = made["items"].data
    planned = await client.v1.subscriptions.update_async(made.id, {"cancel_at_period_end": True})
    assert (planned.cancel_at, planned.status) == (item.current_period_end, "active")
    assert planned.cancellation_details is not None
    assert planned.cancellation_details.reason == "cancellation_requested"
    back = await client.v1.subscriptions.update_async(made.id, {"cancel_at_period_end": False})
    assert (back.cancel_at, back.canceled_at, back.cancel_at_period_end) == (None, None, False)
    (latest, before) = (await client.v1.events.list_async({"type": "customer.subscription.updated", "limit": 2})).data
    assert set(latest.data.to_dict()["previous_attributes"]) == set(before.data.to_dict()["previous_attributes"])


async def test_a_cancelled_subscription_is_only_listed_when_asked_for(client: stripe.StripeClient) -> None:
    made = await subscribed(client)
    ended = await client.v1.subscriptions.cancel_async(made.id)
    assert (ended.status, ended.cancel_at, ended.ended_at is not None) == ("canceled", None, True)
    assert (await client.v1.subscriptions.list_async()).data == []
    assert len((await client.v1.subscriptions.list_async({"status": "ended"})).data) == 1
    assert (await events_of(client, "customer.subscription"))[-1] == "customer.subscription.deleted"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscriptions.cancel_async(made.id)


async def test_a_paused_subscription_starts_a_new_paid_period_when_resumed(client: stripe.StripeClient) -> None:
    made = await subscribed(client)
    paused = await client.v1.subscriptions.pause_async(made.id, {"type": "subscription"})
    assert paused.status == "paused"
    resumed = await client.v1.subscriptions.resume_async(made.id)
    assert resumed.status == "active"
    assert len((await client.v1.invoices.list_async({"subscription": made.id, "status": "paid"})).data) == 2


@pytest.mark.parametrize(
    "extra",
    [
        {"billing_schedules": [{"bill_until": {"type": "timestamp", "timestamp": 1_900_000_000}}]},
        {"billing_mode": {"type": "classic"}},
    ],
)
async def test_what_it_does_not_have_is_refused(client: stripe.StripeClient, extra: dict[str, object]) -> None:
    customer, price = await customer_with(client), await monthly(client, 2500)
    with pytest.raises(stripe.APIError) as refused:
        await client.v1.subscriptions.create_async(
            {"customer": customer, "items": [{"price": price}], **extra}  # type: ignore[arg-type]
        )
    assert refused.value.http_status == 501


@pytest.mark.parametrize(("duration", "credit"), [("once", -2250), ("forever", -2250)])
async def test_a_coupon_is_taken_off_the_invoice_and_off_prorations(
    client: stripe.StripeClient, duration: Literal["once", "forever"], credit: int
) -> None:
    coupon = await client.v1.coupons.create_async({"percent_off": 10, "duration": duration})
    customer, price = await customer_with(client), await monthly(client, 2500)
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer,
            "items": [{"price": price}],
            "discounts": [{"coupon": coupon.id}],
            "expand": ["latest_invoice.total_discount_amounts.discount"],
        }
    )
    invoice = invoice_of(made)
    assert (invoice.subtotal, invoice.total, invoice.amount_paid) == (2500, 2250, 2250)
    assert invoice.total_discount_amounts is not None
    assert [each.amount for each in invoice.total_discount_amounts] == [250]
    assert len(made.discounts) == (1 if duration == "forever" else 0)
    (item,) = made["items"].data
    await client.v1.subscription_items.update_async(item.id, {"quantity": 2, "proration_date": made.created})
    waiting = (await client.v1.invoice_items.list_async({"pending": True})).data
    assert [each.amount for each in waiting] == [5000 if duration == "once" else 4500, credit]
