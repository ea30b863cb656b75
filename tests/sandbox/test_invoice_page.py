"""The hosted page of an invoice."""

from urllib.parse import urlsplit

import stripe

from tests.sandbox.pages import ASKS, CHARGE_FAILS, GOOD, card, visit


async def an_open_invoice(client: stripe.StripeClient) -> tuple[str, str]:
    """Its id and the path of its page."""
    customer = await client.v1.customers.create_async({"email": "ada@example.org"})
    await client.v1.invoice_items.create_async(
        {"customer": customer.id, "amount": 7500, "currency": "usd", "description": "Setup of the clinic"}
    )
    invoice = await client.v1.invoices.create_async(
        {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 14,
         "pending_invoice_items_behavior": "include"}
    )  # fmt: skip
    opened = await client.v1.invoices.finalize_invoice_async(invoice.id)
    assert opened.hosted_invoice_url is not None
    return invoice.id, urlsplit(opened.hosted_invoice_url).path


async def test_the_page_takes_the_payment(client: stripe.StripeClient, address: str) -> None:
    invoice, path = await an_open_invoice(client)
    page = await visit(address, path)
    assert "Setup of the clinic" in page.html
    assert "Pay $75.00" in page.html
    refused = await visit(address, path, card(CHARGE_FAILS))
    assert (refused.status, refused.problem) == (402, "Your card was declined.")
    assert (await client.v1.invoices.retrieve_async(invoice)).status == "open"
    assert (await visit(address, path, card(GOOD))).status == 303
    assert (await client.v1.invoices.retrieve_async(invoice)).status == "paid"
    assert "Paid. Thank you." in (await visit(address, path)).html


async def test_three_d_secure_is_asked_on_its_own_page(client: stripe.StripeClient, address: str) -> None:
    invoice, path = await an_open_invoice(client)
    asked = await visit(address, path, card(ASKS))
    assert asked.location is not None
    assert asked.location.startswith("/authenticate/")
    assert "You have confirmed it." in (await visit(address, asked.location, {"outcome": "complete"})).html
    assert (await client.v1.invoices.retrieve_async(invoice)).status == "paid"


async def test_a_draft_has_no_page(client: stripe.StripeClient, address: str) -> None:
    _, path = await an_open_invoice(client)
    account = path.split("/")[2]
    customer = await client.v1.customers.create_async({})
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    assert (await visit(address, f"/i/{account}/{draft.id}")).status == 404
