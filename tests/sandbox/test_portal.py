"""The customer portal: its configurations and sessions over the API, its page by plain form posts."""

from typing import Any

import pytest
import stripe

from tests.sandbox.pages import DECLINED, GOOD, card, visit


async def a_portal(client: stripe.StripeClient, **params: Any) -> stripe.billing_portal.Session:
    customer = await client.v1.customers.create_async({"email": "ada@example.org"})
    given: Any = {"customer": customer.id, **params}
    return await client.v1.billing_portal.sessions.create_async(given)


async def test_a_session_uses_the_default_configuration(client: stripe.StripeClient) -> None:
    portal = await a_portal(client, return_url="https://shop.example/account")
    assert portal.url.endswith(f"/p/session/{portal.id}")
    assert portal.return_url == "https://shop.example/account"
    second = await a_portal(client)
    assert second.configuration == portal.configuration
    (configuration,) = (await client.v1.billing_portal.configurations.list_async({"is_default": True})).data
    assert configuration.id == portal.configuration
    assert configuration.features.subscription_cancel.mode == "at_period_end"


async def test_a_configuration_is_changed_feature_by_feature(client: stripe.StripeClient) -> None:
    made = await client.v1.billing_portal.configurations.create_async(
        {"features": {"invoice_history": {"enabled": True}}, "name": "Narrow"}
    )
    assert (made.name, made.is_default) == ("Narrow", False)
    assert (made.features.invoice_history.enabled, made.features.subscription_cancel.enabled) == (True, False)
    changed = await client.v1.billing_portal.configurations.update_async(
        made.id, {"features": {"subscription_cancel": {"enabled": True}}, "active": False}
    )
    assert changed.features.subscription_cancel.enabled
    assert changed.features.invoice_history.enabled
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        await a_portal(client, configuration=made.id)


async def test_a_feature_that_the_page_lacks_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.APIError) as refused:
        await client.v1.billing_portal.configurations.create_async(
            {"features": {"subscription_pause": {"enabled": True}}}
        )
    assert refused.value.http_status == 501


async def test_a_portal_needs_a_customer_of_this_account(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.billing_portal.sessions.create_async({"customer": "cus_gone"})
    assert (refused.value.param, refused.value.code) == ("customer", "resource_missing")


async def test_the_customer_replaces_the_card_and_the_email(client: stripe.StripeClient, address: str) -> None:
    portal = await a_portal(client)
    path = f"/p/session/{portal.id}"
    assert "No card is saved." in (await visit(address, path)).html
    refused = await visit(address, path, card(DECLINED, action="card"))
    assert (refused.status, refused.problem) == (402, "Your card was declined.")
    done = await visit(address, path, card(GOOD, action="card"))
    assert (done.status, done.location) == (303, f"{path}?done=card")
    assert "Visa ending in 4242" in (await visit(address, path)).html
    assert (await visit(address, path, {"action": "email", "email": "grace@example.org"})).status == 303
    customer = await client.v1.customers.retrieve_async(portal.customer)
    assert customer.email == "grace@example.org"
    assert customer.invoice_settings is not None
    assert customer.invoice_settings.default_payment_method is not None


async def test_what_the_configuration_forbids_is_neither_shown_nor_done(
    client: stripe.StripeClient, address: str
) -> None:
    narrow = await client.v1.billing_portal.configurations.create_async(
        {"features": {"invoice_history": {"enabled": True}}}
    )
    portal = await a_portal(client, configuration=narrow.id)
    path = f"/p/session/{portal.id}"
    page = await visit(address, path)
    assert "card-number" not in page.html
    refused = await visit(address, path, {"action": "email", "email": "mallory@example.org"})
    assert (refused.status, refused.problem) == (400, "This portal does not allow that.")
    assert (await client.v1.customers.retrieve_async(portal.customer)).email == "ada@example.org"


async def test_an_unknown_portal_has_no_page(address: str) -> None:
    assert (await visit(address, "/p/session/bps_unknown")).status == 404
