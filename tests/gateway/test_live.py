"""Live operations: each rule of graphql-transport-ws, server-sent events, and the customary clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect

from gateway.app import endpoint_of, graphql_socket
from gateway.live import STILL_ALLOWED_EVERY
from gateway.runtime import Runtime
from storage import revisions
from storage.database import Database
from tenants.context import Role
from tenants.registry import end_sessions, issue_key, revoke_key, save_tenant
from tests.sandbox.server import serving
from tests.support import node
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

PROTOCOL: Any = "graphql-transport-ws"
LIVE = "subscription { billingChanged { revision } }"
WHO = "{ viewer { role } }"


@dataclass
class Gateway:
    """A served endpoint of the clinic's."""

    address: str
    runtime: Runtime
    database: Database
    two: Two
    key: str

    @property
    def socket(self) -> str:
        return self.address.replace("http", "ws") + "/graphql"

    async def change(self, scope: str = revisions.EVERYTHING, tenant: int | None = None) -> int:
        """Something of the tenant has changed, as every process hears it."""
        wanted = (tenant or self.two.clinic.id, scope)
        async with self.database.system_transaction() as connection:
            number = await revisions.bump(connection, {wanted})
        self.runtime.book.hear(json.dumps([number, [list(wanted)]]))
        return number


@pytest.fixture
async def gateway(opened: Database, two: Two) -> AsyncIterator[Gateway]:
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="live")
    async with endpoint_client(opened) as (_, runtime):
        endpoint = endpoint_of(runtime)
        app = Starlette(
            routes=[
                Route("/graphql", endpoint.__call__, methods=["GET", "POST", "OPTIONS"]),
                WebSocketRoute("/graphql", graphql_socket),
            ]
        )
        app.state.endpoint = endpoint
        async with serving(app) as address:
            yield Gateway(address, runtime, opened, two, key)


@asynccontextmanager
async def talking(gateway: Gateway, token: str | None = None, *, begin: bool = True) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.socket, subprotocols=[PROTOCOL]) as socket:
        if begin:
            await say(socket, type="connection_init", payload={"Authorization": f"Bearer {token or gateway.key}"})
            assert await hear(socket) == {"type": "connection_ack"}
        yield socket


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 15))
    return found


async def closed(socket: ClientConnection) -> int:
    """The code with which the connection ends."""
    await asyncio.wait_for(socket.wait_closed(), 15)
    assert socket.close_code is not None
    return socket.close_code


async def test_another_protocol_is_closed_with_4406(gateway: Gateway) -> None:
    other: Any = "graphql-ws"
    for protocols in ([other], None):
        async with connect(gateway.socket, subprotocols=protocols) as socket:
            assert await closed(socket) == 4406


async def test_who_does_not_begin_is_closed_with_4408(gateway: Gateway) -> None:
    settings = gateway.runtime.settings.model_copy(update={"graphql_init_timeout": 0.05})
    object.__setattr__(gateway.runtime, "settings", settings)
    async with talking(gateway, begin=False) as socket:
        assert await closed(socket) == 4408


async def test_beginning_twice_is_closed_with_4429(gateway: Gateway) -> None:
    async with talking(gateway) as socket:
        await say(socket, type="connection_init")
        assert await closed(socket) == 4429


async def test_asking_before_beginning_is_closed_with_4401(gateway: Gateway) -> None:
    async with talking(gateway, begin=False) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": WHO})
        assert await closed(socket) == 4401


