"""Setup intents: saving cards."""

import pytest
import stripe


async def test_a_confirmed_setup_attaches_the_card(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async()
    intent = await client.v1.setup_intents.create_async({"customer": customer.id})
    assert (intent.status, intent.usage) == ("requires_payment_method", "off_session")
    done = await client.v1.setup_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert done.status == "succeeded"
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [card.id for card in cards.data] == [done.payment_method]


async def test_a_declined_card_is_not_set_up(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.setup_intents.create_async({"payment_method": "pm_card_chargeDeclined", "confirm": True})
    assert caught.value.code == "card_declined"
    (kept,) = (await client.v1.setup_intents.list_async()).data
    assert kept.status == "requires_payment_method"
    assert kept.last_setup_error is not None


async def test_a_card_that_asks_for_authentication_waits(client: stripe.StripeClient) -> None:
    intent = await client.v1.setup_intents.create_async(
        {"payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )
    assert intent.status == "requires_action"
    cancelled = await client.v1.setup_intents.cancel_async(intent.id)
    assert (cancelled.status, cancelled.next_action) == ("canceled", None)
