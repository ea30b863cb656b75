"""3-D Secure of intents that an API client confirms, and Checkout in setup mode."""

from urllib.parse import urlsplit

import stripe

from tests.sandbox.pages import ASKS, DECLINED, GOOD, card, visit
from tests.sandbox.test_checkout_sessions import a_session


async def a_waiting_payment(client: stripe.StripeClient) -> stripe.PaymentIntent:
    intent = await client.v1.payment_intents.create_async(
        {
            "amount": 900,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": "https://shop.example/back?order=7",
        }
    )
    assert intent.status == "requires_action"
    return intent


def page_of(intent: stripe.PaymentIntent) -> str:
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    assert intent.next_action.redirect_to_url.url is not None
    return urlsplit(intent.next_action.redirect_to_url.url).path


async def test_confirming_pays_and_leads_back_with_the_intent(client: stripe.StripeClient, address: str) -> None:
    intent = await a_waiting_payment(client)
    assert "$9.00" in (await visit(address, page_of(intent))).html
    done = await visit(address, page_of(intent), {"outcome": "complete"})
    assert done.status == 303
    assert done.location is not None
    assert done.location.startswith(f"https://shop.example/back?order=7&payment_intent={intent.id}&")
    assert (await client.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"
    assert (await visit(address, page_of(intent))).status == 404


async def test_refusing_leaves_the_payment_without_a_method(client: stripe.StripeClient, address: str) -> None:
    intent = await a_waiting_payment(client)
    done = await visit(address, page_of(intent), {"outcome": "fail"})
    assert done.location is not None
    assert done.location.endswith("redirect_status=failed")
    after = await client.v1.payment_intents.retrieve_async(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "payment_intent_authentication_failure"


async def test_the_page_of_another_account_is_not_found(client: stripe.StripeClient, address: str) -> None:
    intent = await a_waiting_payment(client)
    assert (await visit(address, f"/authenticate/acct_other/{intent.id}")).status == 404


async def test_setup_mode_saves_a_card_with_the_customer(client: stripe.StripeClient, address: str) -> None:
    customer = await client.v1.customers.create_async({"email": "ada@example.org"})
    session = await a_session(client, mode="setup", currency="usd", customer=customer.id)
    assert session.payment_status == "no_payment_required"
    path = f"/c/pay/{session.id}"
    page = await visit(address, path)
    assert "Save card" in page.html
    assert 'id="email"' not in page.html
    refused = await visit(address, path, card(DECLINED))
    assert refused.problem == "Your card was declined."
    assert (await visit(address, path, card(GOOD))).status == 303
    done = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["setup_intent"]})
    assert done.status == "complete"
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    assert done.setup_intent.status == "succeeded"
    saved = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [method.id for method in saved.data] == [done.setup_intent.payment_method]


async def test_setup_mode_asks_for_three_d_secure(client: stripe.StripeClient, address: str) -> None:
    customer = await client.v1.customers.create_async({"email": "ada@example.org"})
    session = await a_session(client, mode="setup", currency="usd", customer=customer.id)
    path = f"/c/pay/{session.id}"
    assert (await visit(address, path, card(ASKS))).location == f"{path}/authenticate"
    assert "save this card" in (await visit(address, f"{path}/authenticate")).html
    assert (await visit(address, f"{path}/authenticate", {"outcome": "complete"})).status == 303
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == "complete"
