"""Destination charges: the transfer, the fee, the connected account's payment, and what a refund takes back."""

from typing import Any

import pytest
import stripe

from tests.sandbox.server import loose, raw

DIRECT: Any = {
    "amount": 2000,
    "currency": "usd",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "confirm": True,
    "payment_method": "pm_card_visa",
}


async def connected(client: stripe.StripeClient, **more: Any) -> str:
    capabilities: Any = {"card_payments": {"requested": True}, "transfers": {"requested": True}}
    metadata = {"sandbox_enabled": "true"}
    made = await client.v1.accounts.create_async(
        loose({"type": "express", "capabilities": capabilities, "metadata": metadata, **more})
    )
    return made.id


async def destination_charge(client: stripe.StripeClient, account: str, **more: Any) -> dict[str, Any]:
    intent = await client.v1.payment_intents.create_async(
        loose(
            {
                **DIRECT,
                "transfer_data": {"destination": account},
                "expand": ["latest_charge.transfer", "latest_charge.application_fee"],
                **more,
            }
        )
    )
    charge: dict[str, Any] = raw(intent)["latest_charge"]
    return charge


async def test_the_money_goes_on_to_the_account_and_the_fee_comes_back(client: stripe.StripeClient) -> None:
    account = await connected(client)
    charge = await destination_charge(client, account, application_fee_amount=200, on_behalf_of=account)
    assert (charge["destination"], charge["on_behalf_of"]) == (account, account)
    assert charge["transfer_data"] == {"amount": None, "destination": account}
    assert charge["transfer_group"] == f"group_{charge['payment_intent']}"
    transfer, fee = charge["transfer"], charge["application_fee"]
    assert (transfer["amount"], transfer["destination"], transfer["source_transaction"]) == (
        2000,
        account,
        charge["id"],
    )
    assert (fee["amount"], fee["account"], fee["originating_transaction"]) == (200, account, charge["id"])
    payment = await client.v1.charges.retrieve_async(
        transfer["destination_payment"], {"expand": ["balance_transaction"]}, {"stripe_account": account}
    )
    booked: Any = payment.balance_transaction
    assert payment.id.startswith("py_")
    assert (payment.amount, payment.source_transfer, booked.net) == (2000, transfer["id"], 1800)
    own = await client.v1.balance.retrieve_async()
    assert own.pending[0].amount == 200 - 88  # the fee, less Stripe's own for the charge


async def test_a_transfer_may_be_of_a_part(client: stripe.StripeClient) -> None:
    account = await connected(client)
    charge = await destination_charge(client, account, transfer_data={"destination": account, "amount": 1700})
    assert (charge["transfer"]["amount"], charge["application_fee"]) == (1700, None)


async def test_a_refund_takes_back_its_part_of_the_transfer_and_of_the_fee(client: stripe.StripeClient) -> None:
    account = await connected(client)
    charge = await destination_charge(client, account, application_fee_amount=200)
    back: Any = {"charge": charge["id"], "reverse_transfer": True, "refund_application_fee": True}
    half = await client.v1.refunds.create_async(loose({**back, "amount": 500, "expand": ["transfer_reversal"]}))
    assert (half.amount, raw(half)["transfer_reversal"]["amount"]) == (500, 500)
    rest = await client.v1.refunds.create_async(
        loose({**back, "expand": ["charge.transfer", "charge.application_fee"]})
    )
    told = raw(rest)["charge"]
    assert (told["transfer"]["amount_reversed"], told["transfer"]["reversed"]) == (2000, True)
    assert (told["application_fee"]["amount_refunded"], told["application_fee"]["refunded"]) == (200, True)
    payment = await client.v1.charges.retrieve_async(
        told["transfer"]["destination_payment"], None, {"stripe_account": account}
    )
    assert (payment.amount_refunded, payment.refunded) == (2000, True)


async def test_without_reverse_transfer_the_account_keeps_its_money(client: stripe.StripeClient) -> None:
    account = await connected(client)
    charge = await destination_charge(client, account)
    made = await client.v1.refunds.create_async({"charge": charge["id"], "expand": ["charge.transfer"]})
    assert (made.transfer_reversal, raw(made)["charge"]["transfer"]["amount_reversed"]) == (None, 0)


@pytest.mark.parametrize(
    ("given", "message", "param"),
    [
        ({"application_fee_amount": 10}, "Can only apply an application_fee_amount", "application_fee_amount"),
        (
            {"transfer_data": {"destination": "acct_nobody"}},
            "No such destination: 'acct_nobody'",
            "transfer_data[destination]",
        ),
    ],
)
async def test_a_fee_or_a_destination_that_cannot_be_is_refused(
    client: stripe.StripeClient, given: Any, message: str, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message) as caught:
        await client.v1.payment_intents.create_async(loose({**DIRECT, **given}))
    assert caught.value.param == param


async def test_an_account_that_is_not_onboarded_gets_no_transfers(client: stripe.StripeClient) -> None:
    account = await connected(client, metadata={})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await destination_charge(client, account)
    assert caught.value.code == "insufficient_capabilities_for_transfer"


async def test_a_capture_may_change_the_fee(client: stripe.StripeClient) -> None:
    account = await connected(client)
    held = await client.v1.payment_intents.create_async(
        loose(
            {
                **DIRECT,
                "capture_method": "manual",
                "transfer_data": {"destination": account},
                "application_fee_amount": 300,
            }
        )
    )
    done = await client.v1.payment_intents.capture_async(
        held.id,
        {
            "amount_to_capture": 1000,
            "application_fee_amount": 100,
            "final_capture": True,
            "expand": ["latest_charge.transfer", "latest_charge.application_fee"],
        },
    )
    charge = raw(done)["latest_charge"]
    assert (charge["transfer"]["amount"], charge["application_fee"]["amount"]) == (1000, 100)


async def test_a_payment_method_is_cloned_to_a_connected_account(client: stripe.StripeClient) -> None:
    account = await connected(client)
    inside: Any = {"stripe_account": account}
    customer = await client.v1.customers.create_async({"payment_method": "pm_card_mastercard"})
    (owned,) = (await client.v1.payment_methods.list_async({"customer": customer.id})).data
    with pytest.raises(stripe.InvalidRequestError, match="must provide the `customer`"):
        await client.v1.payment_methods.create_async({"payment_method": owned.id}, inside)
    clone = await client.v1.payment_methods.create_async({"customer": customer.id, "payment_method": owned.id}, inside)
    assert (clone.id != owned.id, clone.customer, raw(clone)["card"]["last4"]) == (True, None, "4444")
    paid = await client.v1.payment_intents.create_async(loose({**DIRECT, "payment_method": clone.id}), inside)
    assert paid.status == "succeeded"
