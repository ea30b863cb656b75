"""Webhook deliveries: signed, repeated after a failure, kept over a restart."""

import asyncio
import json
from pathlib import Path

import aiohttp
import stripe

from tests.sandbox.server import Receiver, official_client, sandbox_running


async def subscribe(client: stripe.StripeClient, url: str) -> stripe.WebhookEndpoint:
    return await client.v1.webhook_endpoints.create_async({"url": url, "enabled_events": ["customer.created"]})


async def test_an_event_arrives_signed_and_unchanged(client: stripe.StripeClient, receiver: Receiver) -> None:
    endpoint = await subscribe(client, receiver.url)
    customer = await client.v1.customers.create_async({"name": "A"}, {"idempotency_key": "k1"})
    body, signature = await receiver.arrived.get()
    event = client.construct_event(body, signature, endpoint.secret)
    assert (event.type, event.data.object["id"], event.pending_webhooks) == (
        "customer.created",
        customer.id,
        1,
    )
    assert event.request is not None
    assert event.request.idempotency_key == "k1"
    kept = (await client.v1.events.retrieve_async(event.id)).to_dict()
    assert kept | {"pending_webhooks": 1} == json.loads(body)
    assert "secret" not in await client.v1.webhook_endpoints.retrieve_async(endpoint.id)


async def test_a_failed_delivery_is_tried_again(client: stripe.StripeClient, receiver: Receiver) -> None:
    receiver.failures = 1
    await subscribe(client, receiver.url)
    await client.v1.customers.create_async()
    first, second = await receiver.arrived.get(), await receiver.arrived.get()
    assert first[0] == second[0]


async def test_a_pending_delivery_survives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    receiver.failures = 1
    async with (
        sandbox_running(tmp_path, retry_schedule=(3600,)) as address,
        official_client(address) as client,
    ):
        await subscribe(client, receiver.url)
        customer = await client.v1.customers.create_async({"name": "A"})
        await receiver.arrived.get()
        async with aiohttp.ClientSession(address) as session, session.get("/_sandbox/deliveries") as answer:
            assert await answer.json() == {"pending": 1, "delivered": 0, "failed": 0}
    async with sandbox_running(tmp_path) as address, official_client(address) as client:
        assert (await client.v1.customers.retrieve_async(customer.id)).name == "A"
        async with aiohttp.ClientSession(address) as session, session.get("/_sandbox/deliveries") as answer:
            assert (await answer.json())["pending"] == 1
        again = await client.v1.customers.create_async()
        body, _ = await asyncio.wait_for(receiver.arrived.get(), 30)
        assert json.loads(body)["data"]["object"]["id"] == again.id != customer.id
