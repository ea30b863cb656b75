"""Refunds, whole and in part."""

from typing import Any

import pytest
import stripe

from tests.sandbox.server import Caller
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


async def test_charges_and_refunds_move_the_balance(client: stripe.StripeClient) -> None:
    paid = await client.v1.payment_intents.create_async(
        {
            "amount": 2500,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    charge_id = str(paid.latest_charge)
    await client.v1.refunds.create_async({"charge": charge_id, "amount": 1000})
    asked: Any = {"expand": ["balance_transaction", "refunds.data.balance_transaction"]}
    charge = await client.v1.charges.retrieve_async(charge_id, asked)
    taken: Any = charge.balance_transaction
    # 2.9% of 2500 is 72.5, and 30
    assert (taken.amount, taken.fee, taken.net, taken.type, taken.status) == (2500, 103, 2397, "charge", "pending")
    assert charge.refunds is not None
    (refund,) = charge.refunds.data
    given: Any = refund.balance_transaction
    assert (given.amount, given.fee, given.net, given.type) == (-1000, 0, -1000, "refund")
    listed = (await client.v1.balance_transactions.list_async()).data
    assert [one.id for one in listed] == [given.id, taken.id]
    balance = await client.v1.balance.retrieve_async()
    assert [(one.amount, one.currency) for one in balance.pending] == [(1397, "usd")]
    assert [(one.amount, one.currency) for one in balance.available] == [(0, "usd")]


async def test_a_refund_of_nothing_or_of_too_much_is_refused(call: Caller) -> None:
    given = {"amount": 2000, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa", "off_session": True}
    paid = await call.post("/v1/payment_intents", given)
    nothing = await call.post("/v1/refunds", {"payment_intent": paid["id"], "amount": 0})
    assert (nothing["message"], nothing["param"]) == ("Invalid positive integer", "amount")
    much = await call.post("/v1/refunds", {"payment_intent": paid["id"], "amount": 5000})
    assert much["message"] == "Refund amount ($50.00) is greater than unrefunded amount on charge ($20.00)"
    neither = await call.post("/v1/refunds", {"amount": 100})
    assert neither["message"] == (
        "One of the following params should be provided for this request: payment_intent or charge."
    )
