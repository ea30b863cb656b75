"""The Checkout page by plain form posts, in payment mode."""

import stripe

from tests.sandbox.pages import ASKS, CHARGE_FAILS, DECLINED, GOOD, Page, card, visit
from tests.sandbox.test_checkout_sessions import SUCCESS, a_price, a_session

EMAIL = "ada@example.org"


async def to_pay(client: stripe.StripeClient, **params: object) -> stripe.checkout.Session:
    price = await a_price(client, 1250, recurring=False)
    return await a_session(client, mode="payment", line_items=[{"price": price, "quantity": 2}], **params)


async def pay(address: str, session: stripe.checkout.Session, number: str) -> Page:
    return await visit(address, f"/c/pay/{session.id}", card(number, email=EMAIL))


async def again(client: stripe.StripeClient, session: stripe.checkout.Session) -> stripe.checkout.Session:
    return await client.v1.checkout.sessions.retrieve_async(session.id)


async def types(client: stripe.StripeClient) -> list[str]:
    """The events so far, oldest first."""
    return [str(event.type) for event in (await client.v1.events.list_async({"limit": 100})).data][::-1]


async def test_the_page_shows_what_is_bought_and_keeps_to_itself(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client, cancel_url="https://shop.example/cancel?s={CHECKOUT_SESSION_ID}")
    page = await visit(address, f"/c/pay/{session.id}")
    assert page.status == 200
    assert "Clinic seat" in page.html
    assert "$25.00" in page.html
    assert f"https://shop.example/cancel?s={session.id}" in page.html
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "form-action 'self' http://127.0.0.1;" in policy


async def test_paying_completes_the_session_and_leads_back(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client, metadata={"order": "7"})
    page = await pay(address, session, GOOD)
    assert (page.status, page.location) == (303, SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id))
    done = await again(client, session)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.customer_details is not None
    assert done.customer_details.email == EMAIL
    assert isinstance(done.payment_intent, str)
    intent = await client.v1.payment_intents.retrieve_async(done.payment_intent)
    assert (intent.status, intent.amount_received) == ("succeeded", 2500)
    told = await types(client)
    assert told.index("payment_intent.succeeded") < told.index("checkout.session.completed")


async def test_a_completed_session_takes_no_second_payment(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client)
    await pay(address, session, GOOD)
    page = await pay(address, session, GOOD)
    assert page.status == 200
    assert "already completed" in page.html
    assert (await types(client)).count("payment_intent.succeeded") == 1


async def test_a_declined_card_is_told_and_another_may_be_tried(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client)
    refused = await pay(address, session, DECLINED)
    assert (refused.status, refused.problem) == (402, "Your card was declined.")
    assert EMAIL in refused.html
    assert f'value="{DECLINED}"' not in refused.html
    still = await again(client, session)
    assert (still.status, still.payment_status) == ("open", "unpaid")
    assert (await types(client)).count("payment_intent.payment_failed") == 1
    assert (await pay(address, session, GOOD)).status == 303
    done = await again(client, session)
    assert (done.status, done.payment_intent) == ("complete", still.payment_intent)


async def test_a_customer_is_made_when_asked_for(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client, customer_creation="always")
    assert (await pay(address, session, CHARGE_FAILS)).status == 402
    assert (await pay(address, session, GOOD)).status == 303
    done = await again(client, session)
    assert isinstance(done.customer, str)
    assert (await client.v1.customers.retrieve_async(done.customer)).email == EMAIL
    assert len((await client.v1.customers.list_async()).data) == 1


async def test_three_d_secure_is_asked_before_anything_is_paid(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client)
    page = await pay(address, session, ASKS)
    assert (page.status, page.location) == (303, f"/c/pay/{session.id}/authenticate")
    assert "payment_intent.created" not in await types(client)
    question = await visit(address, f"/c/pay/{session.id}/authenticate")
    assert "$25.00" in question.html
    refused = await visit(address, f"/c/pay/{session.id}/authenticate", {"outcome": "fail"})
    assert refused.status == 402
    assert (await again(client, session)).status == "open"
    await pay(address, session, ASKS)
    done = await visit(address, f"/c/pay/{session.id}/authenticate", {"outcome": "complete"})
    assert done.status == 303
    assert (await again(client, session)).payment_status == "paid"


async def test_what_is_mistyped_is_said_at_its_field(client: stripe.StripeClient, address: str) -> None:
    session = await to_pay(client)
    path = f"/c/pay/{session.id}"
    for wrong, field, text in (
        ({"card-number": "4242 4242 4242 4241"}, "card-number", "Your card number is incorrect."),
        ({"card-expiry": "13 / 40"}, "card-expiry", "Your card's expiration month is invalid."),
        ({"card-expiry": "12 / 20"}, "card-expiry", "Your card's expiration year is invalid."),
        ({"card-expiry": "soon"}, "card-expiry", "Your card's expiration date is incomplete."),
        ({"card-cvc": "1"}, "card-cvc", "Your card's security code is incomplete."),
        ({"email": "ada"}, "email", "Your email is incomplete."),
    ):
        page = await visit(address, path, card(GOOD, email=EMAIL) | wrong)
        assert page.problem == text
        marked = page.html.partition(f'id="{field}"')[2].partition(">")[0]
        assert 'aria-invalid="true"' in marked
    assert (await again(client, session)).status == "open"


async def test_what_is_not_a_session_has_no_page(client: stripe.StripeClient, address: str) -> None:
    customer = await client.v1.customers.create_async({})
    for wrong in ("cs_test_unknown", customer.id):
        assert (await visit(address, f"/c/pay/{wrong}")).status == 404
        assert (await visit(address, f"/p/session/{wrong}")).status == 404
        assert (await visit(address, f"/i/acct_unknown/{wrong}")).status == 404