@pytest.mark.parametrize("payload", [None, {"Authorization": "Bearer nothing"}, {"Authorization": 7}, {}])
async def test_who_may_not_come_in_is_closed_with_4403(gateway: Gateway, payload: Any) -> None:
    async with talking(gateway, begin=False) as socket:
        await say(socket, type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await closed(socket) == 4403


@pytest.mark.parametrize(
    "message",
    [
        "nothing",
        "[]",
        "7",
        '{"id": "1"}',
        '{"type": 7}',
        '{"type": "start", "id": "1"}',
        '{"type": "subscribe", "payload": {"query": "{ viewer { role } }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ viewer { role } }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
        '{"type": "complete"}',
        b"binary",
    ],
)
async def test_a_message_that_is_none_is_closed_with_4400(gateway: Gateway, message: Any) -> None:
    async with talking(gateway) as socket:
        await socket.send(message)
        assert await closed(socket) == 4400


async def test_the_same_id_twice_at_a_time_is_closed_with_4409(gateway: Gateway) -> None:
    async with talking(gateway) as socket:
        for _ in range(2):
            await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        assert await closed(socket) == 4409


async def test_an_id_may_be_used_again_after_its_end(gateway: Gateway) -> None:
    async with talking(gateway) as socket:
        for _ in range(2):
            await say(socket, id="1", type="subscribe", payload={"query": WHO})
            assert (await hear(socket))["payload"]["data"] == {"viewer": {"role": "PARTNER"}}
            assert await hear(socket) == {"id": "1", "type": "complete"}


async def test_a_ping_is_answered_with_its_payload(gateway: Gateway) -> None:
    async with talking(gateway, begin=False) as socket:
        await say(socket, type="ping", payload={"n": 1})
        assert await hear(socket) == {"type": "pong", "payload": {"n": 1}}
        await say(socket, type="pong")
        await say(socket, type="ping")
        assert await hear(socket) == {"type": "pong"}


@pytest.mark.parametrize("query", ["{", "{ nothing }", "{ viewer { role } } query B { viewer { role } }"])
async def test_what_does_not_run_is_an_error_and_ends_alone(gateway: Gateway, query: str) -> None:
    async with talking(gateway) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": query})
        refused = await hear(socket)
        assert (refused["id"], refused["type"]) == ("1", "error")
        assert refused["payload"][0]["message"]
        await say(socket, id="2", type="subscribe", payload={"query": WHO})
        assert (await hear(socket))["type"] == "next"


async def _answered(socket: ClientConnection, id_: str) -> None:
    """The answer to a query, and its end."""
    for type_ in ("next", "complete"):
        message = await hear(socket)
        assert (message["id"], message["type"]) == (id_, type_), message


async def _told(socket: ClientConnection) -> str:
    message = await hear(socket)
    assert message["type"] == "next", message
    return str(message["payload"]["data"]["billingChanged"]["revision"])


async def test_a_change_is_told_and_one_of_another_tenant_is_not(gateway: Gateway) -> None:
    async with talking(gateway) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        await say(socket, id="2", type="subscribe", payload={"query": WHO})
        await _answered(socket, "2")  # the first one listens by now
        await gateway.change(tenant=gateway.two.school.id)
        number = await gateway.change()
        assert await _told(socket) == str(number)
        await say(socket, id="1", type="complete")
        await gateway.change()
        await say(socket, id="3", type="subscribe", payload={"query": WHO})
        await _answered(socket, "3")  # and nothing of the first one


async def test_who_was_away_is_told_what_came_since(gateway: Gateway) -> None:
    before = await gateway.change()
    number = await gateway.change()
    async with talking(gateway) as socket:
        query = f'subscription {{ billingChanged(after: "{before}") {{ revision }} }}'
        await say(socket, id="1", type="subscribe", payload={"query": query})
        assert await _told(socket) == str(number)


async def test_a_customer_hears_of_itself_and_the_catalog_alone(gateway: Gateway) -> None:
    token = gateway.runtime.sessions.mint(
        tenant="clinic", customer="cus_1", livemode=False, now=datetime.now(UTC), lifetime=timedelta(minutes=5)
    )
    async with talking(gateway, token) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        await say(socket, id="2", type="subscribe", payload={"query": WHO})
        await _answered(socket, "2")
        await gateway.change(revisions.customer_scope("cus_2", livemode=False))
        await gateway.change()
        own = await gateway.change(revisions.customer_scope("cus_1", livemode=False))
        assert await _told(socket) == str(own)
        catalog = await gateway.change(revisions.catalog_scope(livemode=False))
        assert await _told(socket) == str(catalog)


@pytest.mark.parametrize("kind", ["revoked", "expired", "sessions ended"])
async def test_a_connection_does_not_outlive_its_token(gateway: Gateway, kind: str) -> None:
    token = gateway.key
    if kind != "revoked":
        lifetime = timedelta(seconds=2) if kind == "expired" else timedelta(minutes=5)
        token = gateway.runtime.sessions.mint(
            tenant="clinic", customer="cus_1", livemode=False, now=datetime.now(UTC), lifetime=lifetime
        )
    async with talking(gateway, token) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        if kind == "revoked":
            await revoke_key(gateway.database, token.split("_")[2])
        elif kind == "sessions ended":
            await end_sessions(gateway.database, gateway.two.clinic.id, "cus_1")
        assert await closed(socket) == 4403


async def test_a_connection_outlives_settings_that_are_not_its_own(gateway: Gateway) -> None:
    """The tenant's name, or the end of its customers' sessions, is nothing to a partner's connection."""
    async with talking(gateway) as socket:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        await end_sessions(gateway.database, gateway.two.clinic.id, None)
        gateway.two.clinic.name = "Renamed"
        await save_tenant(gateway.database, gateway.two.clinic)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.wait_closed(), 3 * STILL_ALLOWED_EVERY)
        gateway.two.clinic.features = []
        await save_tenant(gateway.database, gateway.two.clinic)
        assert await closed(socket) == 4403  # that changes what it may do


