"""What keeps a sandbox sound: crashes answered, growth bounded, endpoints stopped, a clean end."""

import asyncio
import os
import signal
import sys
from typing import Any

import aiohttp
import pytest
import stripe

from sandbox.resources import customers
from tests.sandbox.server import KEY, Receiver, official_client, sandbox_running


async def wait_until_delivered(address: str) -> None:
    async with aiohttp.ClientSession(address) as session, asyncio.timeout(30):
        while True:
            async with session.get("/_sandbox/deliveries") as answer:
                if (await answer.json())["pending"] == 0:
                    return


async def test_a_crash_is_answered_once_and_for_all(
    plain: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise ZeroDivisionError

    headers = {"Idempotency-Key": "k1"}
    with monkeypatch.context() as broken:
        broken.setattr(customers, "merge_metadata", crash)
        async with plain.post("/v1/customers", data={"name": "A"}, headers=headers) as answer:
            first = (answer.status, await answer.json())
    assert (first[0], first[1]["error"]["type"]) == (500, "api_error")
    async with plain.post("/v1/customers", data={"name": "A"}, headers=headers) as answer:
        assert (answer.status, await answer.json()) == first
        assert answer.headers["Idempotent-Replayed"] == "true"
    async with plain.get("/v1/customers") as answer:
        assert (await answer.json())["data"] == []


@pytest.mark.parametrize("path", ["/v1/customers", "/_sandbox/faults"])
async def test_a_body_over_the_limit_is_refused(plain: aiohttp.ClientSession, path: str) -> None:
    async with plain.post(path, data=b"x" * 1_000_001) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (413, "api_error")


async def test_only_the_newest_events_are_kept() -> None:
    async with sandbox_running(events_kept=3) as address, official_client(address) as client:
        made = [(await client.v1.customers.create_async()).id for _ in range(5)]
        events = (await client.v1.events.list_async()).data
        assert [event.data.object["id"] for event in events] == made[:1:-1]


async def test_events_older_than_30_days_are_dropped() -> None:
    now = 1_800_000_000.0
    async with sandbox_running(clock=lambda: now) as address, official_client(address) as client:
        await client.v1.customers.create_async()
        now += 31 * 24 * 3600
        await client.v1.customers.create_async()
        assert len((await client.v1.events.list_async()).data) == 1


async def test_keys_over_the_limit_are_forgotten_oldest_first() -> None:
    async with sandbox_running(idempotency_keys_kept=1) as address, official_client(address) as client:
        ids: dict[str, list[str]] = {}
        for key in ("a", "b", "b", "a"):
            made = await client.v1.customers.create_async({}, {"idempotency_key": key})
            ids.setdefault(key, []).append(made.id)
        assert ids["b"][0] == ids["b"][1]
        assert ids["a"][0] != ids["a"][1]


async def test_pending_webhooks_goes_down(client: stripe.StripeClient, address: str, receiver: Receiver) -> None:
    await client.v1.webhook_endpoints.create_async({"url": receiver.url, "enabled_events": ["*"]})
    await client.v1.customers.create_async()
    await wait_until_delivered(address)
    (event,) = (await client.v1.events.list_async({"delivery_success": True})).data
    assert event.pending_webhooks == 0
    receiver.failures = 3
    await client.v1.customers.create_async()
    await wait_until_delivered(address)
    (failed,) = (await client.v1.events.list_async({"delivery_success": False})).data
    assert failed.pending_webhooks == 1


@pytest.mark.parametrize("delete", [True, False])
async def test_a_stopped_endpoint_gets_nothing_more(receiver: Receiver, delete: bool) -> None:
    receiver.failures = 1
    async with sandbox_running(retry_schedule=(3600,)) as address, official_client(address) as client:
        endpoint = await client.v1.webhook_endpoints.create_async({"url": receiver.url, "enabled_events": ["*"]})
        await client.v1.customers.create_async()
        await receiver.arrived.get()
        if delete:
            await client.v1.webhook_endpoints.delete_async(endpoint.id)
        else:
            stopped = await client.v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
            assert stopped.status == "disabled"
        async with aiohttp.ClientSession(address) as session, session.get("/_sandbox/deliveries") as answer:
            assert await answer.json() == {"pending": 0, "delivered": 0, "failed": 0}
        await client.v1.customers.create_async()
        assert receiver.arrived.empty()


async def test_sigterm_ends_the_command_with_0() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "serve", "--port", "0", "--api-key", KEY,
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert server.stdout is not None
    async with asyncio.timeout(60):
        line = (await server.stdout.readline()).decode()
        assert line.startswith("The sandbox listens on http://127.0.0.1:")
        server.send_signal(signal.SIGTERM)
        assert await server.wait() == 0
