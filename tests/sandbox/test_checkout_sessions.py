"""Checkout sessions over the API, by the official SDK."""

from typing import Any

import pytest
import stripe

SUCCESS = "http://127.0.0.1/success?session={CHECKOUT_SESSION_ID}"


async def a_price(client: stripe.StripeClient, amount: int = 1000, recurring: bool = True) -> str:
    params: Any = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Clinic seat"}}
    if recurring:
        params["recurring"] = {"interval": "month"}
    return (await client.v1.prices.create_async(params)).id


async def a_session(client: stripe.StripeClient, **params: Any) -> stripe.checkout.Session:
    given: Any = {"mode": "subscription", "success_url": SUCCESS, **params}
    return await client.v1.checkout.sessions.create_async(given)


async def test_a_new_session_is_open_and_says_what_is_due(client: stripe.StripeClient, address: str) -> None:
    price = await a_price(client)
    session = await a_session(client, line_items=[{"price": price, "quantity": 3}], customer_email="ada@example.org")
    assert session.id.startswith("cs_test_a1")
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (3000, 3000, "usd")
    assert session.url is not None
    assert session.url.endswith(f"/c/pay/{session.id}")
    assert session.customer_details is not None
    assert session.customer_details.email == "ada@example.org"


async def test_the_line_items_are_a_list_of_their_own(client: stripe.StripeClient) -> None:
    price = await a_price(client)
    session = await a_session(client, line_items=[{"price": price, "quantity": 2}])
    assert "line_items" not in session
    (line,) = (await client.v1.checkout.sessions.line_items.list_async(session.id)).data
    assert (line.description, line.amount_total, line.quantity) == ("Clinic seat", 2000, 2)
    assert line.price is not None
    assert line.price.id == price
    whole = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["line_items"]})
    assert whole.line_items is not None
    assert [one.id for one in whole.line_items.data] == [line.id]


async def test_a_trial_costs_nothing_today(client: stripe.StripeClient) -> None:
    price = await a_price(client)
    session = await a_session(
        client,
        line_items=[{"price": price, "quantity": 1}],
        subscription_data={"trial_period_days": 14},
    )
    assert session.amount_total == 0


async def test_a_price_can_be_made_on_the_way(client: stripe.StripeClient) -> None:
    data = {"currency": "eur", "unit_amount": 250, "product_data": {"name": "Badge"}}
    session = await a_session(client, mode="payment", line_items=[{"price_data": data, "quantity": 4}])
    assert (session.amount_total, session.currency) == (1000, "eur")


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"mode": "subscription"}, "line_items", "parameter_missing"),
        ({"mode": "subscription", "line_items": [{"price": "price_gone", "quantity": 1}]},
         "line_items[0][price]", "resource_missing"),
        ({"mode": "setup", "payment_intent_data": {"description": "x"}}, "payment_intent_data", None),
        ({"mode": "setup", "colour": "red"}, "colour", "parameter_unknown"),
        ({"mode": "setup", "expires_at": 1}, "expires_at", None),
        ({"mode": "setup", "customer": "cus_gone"}, "customer", "resource_missing"),
    ],
)  # fmt: skip
async def test_a_refused_session_names_the_parameter(
    client: stripe.StripeClient, params: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await a_session(client, **params)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert (await client.v1.checkout.sessions.list_async()).data == []


async def test_a_recurring_price_does_not_fit_payment_mode(client: stripe.StripeClient) -> None:
    price = await a_price(client)
    with pytest.raises(stripe.InvalidRequestError, match="`payment` mode but passed a recurring price"):
        await a_session(client, mode="payment", line_items=[{"price": price, "quantity": 1}])


async def test_what_the_sandbox_lacks_is_refused_and_not_ignored(client: stripe.StripeClient) -> None:
    price = await a_price(client)
    lines = [{"price": price, "quantity": 1}]
    with pytest.raises(stripe.APIError) as refused:
        await a_session(client, line_items=lines, after_expiration={"recovery": {"enabled": True}})
    assert refused.value.http_status == 501


async def test_an_open_session_can_be_expired_once(client: stripe.StripeClient) -> None:
    session = await a_session(client, mode="setup", currency="usd")
    expired = await client.v1.checkout.sessions.expire_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    (event,) = (await client.v1.events.list_async({"type": "checkout.session.expired"})).data
    assert event.data.object["id"] == session.id
    with pytest.raises(stripe.InvalidRequestError, match="status of `expired`"):
        await client.v1.checkout.sessions.expire_async(session.id)
    assert (await client.v1.checkout.sessions.list_async({"status": "expired"})).data[0].id == session.id
