"""Live operations under attack: places that leak or have no end, ids used again, failures that nobody hears of."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.app import endpoint_of
from gateway.live import Streams
from gateway.wire import Asked
from storage import revisions
from tests.gateway.test_live import LIVE, WHO, Gateway, closed, gateway, hear, say, talking

__all__ = ["gateway"]


def _set(gateway: Gateway, **changes: Any) -> None:
    object.__setattr__(gateway.runtime, "settings", gateway.runtime.settings.model_copy(update=changes))


async def test_idle_sockets_of_a_token_have_an_end(gateway: Gateway) -> None:
    _set(gateway, graphql_sockets_per_token=3)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(talking(gateway)) for _ in range(3)]
        async with talking(gateway, begin=False) as one_more:
            await say(one_more, type="connection_init", payload={"Authorization": f"Bearer {gateway.key}"})
            assert await closed(one_more) == 4429
        await sockets[0].close()
        for _ in range(50):
            await asyncio.sleep(0.02)
            with suppress(ConnectionClosed):
                async with talking(gateway):
                    return
        pytest.fail("the place of a closed socket is not free again")


async def test_sockets_of_nobody_have_an_end(gateway: Gateway) -> None:
    _set(gateway, graphql_sockets_waiting=2)
    async with talking(gateway, begin=False) as first, talking(gateway, begin=False):
        with pytest.raises(InvalidStatus):
            async with talking(gateway, begin=False):
                pass
        await say(first, type="connection_init", payload={"Authorization": f"Bearer {gateway.key}"})
        assert (await hear(first))["type"] == "connection_ack"
        async with talking(gateway, begin=False):
            pass


async def test_an_event_stream_too_many_is_a_429(gateway: Gateway) -> None:
    _set(gateway, graphql_live_per_token=1)
    headers = {"authorization": f"Bearer {gateway.key}", "accept": "text/event-stream"}
    url = f"{gateway.address}/graphql"
    async with talking(gateway) as socket, httpx.AsyncClient(timeout=20) as client:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        told = asyncio.ensure_future(hear(socket))
        while not told.done():  # until it is surely running
            await gateway.change()
            await asyncio.sleep(0.02)
        refused = await client.post(url, json={"query": LIVE}, headers=headers)
        assert refused.status_code == 429
        assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_LIVE"


async def test_an_id_used_again_at_once_is_still_known(gateway: Gateway) -> None:
    """`complete` and the next `subscribe` in one packet: the first one's end must not take the second one's place."""
    async with talking(gateway) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        await say(socket, id="2", type="subscribe", payload={"query": WHO})
        while (await hear(socket))["type"] != "complete":
            pass
        again = {"id": "1", "type": "subscribe", "payload": {"query": LIVE}}
        for message in ({"id": "1", "type": "complete"}, again):
            socket.protocol.send_text(json.dumps(message).encode())
        socket.transport.write(b"".join(socket.protocol.data_to_send()))
        await say(socket, id="3", type="subscribe", payload={"query": WHO})
        while (await hear(socket))["type"] != "complete":
            pass
        await say(socket, **again)
        assert await closed(socket) == 4409


@pytest.mark.parametrize(("error", "code"), [(ConnectionRefusedError(), "UNAVAILABLE"), (KeyError("x"), "INTERNAL")])
async def test_an_operation_that_fails_says_so(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    async def fail(*_: Any) -> None:
        raise error

    async with talking(gateway) as socket:
        monkeypatch.setattr("gateway.execution.Service.prepare", fail)
        await say(socket, id="1", type="subscribe", payload={"query": WHO})
        told = await hear(socket)
        assert (told["type"], told["id"]) == ("error", "1")
        assert told["payload"][0]["extensions"]["code"] == code


async def test_a_database_that_is_away_closes_a_beginning_socket_politely(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("tenants.auth.Authenticator.authenticate", away)
    async with talking(gateway, begin=False) as socket:
        await say(socket, type="connection_init", payload={"Authorization": f"Bearer {gateway.key}"})
        assert await closed(socket) == 1013


async def test_a_stream_ends_though_more_was_to_be_told(gateway: Gateway) -> None:
    """The token ends while an answer waits to be sent and another one to wait: the place is given back all the same."""
    service = endpoint_of(gateway.runtime).service
    streams = Streams(service)
    caller = await gateway.runtime.authenticator.authenticate(gateway.key)
    job = await service.prepare(caller, Asked(LIVE), "request-1")
    ended = False

    async def still() -> bool:
        for _ in range(5):
            await gateway.change(revisions.EVERYTHING)
            await asyncio.sleep(0.02)
        return not ended

    stream = streams.events(caller, job, still)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    await gateway.change(revisions.EVERYTHING)
    assert await asyncio.wait_for(first, 30)
    ended = True

    async def rest() -> list[Any]:
        return [body async for body in stream]

    assert await asyncio.wait_for(rest(), 30)
    assert not streams._open
