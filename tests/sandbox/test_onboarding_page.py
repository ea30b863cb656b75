"""The onboarding page of a connected account, and Checkout inside such an account."""

from urllib.parse import urlsplit

import stripe

from tests.sandbox.pages import GOOD, card, visit
from tests.sandbox.test_accounts import CONTROLLER, enabled
from tests.sandbox.test_checkout_sessions import SUCCESS


async def a_link(client: stripe.StripeClient, account: str) -> str:
    link = await client.v1.account_links.create_async(
        {
            "account": account,
            "type": "account_onboarding",
            "refresh_url": "https://example.org/again",
            "return_url": "https://example.org/done",
        }
    )
    return urlsplit(link.url).path


async def test_sending_the_form_enables_the_account_once(client: stripe.StripeClient, address: str) -> None:
    account = await client.v1.accounts.create_async({"controller": CONTROLLER, "business_profile": {"name": "Bee"}})
    path = await a_link(client, account.id)
    assert "Bee" in (await visit(address, path)).html
    done = await visit(address, path, {"outcome": "complete"})
    assert (done.status, done.location) == (303, "https://example.org/done")
    assert (await client.v1.accounts.retrieve_async(account.id)).charges_enabled
    assert (await visit(address, path)).location == "https://example.org/again"


async def test_leaving_changes_nothing(client: stripe.StripeClient, address: str) -> None:
    account = await client.v1.accounts.create_async({"controller": CONTROLLER})
    path = await a_link(client, account.id)
    assert (await visit(address, path, {"outcome": "leave"})).location == "https://example.org/done"
    assert not (await client.v1.accounts.retrieve_async(account.id)).charges_enabled
    assert (await visit(address, path)).status == 200


async def test_a_link_opens_only_its_own_account(client: stripe.StripeClient, address: str) -> None:
    account = await client.v1.accounts.create_async({"controller": CONTROLLER})
    token = (await a_link(client, account.id)).rpartition("/")[2]
    assert (await visit(address, f"/setup/acct_other/{token}")).status == 404


async def test_checkout_in_a_connected_account_stays_there(client: stripe.StripeClient, address: str) -> None:
    account = await enabled(client)
    options: stripe.RequestOptions = {"stripe_account": account}
    session = await client.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "success_url": SUCCESS,
            "line_items": [
                {
                    "price_data": {"currency": "eur", "unit_amount": 900, "product_data": {"name": "Badge"}},
                    "quantity": 1,
                }
            ],
            "payment_intent_data": {"application_fee_amount": 90},
        },
        options,
    )
    assert (await visit(address, f"/c/pay/{session.id}", card(GOOD, email="ada@example.org"))).status == 303
    done = await client.v1.checkout.sessions.retrieve_async(session.id, None, options)
    assert done.payment_status == "paid"
    intent = await client.v1.payment_intents.retrieve_async(str(done.payment_intent), None, options)
    assert intent.application_fee_amount == 90
    assert (await client.v1.payment_intents.list_async()).data == []
    (event,) = (await client.v1.events.list_async({"type": "checkout.session.completed"}, options)).data
    assert event.data.object["id"] == session.id
