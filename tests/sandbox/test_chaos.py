"""Events on demand as untidy as the real ones, and the same again from the same seed."""

import asyncio
import json
from collections import Counter
from typing import Any

import aiohttp
import pytest
import stripe

from tests.sandbox.server import Receiver
from tests.sandbox.test_delivery import subscribe


async def _chaos(plain: aiohttp.ClientSession, **given: Any) -> None:
    async with plain.post("/_sandbox/chaos", json=given) as answer:
        assert answer.status == 200, await answer.text()


async def _idle(plain: aiohttp.ClientSession) -> None:
    """Wait until nothing is left to deliver."""
    while True:
        async with plain.get("/_sandbox/deliveries") as answer:
            if (await answer.json())["pending"] == 0:
                return
        await asyncio.sleep(0.01)


async def _arrived(receiver: Receiver, client: stripe.StripeClient, plain: aiohttp.ClientSession) -> list[str]:
    """The names of forty new customers as their events arrived."""
    for number in range(40):
        await client.v1.customers.create_async({"name": str(number)})
    await _idle(plain)
    found = []
    while not receiver.arrived.empty():
        found.append(json.loads(receiver.arrived.get_nowait()[0])["data"]["object"]["name"])
    return found


async def test_deliveries_are_repeated_lost_and_shuffled_in_the_shares_asked_for(
    client: stripe.StripeClient, receiver: Receiver, plain: aiohttp.ClientSession
) -> None:
    await subscribe(client, receiver.url)
    await _chaos(plain, seed=3, duplicate=0.3, drop=0.2, delay=0.5)
    first = await _arrived(receiver, client, plain)
    times = Counter(first)
    assert set(times.values()) == {1, 2}
    assert 20 <= len(times) < 40
    assert first != sorted(first, key=int)
    await _chaos(plain, seed=3, duplicate=0.3, drop=0.2, delay=0.5)
    assert Counter(await _arrived(receiver, client, plain)) == times
    await _chaos(plain)
    assert sorted(await _arrived(receiver, client, plain), key=int) == [str(number) for number in range(40)]


async def test_events_that_are_never_made_are_in_no_list(
    client: stripe.StripeClient, plain: aiohttp.ClientSession
) -> None:
    await _chaos(plain, never_types=["customer.created"])
    made = await client.v1.customers.create_async({"name": "A"})
    await client.v1.customers.update_async(made.id, {"name": "B"})
    assert [event.type for event in (await client.v1.events.list_async()).data] == ["customer.updated"]


async def test_chaos_is_for_the_accounts_that_are_named(
    client: stripe.StripeClient, plain: aiohttp.ClientSession
) -> None:
    await _chaos(plain, never=1, accounts=["acct_other"])
    await client.v1.customers.create_async()
    assert len((await client.v1.events.list_async()).data) == 1


async def test_an_account_of_an_older_version_is_told_of_in_its_shapes(
    client: stripe.StripeClient, plain: aiohttp.ClientSession
) -> None:
    platform = "acct_1Sandb0xPlatform"
    product = await client.v1.products.create_async({"name": "P"})
    price = await client.v1.prices.create_async(
        {"product": product.id, "currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}}
    )
    customer = await client.v1.customers.create_async(
        {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    await _chaos(plain, api_versions={platform: "2024-06-20"})
    made = await client.v1.subscriptions.create_async({"customer": customer.id, "items": [{"price": price.id}]})
    events = (await client.v1.events.list_async({"limit": 100})).data
    told = {event.type: (event.api_version, event.data.object) for event in events}
    version, subscription = told["customer.subscription.created"]
    assert version == "2024-06-20"
    assert subscription["current_period_end"] > subscription["current_period_start"]
    assert "current_period_end" not in subscription["items"]["data"][0]
    _, invoice = told["invoice.paid"]
    assert (invoice["subscription"], invoice["paid"], "parent" in invoice) == (made.id, True, False)
    assert invoice["lines"]["data"][0]["price"]["id"] == price.id


async def test_clocks_may_disagree(client: stripe.StripeClient, plain: aiohttp.ClientSession) -> None:
    await _chaos(plain, clock_skew=-240)
    made = await client.v1.customers.create_async()
    (event,) = (await client.v1.events.list_async()).data
    assert 238 <= made.created - event.created <= 242


@pytest.mark.parametrize("given", [{"never": 2}, {"delay": -1}, {"nothing": 1}, {"drop": "x"}])
async def test_what_cannot_be_read_is_refused(plain: aiohttp.ClientSession, given: dict[str, Any]) -> None:
    async with plain.post("/_sandbox/chaos", json=given) as answer:
        assert answer.status == 400
    async with plain.get("/_sandbox/chaos") as answer:
        assert (await answer.json())["never"] == 0


@pytest.mark.parametrize(("effect", "made"), [("saved", 0), ("saved_after", 1)])
async def test_a_500_that_stripe_saved_comes_again_under_its_key_whether_anything_was_made_or_not(
    client: stripe.StripeClient, plain: aiohttp.ClientSession, effect: str, made: int
) -> None:
    fault = {"match": {"method": "POST", "path": "/v1/customers"}, "effect": effect, "status": 500}
    async with plain.post("/_sandbox/faults", json=fault) as answer:
        assert answer.status == 200
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            await client.v1.customers.create_async({}, {"idempotency_key": "k1", "max_network_retries": 0})
        assert caught.value.http_status == 500
    assert len((await client.v1.customers.list_async()).data) == made
    await client.v1.customers.create_async({}, {"idempotency_key": "k2"})


async def test_a_share_of_the_requests_under_a_path_is_met(
    client: stripe.StripeClient, plain: aiohttp.ClientSession
) -> None:
    fault = {"match": {"path": "/v1/cust*"}, "effect": "status", "status": 503, "share": 0.5, "times": 1000}
    async with plain.post("/_sandbox/faults", json=fault) as answer:
        assert answer.status == 200
    met = 0
    for _ in range(60):
        try:
            await client.v1.customers.list_async(options={"max_network_retries": 0})
        except stripe.APIError:
            met += 1
    assert 15 < met < 45
    await client.v1.products.list_async()
