"""Payment intents and their charges: success, decline, authentication, capture, cancel."""

from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.sandbox.server import official_client, raw, sandbox_running

DIRECT: Any = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "confirm": True}


async def pay(client: stripe.StripeClient, card: str, **more: Any) -> stripe.PaymentIntent:
    given: Any = {"amount": 2500, "currency": "usd", "payment_method": card, **DIRECT, **more}
    return await client.v1.payment_intents.create_async(given)


async def event_types(client: stripe.StripeClient) -> list[str]:
    return [event.type for event in reversed((await client.v1.events.list_async({"limit": 50})).data)]


async def test_a_good_card_pays_at_once(client: stripe.StripeClient) -> None:
    intent = await pay(client, "pm_card_visa")
    assert (intent.status, intent.amount_received) == ("succeeded", 2500)
    charges = await client.v1.charges.list_async({"payment_intent": intent.id})
    assert [(charge.id, charge.paid, charge.amount_captured) for charge in charges.data] == [
        (intent.latest_charge, True, 2500)
    ]
    assert await event_types(client) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_a_decline_is_402_and_its_attempt_is_kept(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async()
    card = await client.v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    with pytest.raises(stripe.CardError) as caught:
        await pay(client, card.id, customer=customer.id)
    error = caught.value.error
    assert error is not None
    told = raw(error)
    assert (told["code"], told["decline_code"]) == ("card_declined", "generic_decline")
    assert (told["payment_method"]["id"], told["payment_intent"]["status"]) == (card.id, "requires_payment_method")
    intent = await client.v1.payment_intents.retrieve_async(told["payment_intent"]["id"])
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.charge == told["charge"]
    again = await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)
    assert (await event_types(client))[2:] == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_authentication_is_asked_for(client: stripe.StripeClient) -> None:
    intent = await pay(client, "pm_card_authenticationRequired", return_url="https://example.org/back")
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    assert intent.next_action.redirect_to_url.return_url == "https://example.org/back"
    assert (await event_types(client))[-1] == "payment_intent.requires_action"


async def test_authentication_off_session_is_a_decline(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await pay(client, "pm_card_authenticationRequired", off_session=True)
    assert caught.value.code == "authentication_required"


async def test_an_authorised_charge_is_captured_in_part(client: stripe.StripeClient) -> None:
    held = await pay(client, "pm_card_visa", capture_method="manual")
    assert (held.status, held.amount_capturable) == ("requires_capture", 2500)
    taken = await client.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 1000})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1000, 0)


async def test_a_cancelled_intent_cannot_be_confirmed(client: stripe.StripeClient) -> None:
    intent = await client.v1.payment_intents.create_async({"amount": 2500, "currency": "usd"})
    cancelled = await client.v1.payment_intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert caught.value.code == "payment_intent_unexpected_state"


async def test_a_card_of_another_customer_is_refused(client: stripe.StripeClient) -> None:
    owner = await client.v1.customers.create_async()
    card = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    with pytest.raises(stripe.InvalidRequestError, match="belongs to the Customer"):
        await pay(client, card.id)
    assert (await client.v1.payment_intents.list_async()).data == []


async def test_a_parameter_without_effect_is_answered_with_501(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.APIError, match="with confirmation_token"):
        await pay(client, "pm_card_visa", confirmation_token="ctoken_1")


async def test_a_payment_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with sandbox_running(tmp_path) as address, official_client(address) as client:
        customer = await client.v1.customers.create_async({"payment_method": "pm_card_chargeCustomerFail"})
        intent = await client.v1.payment_intents.create_async(
            {"amount": 2500, "currency": "usd", "customer": customer.id}
        )
    async with sandbox_running(tmp_path) as address, official_client(address) as client:
        (card,) = (await client.v1.customers.payment_methods.list_async(customer.id)).data
        given: Any = {"payment_method": card.id, "return_url": "https://example.org/"}
        with pytest.raises(stripe.CardError):
            await client.v1.payment_intents.confirm_async(intent.id, given)
        given["payment_method"] = "pm_card_visa"
        paid = await client.v1.payment_intents.confirm_async(intent.id, given)
        assert paid.status == "succeeded"
