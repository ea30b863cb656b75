"""Checkout in subscription mode, and the portal of the customer who subscribed."""

from typing import Any

import stripe

from tests.sandbox.pages import ASKS, CHARGE_FAILS, DECLINED, GOOD, Page, card, visit
from tests.sandbox.test_checkout_page import EMAIL, again, types
from tests.sandbox.test_checkout_sessions import a_price, a_session


async def to_subscribe(client: stripe.StripeClient, **params: Any) -> stripe.checkout.Session:
    lines = [{"price": await a_price(client, 1250), "quantity": 2}]
    return await a_session(client, **({"line_items": lines} | params))


async def pay(address: str, session: stripe.checkout.Session, number: str) -> Page:
    return await visit(address, f"/c/pay/{session.id}", card(number, email=EMAIL, name="Ada Lovelace"))


async def subscription_of(client: stripe.StripeClient, session: stripe.checkout.Session) -> stripe.Subscription:
    done = await again(client, session)
    assert isinstance(done.subscription, str)
    return await client.v1.subscriptions.retrieve_async(done.subscription, {"expand": ["latest_invoice"]})


async def test_subscribing_makes_a_customer_and_a_paid_subscription(client: stripe.StripeClient, address: str) -> None:
    session = await to_subscribe(client, subscription_data={"metadata": {"ward": "7"}})
    assert (await pay(address, session, GOOD)).status == 303
    done = await again(client, session)
    assert (done.status, done.payment_status) == ("complete", "paid")
    subscription = await subscription_of(client, session)
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"ward": "7"})
    assert subscription.default_payment_method is not None
    invoice = subscription.latest_invoice
    assert isinstance(invoice, stripe.Invoice)
    assert (invoice.id, invoice.status, invoice.amount_paid) == (done.invoice, "paid", 2500)
    customer = await client.v1.customers.retrieve_async(str(done.customer))
    assert (customer.email, customer.name) == (EMAIL, "Ada Lovelace")
    told = await types(client)
    for expected in ("customer.created", "payment_method.attached", "customer.subscription.created", "invoice.paid"):
        assert told.count(expected) == 1
    assert told.count("checkout.session.completed") == 1


async def test_a_declined_card_leaves_no_subscription_and_no_customer(
    client: stripe.StripeClient, address: str
) -> None:
    session = await to_subscribe(client)
    for number in (DECLINED, CHARGE_FAILS):
        refused = await pay(address, session, number)
        assert (refused.status, refused.problem) == (402, "Your card was declined.")
    assert (await client.v1.subscriptions.list_async({"status": "all"})).data == []
    assert (await client.v1.customers.list_async()).data == []
    assert (await pay(address, session, GOOD)).status == 303
    assert (await subscription_of(client, session)).status == "active"


async def test_three_d_secure_comes_before_the_subscription(client: stripe.StripeClient, address: str) -> None:
    session = await to_subscribe(client)
    asked = await pay(address, session, ASKS)
    assert asked.location == f"/c/pay/{session.id}/authenticate"
    assert (await client.v1.subscriptions.list_async({"status": "all"})).data == []
    done = await visit(address, f"/c/pay/{session.id}/authenticate", {"outcome": "complete"})
    assert done.status == 303
    assert (await subscription_of(client, session)).status == "active"


async def test_a_trial_needs_no_payment(client: stripe.StripeClient, address: str) -> None:
    session = await to_subscribe(client, subscription_data={"trial_period_days": 14})
    assert "Start trial" in (await visit(address, f"/c/pay/{session.id}")).html
    assert (await pay(address, session, GOOD)).status == 303
    assert (await again(client, session)).payment_status == "no_payment_required"
    assert (await subscription_of(client, session)).status == "trialing"


async def test_a_trial_may_start_without_a_card(client: stripe.StripeClient, address: str) -> None:
    session = await to_subscribe(
        client, subscription_data={"trial_period_days": 14}, payment_method_collection="if_required"
    )
    page = await visit(address, f"/c/pay/{session.id}")
    assert "card-number" not in page.html
    assert (await visit(address, f"/c/pay/{session.id}", {"email": EMAIL})).status == 303
    subscription = await subscription_of(client, session)
    assert (subscription.status, subscription.default_payment_method) == ("trialing", None)


async def test_one_time_prices_go_on_the_first_invoice(client: stripe.StripeClient, address: str) -> None:
    lines = [
        {"price": await a_price(client, 1000), "quantity": 1},
        {"price": await a_price(client, 5000, recurring=False), "quantity": 1},
    ]
    session = await to_subscribe(client, line_items=lines)
    assert session.amount_total == 6000
    assert (await pay(address, session, GOOD)).status == 303
    subscription = await subscription_of(client, session)
    assert isinstance(subscription.latest_invoice, stripe.Invoice)
    assert subscription.latest_invoice.amount_paid == 6000
    assert len(subscription["items"].data) == 1


async def test_the_portal_cancels_at_the_end_of_the_period_and_undoes_it(
    client: stripe.StripeClient, address: str
) -> None:
    session = await to_subscribe(client)
    await pay(address, session, GOOD)
    subscription = await subscription_of(client, session)
    portal = await client.v1.billing_portal.sessions.create_async({"customer": str(subscription.customer)})
    path = f"/p/session/{portal.id}"
    page = await visit(address, path)
    assert f'id="cancel-{subscription.id}"' in page.html
    assert "$25.00" in page.html
    form = {"subscription": subscription.id}
    assert (await visit(address, path, form | {"action": "cancel"})).status == 303
    cancelled = await subscription_of(client, session)
    assert (cancelled.status, cancelled.cancel_at_period_end) == ("active", True)
    assert f'id="keep-{subscription.id}"' in (await visit(address, path)).html
    assert (await visit(address, path, form | {"action": "keep"})).status == 303
    assert (await subscription_of(client, session)).cancel_at_period_end is False


async def test_the_portal_may_cancel_at_once(client: stripe.StripeClient, address: str) -> None:
    session = await to_subscribe(client)
    await pay(address, session, GOOD)
    subscription = await subscription_of(client, session)
    configuration = await client.v1.billing_portal.configurations.create_async(
        {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}}
    )
    portal = await client.v1.billing_portal.sessions.create_async(
        {"customer": str(subscription.customer), "configuration": configuration.id}
    )
    form = {"subscription": subscription.id, "action": "cancel"}
    assert (await visit(address, f"/p/session/{portal.id}", form)).status == 303
    assert (await subscription_of(client, session)).status == "canceled"


async def test_the_portal_of_one_customer_cancels_nothing_of_another(client: stripe.StripeClient, address: str) -> None:
    session = await to_subscribe(client)
    await pay(address, session, GOOD)
    subscription = await subscription_of(client, session)
    other = await client.v1.customers.create_async({"email": "mallory@example.org"})
    portal = await client.v1.billing_portal.sessions.create_async({"customer": other.id})
    form = {"subscription": subscription.id, "action": "cancel"}
    refused = await visit(address, f"/p/session/{portal.id}", form)
    assert (refused.status, refused.problem) == (400, "This subscription is not yours.")
    assert (await subscription_of(client, session)).cancel_at_period_end is False
