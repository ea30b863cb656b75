"""Payment methods: test ids, attaching, updating, detaching."""

import pytest
import stripe

from tests.sandbox.server import raw


async def test_a_test_id_becomes_a_card_of_the_customer(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async()
    first = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    second = await client.v1.payment_methods.attach_async("pm_card_mastercard", {"customer": customer.id})
    assert first.card is not None
    assert (first.customer, first.card.last4, first.card.brand) == (customer.id, "4242", "visa")
    listed = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [found.id for found in listed.data] == [second.id, first.id]
    same = await client.v1.payment_methods.list_async({"customer": customer.id, "type": "card"})
    assert [found.id for found in same.data] == [second.id, first.id]


async def test_a_declined_card_cannot_be_attached(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async()
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.payment_methods.attach_async("pm_card_chargeDeclined", {"customer": customer.id})
    body = caught.value.json_body
    assert isinstance(body, dict)
    told = body["error"]
    del told["request_log_url"]
    # As recorded from the real API, apart from the log's address.
    assert told == {
        "advice_code": "try_again_later",
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": "Your card was declined.",
        "network_decline_code": "01",
        "param": "",
        "type": "card_error",
    }
    assert (await client.v1.customers.payment_methods.list_async(customer.id)).data == []


async def test_a_card_number_is_not_kept(client: stripe.StripeClient) -> None:
    made = await client.v1.payment_methods.create_async(
        {"type": "card", "card": {"number": "5555555555554444", "exp_month": 1, "exp_year": 2050, "cvc": "123"}}
    )
    assert made.card is not None
    assert (made.card.brand, made.card.last4, made.card.exp_year) == ("mastercard", "4444", 2050)
    assert "5555555555554444" not in str(raw(made))


@pytest.mark.parametrize(
    ("number", "code"), [("4242424242424241", "incorrect_number"), ("4111111111111111", "card_declined")]
)
async def test_only_test_numbers_are_taken(client: stripe.StripeClient, number: str, code: str) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.payment_methods.create_async(
            {"type": "card", "card": {"number": number, "exp_month": 1, "exp_year": 2050}}
        )
    assert caught.value.code == code


async def test_detaching_a_default_card_clears_the_default(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async(
        {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    assert customer.invoice_settings is not None
    default = customer.invoice_settings.default_payment_method
    assert isinstance(default, str)
    detached = await client.v1.payment_methods.detach_async(default)
    assert detached.customer is None
    after = await client.v1.customers.retrieve_async(customer.id)
    assert after.invoice_settings is not None
    assert after.invoice_settings.default_payment_method is None
    types = [event.type for event in (await client.v1.events.list_async()).data]
    assert types == [
        "customer.updated",
        "payment_method.detached",
        "customer.created",
        "payment_method.attached",
    ]


async def test_a_default_card_must_be_the_customers_own(client: stripe.StripeClient) -> None:
    owner = await client.v1.customers.create_async()
    card = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    other = await client.v1.customers.create_async()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.update_async(other.id, {"invoice_settings": {"default_payment_method": card.id}})
    assert (caught.value.code, caught.value.param) == (
        "resource_missing",
        "invoice_settings[default_payment_method]",
    )


async def test_an_update_changes_the_expiry(client: stripe.StripeClient) -> None:
    owner = await client.v1.customers.create_async()
    card = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    changed = await client.v1.payment_methods.update_async(
        card.id, {"card": {"exp_year": 2049}, "billing_details": {"name": "Ada"}}
    )
    assert changed.card is not None
    assert (changed.card.exp_year, changed.billing_details.name) == (2049, "Ada")


async def test_a_detached_card_cannot_be_used_again(client: stripe.StripeClient) -> None:
    owner = await client.v1.customers.create_async()
    card = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": owner.id})
    await client.v1.customers.delete_async(owner.id)
    assert (await client.v1.payment_methods.retrieve_async(card.id)).customer is None
    other = await client.v1.customers.create_async()
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await client.v1.payment_methods.attach_async(card.id, {"customer": other.id})
