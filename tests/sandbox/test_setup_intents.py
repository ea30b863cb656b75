"""Setup intents: saving cards."""

from typing import Any

import pytest
import stripe

from tests.sandbox.server import loose

BACK: Any = {"return_url": "https://shop.example/back"}


async def test_a_confirmed_setup_attaches_the_card(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async()
    intent = await client.v1.setup_intents.create_async({"customer": customer.id})
    assert (intent.status, intent.usage) == ("requires_payment_method", "off_session")
    with pytest.raises(stripe.InvalidRequestError, match="This SetupIntent is configured to accept payment"):
        await client.v1.setup_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    done = await client.v1.setup_intents.confirm_async(intent.id, loose({"payment_method": "pm_card_visa", **BACK}))
    assert done.status == "succeeded"
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [card.id for card in cards.data] == [done.payment_method]


async def test_a_declined_card_is_not_set_up(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.setup_intents.create_async(
            loose({"payment_method": "pm_card_chargeDeclined", "confirm": True, **BACK})
        )
    assert caught.value.code == "card_declined"
    (kept,) = (await client.v1.setup_intents.list_async()).data
    assert kept.status == "requires_payment_method"
    assert kept.last_setup_error is not None


async def test_a_card_that_asks_for_authentication_waits(client: stripe.StripeClient) -> None:
    intent = await client.v1.setup_intents.create_async(
        loose({"payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True, **BACK})
    )
    assert intent.status == "requires_action"
    cancelled = await client.v1.setup_intents.cancel_async(intent.id)
    assert (cancelled.status, cancelled.next_action) == ("canceled", None)
