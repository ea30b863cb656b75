"""Customers' sources, made from tokens, and the other things that a customer is created with."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billed import monthly
from tests.sandbox.server import raw


async def test_a_token_becomes_the_default_source(client: stripe.StripeClient) -> None:
    made = await client.v1.customers.create_async({"source": "tok_visa", "expand": ["default_source", "sources"]})
    told = raw(made)
    source = told["default_source"]
    assert (source["object"], source["brand"], source["last4"]) == ("card", "Visa", "4242")
    assert source["id"].startswith("card_")
    assert [one["id"] for one in told["sources"]["data"]] == [source["id"]]
    changed = await client.v1.customers.update_async(made.id, {"source": "tok_mastercard", "expand": ["sources"]})
    assert [one["brand"] for one in raw(changed)["sources"]["data"]] == ["MasterCard"]
    methods = await client.v1.customers.payment_methods.list_async(made.id)
    assert [one.id for one in methods.data] == [changed.default_source]


async def test_a_declined_token_makes_no_customer(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.customers.create_async({"source": "tok_chargeDeclined"})
    assert caught.value.code == "card_declined"
    assert (await client.v1.customers.list_async()).data == []


async def test_a_source_pays_charges_and_subscriptions(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({"source": "tok_visa"})
    charge = await client.v1.charges.create_async({"amount": 900, "currency": "usd", "customer": customer.id})
    assert (charge.status, charge.payment_method) == ("succeeded", customer.default_source)
    made = await client.v1.subscriptions.create_async(
        {"customer": customer.id, "items": [{"price": await monthly(client, 1500)}]}
    )
    assert (made.status, made.default_source) == ("active", None)


async def test_a_subscription_has_a_source_of_its_own(client: stripe.StripeClient) -> None:
    customer = await client.v1.customers.create_async({"source": "tok_visa"})
    source = str(customer.default_source)
    await client.v1.customers.update_async(customer.id, {"metadata": {"a": "b"}})
    made = await client.v1.subscriptions.create_async(
        {"customer": customer.id, "items": [{"price": await monthly(client, 1500)}], "default_source": source}
    )
    assert (made.status, made.default_source) == ("active", source)
    with pytest.raises(stripe.InvalidRequestError, match="No such source: 'card_none'") as caught:
        await client.v1.subscriptions.update_async(made.id, {"default_source": "card_none"})
    assert caught.value.param == "default_source"


async def test_a_customer_is_made_with_tax_ids_and_a_place(client: stripe.StripeClient) -> None:
    given: Any = {
        "address": {"country": "DE", "line1": "Straße 1"},
        "cash_balance": {"settings": {"reconciliation_mode": "manual"}},
        "tax": {"ip_address": "203.0.113.7"},
        "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
        "expand": ["tax", "tax_ids", "cash_balance"],
    }
    told = raw(await client.v1.customers.create_async(given))
    assert told["tax"] == {
        "automatic_tax": "not_collecting",
        "ip_address": "203.0.113.7",
        "location": {"country": "DE", "source": "billing_address", "state": None},
        "provider": "stripe",
    }
    assert [one["value"] for one in told["tax_ids"]["data"]] == ["DE123456789"]
    assert told["cash_balance"]["settings"] == {"reconciliation_mode": "manual", "using_merchant_default": False}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.create_async({"tax": {"validate_location": "immediately"}})
    assert caught.value.code == "customer_tax_location_invalid"


async def test_a_product_is_made_with_its_default_price(client: stripe.StripeClient) -> None:
    made = await client.v1.products.create_async(
        {
            "name": "Seats",
            "default_price_data": {"currency": "usd", "unit_amount": 500, "recurring": {"interval": "month"}},
            "expand": ["default_price"],
        }
    )
    price = raw(made)["default_price"]
    assert (price["product"], price["unit_amount"], price["recurring"]["interval"]) == (made.id, 500, "month")
