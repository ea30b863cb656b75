"""Credit notes on open and on paid invoices."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, events_of, monthly


async def _invoice(client: stripe.StripeClient, *amounts: int, pay: bool = False) -> stripe.Invoice:
    customer = await customer_with(client)
    draft = await client.v1.invoices.create_async({"customer": customer})
    for amount in amounts:
        item: Any = {"customer": customer, "invoice": draft.id, "amount": amount, "currency": "usd"}
        await client.v1.invoice_items.create_async(item)
    found = await client.v1.invoices.finalize_invoice_async(str(draft.id))
    return await client.v1.invoices.pay_async(str(found.id)) if pay else found


async def test_a_note_on_an_open_invoice_lowers_what_is_paid(client: stripe.StripeClient) -> None:
    invoice = await _invoice(client, 5000, 1000)
    note = await client.v1.credit_notes.create_async(
        {"invoice": str(invoice.id), "amount": 1500, "reason": "duplicate"}
    )
    assert (note.amount, note.type, note.pre_payment_amount, note.post_payment_amount) == (1500, "pre_payment", 1500, 0)
    assert note.number == f"{invoice.number}-CN-01"
    now = await client.v1.invoices.retrieve_async(str(invoice.id))
    assert (now.total, now.amount_due, now.amount_remaining) == (6000, 4500, 4500)
    assert now.pre_payment_credit_notes_amount == 1500
    paid = await client.v1.invoices.pay_async(str(invoice.id))
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 4500, 0)
    (charge,) = (await client.v1.charges.list_async()).data
    assert charge.amount == 4500


async def test_a_note_over_all_that_is_due_settles_the_invoice(client: stripe.StripeClient) -> None:
    invoice = await _invoice(client, 5000)
    await client.v1.credit_notes.create_async({"invoice": str(invoice.id), "amount": 5000})
    now = await client.v1.invoices.retrieve_async(str(invoice.id))
    assert (now.status, now.amount_due, now.amount_paid) == ("paid", 0, 0)
    (intent,) = (await client.v1.payment_intents.list_async()).data
    assert intent.status == "canceled"
    assert "invoice.paid" in await events_of(client, "invoice.paid")


async def test_a_voided_note_is_due_again(client: stripe.StripeClient) -> None:
    invoice = await _invoice(client, 5000)
    note = await client.v1.credit_notes.create_async({"invoice": str(invoice.id), "amount": 1200})
    voided = await client.v1.credit_notes.void_credit_note_async(note.id)
    assert (voided.status, voided.voided_at is not None) == ("void", True)
    now = await client.v1.invoices.retrieve_async(str(invoice.id))
    assert (now.amount_remaining, now.pre_payment_credit_notes_amount) == (5000, 0)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.credit_notes.void_credit_note_async(note.id)
    assert await events_of(client, "credit_note") == ["credit_note.created", "credit_note.voided"]


async def test_what_was_paid_is_refunded_credited_or_given_back_elsewhere(client: stripe.StripeClient) -> None:
    invoice = await _invoice(client, 9000, pay=True)
    shares: Any = {"refund_amount": 1000, "credit_amount": 2000, "out_of_band_amount": 500}
    note = await client.v1.credit_notes.create_async(shares | {"invoice": str(invoice.id), "amount": 3500})
    assert (note.type, note.post_payment_amount, note.out_of_band_amount) == ("post_payment", 3500, 500)
    assert [one.amount_refunded for one in note.refunds] == [1000]
    (refund,) = (await client.v1.refunds.list_async()).data
    assert refund.amount == 1000
    (balance,) = (await client.v1.customers.balance_transactions.list_async(str(invoice.customer))).data
    assert (balance.type, balance.amount, balance.credit_note) == ("credit_note", -2000, note.id)
    now = await client.v1.invoices.retrieve_async(str(invoice.id))
    assert (now.status, now.amount_paid, now.post_payment_credit_notes_amount) == ("paid", 9000, 3500)
    more: Any = {"invoice": str(invoice.id), "amount": 5501, "credit_amount": 5501}
    with pytest.raises(stripe.InvalidRequestError, match="5500"):
        await client.v1.credit_notes.create_async(more)
    assert len((await client.v1.credit_notes.list_async({"invoice": str(invoice.id)})).data) == 1


async def test_lines_are_parts_of_the_invoices_own_with_their_discounts(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    await client.v1.coupons.create_async({"id": "THIRD", "percent_off": 33, "duration": "forever"})
    price = await monthly(client, 1000)
    made: Any = {"customer": customer, "items": [{"price": price}], "discounts": [{"coupon": "THIRD"}]}
    made |= {"payment_behavior": "default_incomplete"}
    subscription = await client.v1.subscriptions.create_async(made)
    invoice = await client.v1.invoices.retrieve_async(str(subscription.latest_invoice))
    assert (invoice.status, invoice.total) == ("open", 670)
    (line,) = invoice.lines.data
    given: Any = [
        {"type": "invoice_line_item", "invoice_line_item": line.id, "amount": 500},
        {"type": "custom_line_item", "description": "sorry", "quantity": 2, "unit_amount": 50},
    ]
    shown = await client.v1.credit_notes.preview_async({"invoice": str(invoice.id), "lines": given})
    note = await client.v1.credit_notes.create_async({"invoice": str(invoice.id), "lines": given})
    for one in (shown, note):
        assert (one.subtotal, one.discount_amount, one.total) == (600, 165, 435)
        assert [each.amount for each in one.lines.data] == [500, 100]
    listed = await client.v1.credit_notes.line_items.list_async(note.id, {"limit": 1})
    assert ([each.amount for each in listed.data], listed.has_more) == ([500], True)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"amount": 0},
        {"amount": 5001},
        {"amount": 100, "refund_amount": 100},
        {"amount": 100, "lines": [{"type": "custom_line_item", "unit_amount": 1}]},
        {"lines": [{"type": "custom_line_item"}]},
        {"lines": [{"type": "invoice_line_item", "invoice_line_item": "il_none", "amount": 1}]},
    ],
)
async def test_a_note_that_makes_no_sense_changes_nothing(client: stripe.StripeClient, given: Any) -> None:
    invoice = await _invoice(client, 5000)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.credit_notes.create_async(given | {"invoice": str(invoice.id)})
    now = await client.v1.invoices.retrieve_async(str(invoice.id))
    assert (now.amount_remaining, now.status) == (5000, "open")
    assert (await client.v1.credit_notes.list_async()).data == []


async def test_a_draft_has_no_credit_notes(client: stripe.StripeClient) -> None:
    draft = await client.v1.invoices.create_async({"customer": await customer_with(client)})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.credit_notes.create_async({"invoice": str(draft.id), "amount": 1})
    assert caught.value.param == "invoice"
