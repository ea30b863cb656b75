"""Connected accounts: creation, onboarding, isolation, events, application fees."""

import asyncio
import json
from typing import Any

import pytest
import stripe

from tests.sandbox.server import Receiver
from tests.sandbox.test_payment_intents import DIRECT

CONTROLLER: Any = {
    "fees": {"payer": "application"},
    "losses": {"payments": "application"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "express"},
}


async def enabled(client: stripe.StripeClient) -> str:
    account = await client.v1.accounts.create_async(
        {"controller": CONTROLLER, "country": "DE", "metadata": {"sandbox_enabled": "true"}}
    )
    assert account.charges_enabled
    return account.id


async def test_a_new_account_cannot_charge_before_its_onboarding(client: stripe.StripeClient) -> None:
    account = await client.v1.accounts.create_async(
        {
            "controller": CONTROLLER,
            "country": "DE",
            "capabilities": {"card_payments": {"requested": True}},
            "business_profile": {"mcc": "5734", "name": "Bee"},
        }
    )
    assert (account.charges_enabled, account.details_submitted, account.default_currency) == (False, False, "eur")
    assert account.requirements is not None
    assert "external_account" in (account.requirements.currently_due or [])
    assert "business_profile.mcc" not in (account.requirements.currently_due or [])
    given: Any = {"amount": 2500, "currency": "eur", "payment_method": "pm_card_visa", **DIRECT}
    with pytest.raises(stripe.InvalidRequestError, match="cannot currently make charges"):
        await client.v1.payment_intents.create_async(given, {"stripe_account": account.id})
    capability = await client.v1.accounts.capabilities.retrieve_async(account.id, "card_payments")
    assert (capability.status, capability.requested) == ("inactive", True)


async def test_an_account_link_leads_to_the_page_of_the_account(client: stripe.StripeClient) -> None:
    account = await client.v1.accounts.create_async({"controller": CONTROLLER})
    link = await client.v1.account_links.create_async(
        {
            "account": account.id,
            "type": "account_onboarding",
            "refresh_url": "https://example.org/again",
            "return_url": "https://example.org/done",
        }
    )
    assert f"/setup/{account.id}/" in link.url
    assert link.expires_at > link.created


async def test_accounts_do_not_see_each_others_objects(client: stripe.StripeClient) -> None:
    first, second = await enabled(client), await enabled(client)
    customer = await client.v1.customers.create_async({"name": "A"}, {"stripe_account": first})
    for options in ({"stripe_account": second}, {}):
        given: Any = options
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await client.v1.customers.retrieve_async(customer.id, None, given)
        assert caught.value.http_status == 404
    assert (await client.v1.customers.list_async(None, {"stripe_account": second})).data == []
    seen = await client.v1.accounts.list_async()
    assert [account.id for account in seen.data] == [second, first]
    with pytest.raises(stripe.PermissionError):
        await client.v1.accounts.retrieve_async(first, None, {"stripe_account": second})


async def test_a_connect_endpoint_hears_of_connected_accounts_only(
    client: stripe.StripeClient, receiver: Receiver
) -> None:
    await client.v1.webhook_endpoints.create_async({"url": receiver.url, "enabled_events": ["*"], "connect": True})
    account = await client.v1.accounts.create_async({"controller": CONTROLLER})
    await client.v1.customers.create_async()
    await client.v1.accounts.update_async(account.id, {"business_profile": {"name": "Bee"}})
    event = json.loads((await asyncio.wait_for(receiver.arrived.get(), 30))[0])
    assert (event["type"], event["account"]) == ("account.updated", account.id)
    assert event["data"]["previous_attributes"] == {"business_profile": {"name": None}}
    await client.v1.customers.create_async({}, {"stripe_account": account.id})
    event = json.loads((await asyncio.wait_for(receiver.arrived.get(), 30))[0])
    assert (event["type"], event["account"]) == ("customer.created", account.id)


async def test_an_application_fee_belongs_to_the_platform(client: stripe.StripeClient) -> None:
    account = await enabled(client)
    given: Any = {
        "amount": 2500,
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "application_fee_amount": 250,
        **DIRECT,
    }
    intent = await client.v1.payment_intents.create_async(given, {"stripe_account": account})
    (fee,) = (await client.v1.application_fees.list_async()).data
    assert (fee.amount, fee.account, fee.charge) == (250, account, intent.latest_charge)
    charge = await client.v1.charges.retrieve_async(
        str(intent.latest_charge), {"expand": ["application_fee"]}, {"stripe_account": account}
    )
    assert charge.application_fee is not None
    assert not isinstance(charge.application_fee, str)
    assert charge.application_fee.id == fee.id
    await client.v1.refunds.create_async(
        {"payment_intent": intent.id, "amount": 1250, "refund_application_fee": True}, {"stripe_account": account}
    )
    assert (await client.v1.application_fees.retrieve_async(fee.id)).amount_refunded == 125


async def test_a_deleted_account_can_no_longer_be_used(client: stripe.StripeClient, receiver: Receiver) -> None:
    account = await enabled(client)
    await client.v1.webhook_endpoints.create_async(
        {"url": receiver.url, "enabled_events": ["account.application.deauthorized"], "connect": True}
    )
    await client.v1.customers.create_async({}, {"stripe_account": account})
    assert (await client.v1.accounts.delete_async(account)).deleted
    with pytest.raises(stripe.PermissionError):
        await client.v1.customers.list_async(None, {"stripe_account": account})
    event = json.loads((await asyncio.wait_for(receiver.arrived.get(), 30))[0])
    assert event["account"] == account


async def test_the_platform_has_an_account_of_its_own(client: stripe.StripeClient) -> None:
    own = await client.v1.accounts.retrieve_current_async()
    assert (own.object, own.charges_enabled) == ("account", True)
