"""Invoices and invoice items with the official SDK."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of


async def invoice_for(client: stripe.StripeClient, customer: str, *amounts: int, **more: Any) -> stripe.Invoice:
    for amount in amounts:
        await client.v1.invoice_items.create_async(
            {"customer": customer, "amount": amount, "currency": "usd", "description": "Work"}
        )
    return await client.v1.invoices.create_async(
        {"customer": customer, "pending_invoice_items_behavior": "include", **more}  # type: ignore[arg-type]
    )


async def test_pending_items_become_the_lines_of_a_draft(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    draft = await invoice_for(client, customer, 1000, 250)
    assert (draft.status, draft.total, draft.amount_due, draft.number) == ("draft", 1250, 1250, None)
    assert [line.amount for line in draft.lines.data] == [1000, 250]
    items = await client.v1.invoice_items.list_async({"pending": True})
    assert items.data == []
    second = await client.v1.invoices.line_items.list_async(draft.id, {"starting_after": draft.lines.data[0].id})
    assert [line.amount for line in second.data] == [250]


async def test_paying_takes_the_money_and_tells_of_it(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    draft = await invoice_for(client, customer, 1000)
    paid = await client.v1.invoices.pay_async(draft.id, {"expand": ["payments", "confirmation_secret"]})
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.attempt_count) == ("paid", 1000, 0, 1)
    assert paid.number is not None
    assert paid.number.endswith("-0001")
    assert paid.payments is not None
    (payment,) = paid.payments.data
    found = await client.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": str(payment.payment.payment_intent)}}
    )
    assert [each.invoice for each in found.data] == [paid.id]
    assert (await client.v1.invoice_payments.retrieve_async(payment.id)).amount_paid == 1000
    assert await events_of(client, "invoice", "payment_intent") == [
        "invoiceitem.created",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]


async def test_a_declined_card_answers_402_and_leaves_the_invoice_open(client: stripe.StripeClient) -> None:
    customer = await customer_with(client, "pm_card_chargeCustomerFail")
    draft = await invoice_for(client, customer, 1000)
    with pytest.raises(stripe.CardError) as refused:
        await client.v1.invoices.pay_async(draft.id)
    assert refused.value.code == "card_declined"
    left = await client.v1.invoices.retrieve_async(draft.id)
    assert (left.status, left.attempted, left.attempt_count, left.amount_remaining) == ("open", True, 1, 1000)
    good = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer})
    paid = await client.v1.invoices.pay_async(draft.id, {"payment_method": good.id})
    assert (paid.status, paid.attempt_count) == ("paid", 1)


async def test_paying_without_any_card_is_refused(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({})
    draft = await invoice_for(client, customer.id, 1000)
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        await client.v1.invoices.pay_async(draft.id)
    assert (await client.v1.invoices.retrieve_async(draft.id)).status == "draft"


async def test_the_customers_balance_is_used_before_the_card(client: stripe.StripeClient) -> None:
    customer = await customer_with(client, balance=-300)
    draft = await invoice_for(client, customer, 1000)
    paid = await client.v1.invoices.pay_async(draft.id)
    assert (paid.total, paid.starting_balance, paid.ending_balance, paid.amount_due) == (1000, -300, 0, 700)
    assert (await client.v1.customers.retrieve_async(customer)).balance == 0


async def test_an_amount_too_small_to_charge_moves_to_the_balance(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    draft = await invoice_for(client, customer, 20)
    final = await client.v1.invoices.finalize_invoice_async(draft.id)
    assert (final.status, final.amount_due, final.amount_paid) == ("paid", 0, 0)
    assert (await client.v1.customers.retrieve_async(customer)).balance == 20


async def test_a_voided_invoice_cannot_be_paid_any_more(client: stripe.StripeClient) -> None:
    customer = await customer_with(client, balance=-300)
    draft = await invoice_for(client, customer, 1000)
    await client.v1.invoices.finalize_invoice_async(draft.id)
    voided = await client.v1.invoices.void_invoice_async(draft.id, {"expand": ["payments"]})
    assert voided.status == "void"
    assert voided.payments is not None
    assert [payment.status for payment in voided.payments.data] == ["canceled"]
    assert (await client.v1.customers.retrieve_async(customer)).balance == -300
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.pay_async(draft.id)


async def test_an_uncollectible_invoice_can_still_be_paid(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    draft = await invoice_for(client, customer, 1000)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.mark_uncollectible_async(draft.id)
    await client.v1.invoices.finalize_invoice_async(draft.id)
    lost = await client.v1.invoices.mark_uncollectible_async(draft.id)
    assert lost.status == "uncollectible"
    assert (await client.v1.invoices.pay_async(draft.id)).status == "paid"


async def test_an_invoice_to_be_sent_has_a_due_date_and_can_be_paid_elsewhere(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({})
    with pytest.raises(stripe.InvalidRequestError):
        await invoice_for(client, customer.id, 1000, collection_method="send_invoice")
    draft = await invoice_for(client, customer.id, collection_method="send_invoice", days_until_due=7)
    sent = await client.v1.invoices.send_invoice_async(draft.id)
    assert sent.due_date == (sent.status_transitions.finalized_at or 0) + 7 * 86_400
    paid = await client.v1.invoices.pay_async(draft.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid) == ("paid", 0)
    assert paid.to_dict()["amount_paid_off_stripe"] == 1000


async def test_only_a_draft_can_be_deleted(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    draft = await invoice_for(client, customer, 1000)
    await client.v1.invoices.delete_async(draft.id)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await client.v1.invoices.retrieve_async(draft.id)
    assert missing.value.code == "resource_missing"
    other = await invoice_for(client, customer, 1000)
    await client.v1.invoices.finalize_invoice_async(other.id)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.delete_async(other.id)


async def test_a_waiting_item_can_be_changed_and_deleted(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    item = await client.v1.invoice_items.create_async({"customer": customer, "amount": 500, "currency": "usd"})
    changed = await client.v1.invoice_items.update_async(item.id, {"amount": 700})
    assert (changed.amount, changed.to_dict()["net_amount"]) == (700, 700)
    await client.v1.invoice_items.delete_async(item.id)
    assert (await client.v1.invoice_items.list_async({"customer": customer})).data == []
