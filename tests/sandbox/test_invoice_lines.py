"""Lines of draft invoices, and payments that are attached to open ones."""

import pytest
import stripe

from tests.sandbox.billed import customer_with, monthly
from tests.sandbox.server import raw


async def draft(client: stripe.StripeClient, customer: str) -> str:
    return (await client.v1.invoices.create_async({"customer": customer})).id


async def test_lines_are_added_changed_and_removed(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    invoice = await draft(client, customer)
    waiting = await client.v1.invoice_items.create_async({"customer": customer, "amount": 700, "currency": "usd"})
    added = await client.v1.invoices.add_lines_async(
        invoice, {"lines": [{"amount": 1_000, "description": "Set-up"}, {"invoice_item": waiting.id}]}
    )
    assert [line.amount for line in added.lines.data] == [1_000, 700]
    assert added.total == 1_700
    first, second = (line.id for line in added.lines.data)
    line = await client.v1.invoices.line_items.update_async(
        invoice, first, {"amount": 1_250, "metadata": {"order": "7"}, "description": "Set-up and training"}
    )
    assert (line.id, line.amount, line.description) == (first, 1_250, "Set-up and training")
    assert raw(line)["metadata"] == {"order": "7"}
    both = await client.v1.invoices.update_lines_async(invoice, {"lines": [{"id": second, "description": "Licence"}]})
    assert [(each.id, each.description) for each in both.lines.data] == [
        (first, "Set-up and training"),
        (second, "Licence"),
    ]
    left = await client.v1.invoices.remove_lines_async(
        invoice, {"lines": [{"id": first, "behavior": "delete"}, {"id": second, "behavior": "unassign"}]}
    )
    assert (left.total, left.lines.data) == (0, [])
    pending = await client.v1.invoice_items.list_async({"customer": customer, "pending": True})
    assert [item.id for item in pending.data] == [waiting.id]


async def test_a_finalised_invoice_keeps_its_lines(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    invoice = await draft(client, customer)
    await client.v1.invoices.add_lines_async(invoice, {"lines": [{"amount": 1_000}]})
    done = await client.v1.invoices.finalize_invoice_async(invoice)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.invoices.line_items.update_async(invoice, done.lines.data[0].id, {"amount": 1})
    assert refused.value.code == "invoice_not_editable"
    assert (await client.v1.invoices.retrieve_async(invoice)).total == 1_000


async def test_the_line_of_a_period_takes_only_what_is_its_own(client: stripe.StripeClient) -> None:
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": 1_767_225_600})
    customer = await customer_with(client, test_clock=clock.id)
    price = await monthly(client, 3_000)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": price}]})
    end = made["items"].data[0].current_period_end
    await client.v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": end + 60})
    while (await client.v1.test_helpers.test_clocks.retrieve_async(clock.id)).status != "ready":
        pass
    renewal = (await client.v1.invoices.list_async({"customer": customer, "status": "draft"})).data[0]
    line = renewal.lines.data[0].id
    with pytest.raises(stripe.StripeError) as refused:
        await client.v1.invoices.line_items.update_async(renewal.id, line, {"quantity": 2})
    assert refused.value.http_status == 501
    await client.v1.invoices.line_items.update_async(renewal.id, line, {"amount": 2_500})
    assert (await client.v1.invoices.retrieve_async(renewal.id)).total == 2_500


async def test_an_attached_payment_pays_part_of_an_invoice_and_another_one_the_rest(
    client: stripe.StripeClient,
) -> None:
    customer = await customer_with(client)
    card = (await client.v1.customers.payment_methods.list_async(customer)).data[0].id
    invoice = await draft(client, customer)
    await client.v1.invoices.add_lines_async(invoice, {"lines": [{"amount": 5_000}]})
    await client.v1.invoices.finalize_invoice_async(invoice, {"auto_advance": False})
    intents = [
        await client.v1.payment_intents.create_async(
            {
                "amount": amount,
                "currency": "usd",
                "customer": customer,
                "payment_method": card,
                "confirm": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            }
        )
        for amount in (2_000, 3_200)
    ]
    part = await client.v1.invoices.attach_payment_async(invoice, {"payment_intent": intents[0].id})
    assert (part.status, part.amount_paid, part.amount_remaining) == ("open", 2_000, 3_000)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.attach_payment_async(invoice, {"payment_intent": intents[0].id})
    whole = await client.v1.invoices.attach_payment_async(invoice, {"payment_intent": intents[1].id})
    assert (whole.status, whole.amount_paid, whole.amount_remaining) == ("paid", 5_000, 0)
    assert whole.amount_overpaid == 200
    payments = await client.v1.invoice_payments.list_async({"invoice": invoice})
    assert sorted((one.status, one.amount_paid or 0) for one in payments.data) == [
        ("canceled", 0), ("paid", 2_000), ("paid", 3_000),
    ]  # fmt: skip