async def test_there_are_only_so_many_live_operations(gateway: Gateway) -> None:
    settings = gateway.runtime.settings.model_copy(update={"graphql_live_per_token": 1})
    object.__setattr__(gateway.runtime, "settings", settings)
    async with talking(gateway) as socket, talking(gateway) as other:
        await say(socket, id="1", type="subscribe", payload={"query": LIVE})
        number = asyncio.create_task(_told(socket))
        while not number.done():
            await gateway.change()
            await asyncio.sleep(0.02)
        await say(other, id="1", type="subscribe", payload={"query": LIVE})
        refused = await hear(other)
        assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_LIVE"


async def test_server_sent_events_tell_a_change_and_end_with_the_token(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key}", "accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("POST", f"{gateway.address}/graphql", json={"query": LIVE}, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        told = asyncio.ensure_future(anext(lines))
        while not told.done():
            number = await gateway.change()
            await asyncio.sleep(0.05)
        assert await told == "event: next"
        assert (
            int(json.loads((await anext(lines)).removeprefix("data: "))["data"]["billingChanged"]["revision"]) <= number
        )
        await revoke_key(gateway.database, gateway.key.split("_")[2])
        rest = [line async for line in lines]
        assert "event: complete" in rest
        assert any("TOKEN_EXPIRED" in line for line in rest)


async def test_a_query_over_events_is_one_answer(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key}", "accept": "text/event-stream"}
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{gateway.address}/graphql", json={"query": WHO}, headers=headers)
    events = [line for line in answer.text.splitlines() if line.startswith("event: ")]
    assert events == ["event: next", "event: complete"]


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_the_customary_clients_hear_three_changes(gateway: Gateway, kind: str) -> None:
    url = gateway.socket if kind == "ws" else f"{gateway.address}/graphql"
    process = await node.start("live.mjs", kind, url, gateway.key, "3")
    assert process.stdout is not None
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            heard.append(json.loads(line))

    listening = asyncio.create_task(listen())
    while sum(one["event"] == "next" for one in heard) < 3 and process.returncode is None:
        await gateway.change()
        await asyncio.sleep(0.1)
    await asyncio.wait_for(process.wait(), 30)
    await listening
    events = [one["event"] for one in heard]
    assert events.count("next") == 3, heard
    answer = next(one for one in heard if one["event"] == "answer")
    assert answer["viewer"]["data"]["viewer"]["tenant"]["slug"] == "clinic"
    revisions_told = [
        int(one["value"]["data"]["billingChanged"]["revision"]) for one in heard if one["event"] == "next"
    ]
    assert revisions_told == sorted(set(revisions_told))
