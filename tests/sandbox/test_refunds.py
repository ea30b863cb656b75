"""Refunds, whole and in part."""

import pytest
import stripe

from tests.sandbox.test_payment_intents import pay


async def test_refunds_add_up_to_the_charge(client: stripe.StripeClient) -> None:
    intent = await pay(client, "pm_card_visa")
    part = await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 1000})
    assert (part.status, part.amount, part.charge) == ("succeeded", 1000, intent.latest_charge)
    rest = await client.v1.refunds.create_async({"charge": str(intent.latest_charge), "metadata": {"a": "b"}})
    assert (rest.amount, rest.metadata is not None and rest.metadata["a"]) == (1500, "b")
    charge = await client.v1.charges.retrieve_async(str(intent.latest_charge))
    assert (charge.refunded, charge.amount_refunded) == (True, 2500)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    listed = await client.v1.refunds.list_async({"payment_intent": intent.id})
    assert [refund.id for refund in listed.data] == [rest.id, part.id]


async def test_more_than_is_left_is_refused(client: stripe.StripeClient) -> None:
    intent = await pay(client, "pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        await client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 2501})
    assert (await client.v1.refunds.list_async()).data == []
