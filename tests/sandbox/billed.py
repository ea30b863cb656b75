"""What the tests of invoices and subscriptions need first: a customer with a card, and a price."""

from typing import Any

import stripe


async def customer_with(client: stripe.StripeClient, card: str = "pm_card_visa", **more: Any) -> str:
    """A customer whose default payment method is the test card."""
    customer = await client.v1.customers.create_async({"email": "a@example.org", **more})  # type: ignore[arg-type]
    method = await client.v1.payment_methods.attach_async(card, {"customer": customer.id})
    await client.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    return customer.id


async def monthly(client: stripe.StripeClient, amount: int, interval: Any = "month") -> str:
    """A recurring price in dollars of a product that is counted in users."""
    price = await client.v1.prices.create_async(
        {
            "currency": "usd",
            "unit_amount": amount,
            "recurring": {"interval": interval},
            "product_data": {"name": "Seats", "unit_label": "user"},
        }
    )
    return price.id


async def events_of(client: stripe.StripeClient, *kinds: str) -> list[str]:
    """The types of all events so far, oldest first; only those that begin with one of the kinds."""
    found = [event.type async for event in (await client.v1.events.list_async({"limit": 100})).auto_paging_iter()]
    return [kind for kind in reversed(found) if kind.startswith(kinds)]
