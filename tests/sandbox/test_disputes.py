"""Disputes: what a bank takes back, and what evidence brings home."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of


async def _disputed(client: stripe.StripeClient, card: str = "pm_card_createDispute") -> stripe.Dispute:
    customer = await customer_with(client, card)
    owner = await client.v1.customers.retrieve_async(customer)
    method = owner.invoice_settings and owner.invoice_settings.default_payment_method
    given: Any = {"amount": 10_000, "currency": "usd", "customer": customer, "payment_method": method}
    paid = await client.v1.payment_intents.create_async(given | {"confirm": True, "return_url": "https://example.org"})
    assert paid.status == "succeeded"
    (dispute,) = (await client.v1.disputes.list_async({"payment_intent": paid.id})).data
    return dispute


async def _held(client: stripe.StripeClient) -> int:
    balance = await client.v1.balance.retrieve_async()
    return sum(one.amount for state in (balance.available, balance.pending) for one in state)


async def test_a_disputed_charge_is_taken_back_with_a_fee(client: stripe.StripeClient) -> None:
    dispute = await _disputed(client)
    assert (dispute.amount, dispute.reason, dispute.status) == (10_000, "fraudulent", "needs_response")
    (taken,) = dispute.balance_transactions
    assert (taken.amount, taken.fee, taken.net) == (-10_000, 1_500, -11_500)
    charge = await client.v1.charges.retrieve_async(str(dispute.charge))
    assert charge.disputed
    assert await _held(client) == 10_000 - 320 - 11_500
    assert await events_of(client, "charge.dispute") == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.refunds.create_async({"charge": charge.id})
    assert caught.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("text", "status", "held"), [("winning_evidence", "won", 9_680), ("losing_evidence", "lost", -1_820)]
)
async def test_evidence_decides(client: stripe.StripeClient, text: str, status: str, held: int) -> None:
    dispute = await _disputed(client)
    draft = await client.v1.disputes.update_async(dispute.id, {"evidence": {"customer_name": "Ada"}, "submit": False})
    assert (draft.status, draft.evidence_details.submission_count) == ("needs_response", 0)
    decided = await client.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": text}})
    assert (decided.status, decided.evidence_details.submission_count) == (status, 1)
    assert decided.evidence.customer_name == "Ada"
    assert await _held(client) == held
    assert (await events_of(client, "charge.dispute"))[-1] == "charge.dispute.closed"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.disputes.close_async(dispute.id)


async def test_who_closes_a_dispute_loses_it(client: stripe.StripeClient) -> None:
    dispute = await _disputed(client, "pm_card_createDisputeProductNotReceived")
    assert dispute.reason == "product_not_received"
    assert (await client.v1.disputes.close_async(dispute.id)).status == "lost"
    assert await _held(client) == 10_000 - 320 - 11_500


async def test_an_inquiry_takes_nothing_and_its_charge_can_be_refunded(client: stripe.StripeClient) -> None:
    dispute = await _disputed(client, "pm_card_createDisputeInquiry")
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert await _held(client) == 9_680
    refund = await client.v1.refunds.create_async({"charge": str(dispute.charge)})
    assert refund.amount == 10_000
    assert (await client.v1.disputes.close_async(dispute.id)).status == "warning_closed"
