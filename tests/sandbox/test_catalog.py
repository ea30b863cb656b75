"""Customers, products and prices with the official SDK."""

from decimal import Decimal

import pytest
import stripe


async def test_a_customer_is_created_updated_and_deleted(client: stripe.StripeClient) -> None:
    made = await client.v1.customers.create_async({"email": "a@example.org", "metadata": {"a": "1", "b": "2"}})
    changed = await client.v1.customers.update_async(made.id, {"metadata": {"a": ""}, "description": "new"})
    assert (changed.email, changed.description) == ("a@example.org", "new")
    assert changed.to_dict()["metadata"] == {"b": "2"}
    assert (await client.v1.customers.delete_async(made.id)).deleted is True
    assert (await client.v1.customers.retrieve_async(made.id)).to_dict() == {
        "id": made.id,
        "object": "customer",
        "deleted": True,
    }


async def test_an_update_tells_the_old_values_of_what_changed_only(client: stripe.StripeClient) -> None:
    made = await client.v1.customers.create_async({"name": "A", "metadata": {"a": "1"}})
    await client.v1.customers.update_async(made.id, {"name": "B", "metadata": {"c": "3"}})
    await client.v1.customers.update_async(made.id, {"name": "B"})
    events = await client.v1.events.list_async({"type": "customer.updated"})
    assert [event.data.to_dict()["previous_attributes"] for event in events.data] == [
        {"metadata": {"c": None}, "name": "A"}
    ]
    (created,) = (await client.v1.events.list_async({"type": "customer.created"})).data
    assert created.data.object["name"] == "A"


async def test_a_price_carries_its_product_and_decimals(client: stripe.StripeClient) -> None:
    product = await client.v1.products.create_async({"name": "Seat", "unit_label": "user"})
    price = await client.v1.prices.create_async(
        {
            "currency": "usd",
            "product": product.id,
            "unit_amount_decimal": Decimal("0.0381"),
            "recurring": {"interval": "month"},
            "expand": ["product"],
        }
    )
    assert price.to_dict()["product"]["name"] == "Seat"
    assert (price.unit_amount, price.unit_amount_decimal, price.type) == (
        None,
        Decimal("0.0381"),
        "recurring",
    )


async def test_tiers_are_shown_only_when_expanded(client: stripe.StripeClient) -> None:
    made = await client.v1.prices.create_async(
        {
            "currency": "usd",
            "product_data": {"name": "Credits"},
            "recurring": {"interval": "month"},
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 10, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 5}],
        }
    )
    assert "tiers" not in made
    shown = await client.v1.prices.retrieve_async(made.id, {"expand": ["tiers"]})
    assert [(tier["up_to"], tier["unit_amount"]) for tier in shown.to_dict()["tiers"]] == [(10, 0), (None, 5)]


async def test_a_refused_price_leaves_no_product_behind(client: stripe.StripeClient) -> None:
    await client.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 1, "product_data": {"name": "A"}, "lookup_key": "k"}
    )
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.prices.create_async(
            {"currency": "usd", "unit_amount": 1, "product_data": {"name": "B"}, "lookup_key": "k"}
        )
    assert [product.name for product in (await client.v1.products.list_async()).data] == ["A"]
    assert len((await client.v1.events.list_async({"type": "product.created"})).data) == 1
