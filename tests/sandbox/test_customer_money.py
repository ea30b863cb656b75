"""A customer's balance with its transactions, and its tax ids; tax rates; discounts that are taken away."""

from typing import Any

import pytest
import stripe


async def _owner(client: stripe.StripeClient) -> str:
    owner = await client.v1.customers.create_async({"email": "a@example.org"})
    card = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    await client.v1.customers.update_async(owner.id, {"invoice_settings": {"default_payment_method": card.id}})
    return owner.id


async def _told(client: stripe.StripeClient, owner: str) -> list[tuple[str, int, int]]:
    listed = await client.v1.customers.balance_transactions.list_async(owner)
    return [(one.type, one.amount, one.ending_balance) for one in reversed(listed.data)]


async def _invoiced(client: stripe.StripeClient, owner: str, amount: int) -> stripe.Invoice:
    draft = await client.v1.invoices.create_async({"customer": owner})
    item: Any = {"customer": owner, "invoice": draft.id, "amount": amount, "currency": "usd"}
    await client.v1.invoice_items.create_async(item)
    return await client.v1.invoices.finalize_invoice_async(str(draft.id))


async def test_each_change_of_the_balance_is_a_transaction_and_they_add_up(client: stripe.StripeClient) -> None:
    owner = await _owner(client)
    transactions = client.v1.customers.balance_transactions
    credit = await transactions.create_async(owner, {"amount": -700, "currency": "usd", "description": "sorry"})
    assert (credit.type, credit.ending_balance, credit.description) == ("adjustment", -700, "sorry")
    first = await _invoiced(client, owner, 500)
    assert (first.amount_due, first.starting_balance, first.ending_balance, first.status) == (0, -700, -200, "paid")
    second = await _invoiced(client, owner, 1000)
    assert (second.amount_due, second.ending_balance) == (800, 0)
    await client.v1.invoices.void_invoice_async(str(second.id))
    small = await _invoiced(client, owner, 230)
    assert (small.amount_due, small.ending_balance, small.status) == (0, 30, "paid")
    await client.v1.customers.update_async(owner, {"balance": 0})
    assert await _told(client, owner) == [
        ("adjustment", -700, -700),
        ("applied_to_invoice", 500, -200),
        ("applied_to_invoice", 200, 0),
        ("unapplied_from_invoice", -200, -200),
        ("invoice_too_small", 230, 30),
        ("adjustment", -30, 0),
    ]
    of_second = await transactions.list_async(owner, {"invoice": str(second.id)})
    assert [one.amount for one in of_second.data] == [-200, 200]


@pytest.mark.parametrize(
    ("given", "param"), [({"amount": 0, "currency": "usd"}, "amount"), ({"amount": 5, "currency": "eur"}, "currency")]
)
async def test_a_transaction_that_makes_no_sense_changes_nothing(
    client: stripe.StripeClient, given: Any, param: str
) -> None:
    owner = await _owner(client)
    await client.v1.customers.balance_transactions.create_async(owner, {"amount": -1, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.balance_transactions.create_async(owner, given)
    assert caught.value.param == param
    assert await _told(client, owner) == [("adjustment", -1, -1)]


async def test_a_transaction_is_its_customers_and_only_its_words_change(client: stripe.StripeClient) -> None:
    owner, other = await _owner(client), await _owner(client)
    transactions = client.v1.customers.balance_transactions
    made = await transactions.create_async(owner, {"amount": -5, "currency": "usd"})
    changed = await transactions.update_async(owner, made.id, {"description": "why", "metadata": {"a": "b"}})
    assert (changed.description, changed.amount) == ("why", -5)
    assert (await transactions.retrieve_async(owner, made.id)).description == "why"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await transactions.retrieve_async(other, made.id)
    assert caught.value.http_status == 404


async def test_tax_ids_come_and_go(client: stripe.StripeClient) -> None:
    owner = await _owner(client)
    ids = client.v1.customers.tax_ids
    made = await ids.create_async(owner, {"type": "eu_vat", "value": "DE123456789"})
    assert (made.country, made.value, made.verification and made.verification.status) == (
        "DE",
        "DE123456789",
        "pending",
    )
    ein = await ids.create_async(owner, {"type": "us_ein", "value": "12-3456789"})
    assert (ein.country, ein.verification and ein.verification.status) == ("US", "unavailable")
    assert [one.id for one in (await ids.list_async(owner)).data] == [ein.id, made.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await ids.create_async(owner, {"type": "eu_vat", "value": "123"})
    assert (caught.value.code, caught.value.param) == ("tax_id_invalid", "value")
    assert (await ids.delete_async(owner, made.id)).deleted
    assert [one.id for one in (await ids.list_async(owner)).data] == [ein.id]
    events = await client.v1.events.list_async({"type": "customer.tax_id.deleted"})
    assert [one.data.object["id"] for one in events.data] == [made.id]


async def test_tax_rates_are_kept_and_no_longer_offered(client: stripe.StripeClient) -> None:
    rates = client.v1.tax_rates
    made = await rates.create_async({"display_name": "VAT", "percentage": 19, "inclusive": False, "country": "DE"})
    assert (made.percentage, made.active, made.country, made.rate_type) == (19.0, True, "DE", "percentage")
    await rates.update_async(made.id, {"active": False})
    assert (await rates.list_async({"active": True})).data == []
    assert [one.id for one in (await rates.list_async({"active": False, "inclusive": False})).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await rates.create_async({"display_name": "VAT", "percentage": 101, "inclusive": False})
    assert caught.value.param == "percentage"


async def test_a_discount_is_taken_from_a_subscription(client: stripe.StripeClient) -> None:
    v1, owner = client.v1, await _owner(client)
    await v1.coupons.create_async({"id": "HALF", "percent_off": 50, "duration": "forever"})
    price: Any = {"currency": "usd", "unit_amount": 1000, "recurring": {"interval": "month"}}
    made = await v1.prices.create_async(price | {"product_data": {"name": "Plan"}})
    given: Any = {"customer": owner, "items": [{"price": made.id}], "discounts": [{"coupon": "HALF"}]}
    subscription = await v1.subscriptions.create_async(given)
    gone = await v1.subscriptions.delete_discount_async(subscription.id)
    assert (gone.deleted, gone.subscription) == (True, subscription.id)
    assert (await v1.subscriptions.retrieve_async(subscription.id)).discounts == []
    upcoming = await v1.invoices.create_preview_async({"subscription": subscription.id})
    assert upcoming.total == 1000
    for again in (v1.subscriptions.delete_discount_async(subscription.id), v1.customers.delete_discount_async(owner)):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await again
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
