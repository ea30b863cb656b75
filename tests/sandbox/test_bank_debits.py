"""Bank debits: their mandates, the time they take, how they fail, and the subscriptions that they pay."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.sandbox.billed import events_of, monthly
from tests.sandbox.server import loose, raw

DIRECT: Any = {
    "amount": 2500,
    "currency": "usd",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "confirm": True,
}
MANDATE: Any = {
    "customer_acceptance": {"type": "online", "online": {"ip_address": "203.0.113.7", "user_agent": "tests"}}
}
SEPA: Any = {"type": "sepa_debit", "billing_details": {"name": "Ada", "email": "ada@example.org"}}


async def settled(client: stripe.StripeClient, intent: str) -> stripe.PaymentIntent:
    """The intent when the bank has answered, which takes about a second."""
    async with asyncio.timeout(10):
        while True:
            found = await client.v1.payment_intents.retrieve_async(intent)
            if found.status != "processing":
                return found
            await asyncio.sleep(0.1)


async def test_a_debit_is_processing_and_then_succeeds(client: stripe.StripeClient) -> None:
    made = await client.v1.payment_intents.create_async(
        loose({**DIRECT, "payment_method": "pm_usBankAccount", "mandate_data": MANDATE})
    )
    assert (made.status, made.amount_received) == ("processing", 0)
    charge = await client.v1.charges.retrieve_async(str(made.latest_charge))
    assert (charge.status, charge.paid, charge.captured, charge.balance_transaction) == ("pending", False, True, None)
    details = raw(charge)["payment_method_details"]
    assert (details["type"], details["us_bank_account"]["last4"]) == ("us_bank_account", "6789")
    with pytest.raises(stripe.InvalidRequestError, match="still pending"):
        await client.v1.refunds.create_async({"charge": charge.id})
    done = await settled(client, made.id)
    assert (done.status, done.amount_received) == ("succeeded", 2500)
    assert (await client.v1.charges.retrieve_async(charge.id)).paid is True
    assert await events_of(client, "charge", "payment_intent") == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_a_debit_that_fails_tells_why(client: stripe.StripeClient) -> None:
    made = await client.v1.payment_intents.create_async(
        loose({**DIRECT, "payment_method": "pm_usBankAccount_insufficientFunds", "mandate_data": MANDATE})
    )
    done = await settled(client, made.id)
    assert (done.status, done.payment_method) == ("requires_payment_method", None)
    assert done.last_payment_error is not None
    assert done.last_payment_error.code == "insufficient_funds"
    charge = await client.v1.charges.retrieve_async(str(done.latest_charge))
    assert (charge.status, charge.failure_code) == ("failed", "insufficient_funds")


async def test_a_debit_needs_a_mandate_until_the_account_is_set_up(client: stripe.StripeClient) -> None:
    iban: Any = {**SEPA, "sepa_debit": {"iban": "DE89370400440532013000"}}
    euros: Any = {**DIRECT, "currency": "eur"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.payment_intents.create_async(loose({**euros, "payment_method_data": iban}))
    assert caught.value.code == "payment_intent_mandate_invalid"
    customer = await client.v1.customers.create_async()
    setup: Any = {"customer": customer.id, "payment_method_data": iban, "confirm": True, "mandate_data": MANDATE}
    saved = await client.v1.setup_intents.create_async(loose({**setup, "expand": ["mandate"], "use_stripe_sdk": True}))
    assert (saved.status, raw(saved)["mandate"]["payment_method"]) == ("succeeded", saved.payment_method)
    paid = await client.v1.payment_intents.create_async(
        loose({**euros, "customer": customer.id, "payment_method": str(saved.payment_method), "off_session": True})
    )
    assert paid.status == "processing"
    assert (await settled(client, paid.id)).status == "succeeded"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({**SEPA, "sepa_debit": {"iban": "DE89370400440532013001"}}, "invalid_bank_account_iban"),
        (
            {
                "type": "us_bank_account",
                "billing_details": {"name": "Ada"},
                "us_bank_account": {"account_number": "1", "routing_number": "110000000"},
            },
            "account_number_invalid",
        ),
        ({"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}}, "parameter_missing"),
    ],
)
async def test_a_bad_account_is_refused(client: stripe.StripeClient, data: Any, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.payment_methods.create_async(data)
    assert caught.value.code == code


async def test_a_dollar_account_cannot_pay_euros(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="currency provided"):
        await client.v1.payment_intents.create_async(
            loose({**DIRECT, "currency": "eur", "payment_method": "pm_usBankAccount", "mandate_data": MANDATE})
        )


@pytest.mark.parametrize(("account", "status"), [("success", "active"), ("accountClosed", "past_due")])
async def test_a_subscription_begins_while_its_debit_is_under_way(
    client: stripe.StripeClient, account: str, status: str
) -> None:
    customer = await client.v1.customers.create_async()
    saved = await client.v1.setup_intents.create_async(
        {
            "customer": customer.id,
            "payment_method": f"pm_usBankAccount_{account}",
            "confirm": True,
            "mandate_data": MANDATE,
            "use_stripe_sdk": True,
        }
    )
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "items": [{"price": await monthly(client, 1500)}],
            "default_payment_method": str(saved.payment_method),
            "expand": ["latest_invoice"],
        }
    )
    invoice: Any = made.latest_invoice
    assert (made.status, invoice.status, invoice.attempted) == ("active", "open", True)
    (payment,) = (await client.v1.invoice_payments.list_async({"invoice": invoice.id})).data
    await settled(client, str(payment.payment.payment_intent))
    found = await client.v1.subscriptions.retrieve_async(made.id, {"expand": ["latest_invoice"]})
    latest: Any = found.latest_invoice
    assert (found.status, latest.status) == (status, "paid" if status == "active" else "open")
