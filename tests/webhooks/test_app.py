"""The sidecar over HTTP: 200 after the event is kept, and otherwise nothing is kept and the answer says why."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from starlette.applications import Starlette

from gateway.models import MODELS
from storage.database import Database, DatabaseUrl, PoolLimits, open_database
from storage.embedded import EmbeddedPostgres
from tests.support.databases import as_system, migrate_template
from tests.support.events import SECRET, customer, event, signature
from webhooks import app as webhooks_app


@pytest.fixture
async def stripe(opened: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Stripe's side of the connection."""
    async with _sidecar(opened) as client:
        yield client


@asynccontextmanager
async def _sidecar(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield

    app = webhooks_app.create(lifespan, [])
    app.state.database = database
    app.state.webhook_secrets = ("whsec_other", SECRET)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sidecar") as client:
        yield client


async def _deliver(stripe: httpx.AsyncClient, body: bytes, header: str | None = "") -> httpx.Response:
    headers = {} if header is None else {"stripe-signature": header or signature(body)}
    return await stripe.post(webhooks_app.PATH, content=body, headers=headers)


async def _kept(database: Database) -> list[dict[str, Any]]:
    return await database.system.execute_query_dict("select * from inbox order by id")


async def test_an_event_is_kept_before_it_is_acknowledged(opened: Database, stripe: httpx.AsyncClient) -> None:
    body = event("evt_1", customer())
    answer = await _deliver(stripe, body)
    assert (answer.status_code, answer.json()) == (200, {"received": True, "duplicate": False})
    (row,) = await _kept(opened)
    assert (row["event_id"], row["account"], row["state"]) == ("evt_1", "acct_clinic", "waiting")
    assert row["payload"].encode() == body


async def test_no_client_secret_is_kept_of_an_event(opened: Database, stripe: httpx.AsyncClient) -> None:
    payment = {"id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_abc", "metadata": {"a": "b"}}
    invoice = {"id": "in_1", "object": "invoice", "confirmation_secret": {"client_secret": "pi_2_secret_abc"}}
    for number, told in enumerate((payment, invoice)):
        body = event(f"evt_{number}", told)
        assert (
            await stripe.post(webhooks_app.PATH, content=body, headers={"stripe-signature": signature(body)})
        ).status_code == 200
    rows = await opened.system.execute_query_dict("select payload from inbox order by id")
    assert not [row for row in rows if "_secret_" in row["payload"]]
    kept = [orjson.loads(row["payload"])["data"]["object"] for row in rows]
    assert kept[0] == payment | {"client_secret": None}
    assert kept[1] == invoice | {"confirmation_secret": {"client_secret": None}}


@pytest.mark.parametrize("header", [None, "nonsense", signature(b"another body"), signature(b"{}", "whsec_wrong")])
async def test_what_is_not_signed_is_refused_and_not_kept(
    opened: Database, stripe: httpx.AsyncClient, header: str | None
) -> None:
    answer = await _deliver(stripe, event("evt_1", customer()), header)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_SIGNATURE")
    assert await _kept(opened) == []


async def test_a_duplicate_is_kept_once_even_when_all_come_at_once(opened: Database, stripe: httpx.AsyncClient) -> None:
    body = event("evt_1", customer())
    answers = await asyncio.gather(*(_deliver(stripe, body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 7
    assert len(await _kept(opened)) == 1


async def test_the_same_id_of_two_accounts_is_two_events(opened: Database, stripe: httpx.AsyncClient) -> None:
    for account in ("acct_clinic", "acct_school"):
        assert (await _deliver(stripe, event("evt_1", customer(), account=account))).status_code == 200
    assert [row["account"] for row in await _kept(opened)] == ["acct_clinic", "acct_school"]


@pytest.mark.parametrize(
    "body",
    [
        event("evt_1", {"id": "x_1", "object": "thing.of.tomorrow"}),
        event("evt_1", {"object": "balance"}),
        event("evt_1", customer(), account="acct_nobody"),
        event("evt_1", customer(), account=None),
        event("evt_1", customer(), livemode=True),
    ],
)
async def test_what_nobody_knows_yet_is_kept_too(opened: Database, stripe: httpx.AsyncClient, body: bytes) -> None:
    assert (await _deliver(stripe, body)).status_code == 200
    assert len(await _kept(opened)) == 1


MALFORMED = [
    b"",
    b"{",
    b"null",
    b"1",
    b"[]",
    b'"x"',
    b"{}",
    event("evt_1", customer(), created="soon"),
    event("evt_1", customer(), created=1e300),
    event("evt_1", customer(), created=10**15),
    event("evt_1", customer(), created=10**17),
    event("evt_1", customer(), created=-(10**12)),
    event("evt_1", customer(), data=None),
    event("evt_1", customer(), data={"object": []}),
    event("evt_\0", customer()),
    event("evt_1", customer(), type="x\0"),
]


@pytest.mark.parametrize("body", MALFORMED)
async def test_what_is_signed_but_no_event_is_refused(opened: Database, stripe: httpx.AsyncClient, body: bytes) -> None:
    answer = await _deliver(stripe, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MALFORMED_EVENT")
    assert await _kept(opened) == []


async def test_a_body_above_the_limit_is_refused_and_one_at_the_limit_is_not(
    opened: Database, stripe: httpx.AsyncClient
) -> None:
    padding = webhooks_app._MAX_BODY - len(event("evt_1", customer(name="")))
    fits = event("evt_1", customer(name="x" * padding))
    assert (await _deliver(stripe, fits)).status_code == 200
    answer = await _deliver(stripe, fits + b" ")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "BODY_TOO_LARGE")
    assert len(await _kept(opened)) == 1


async def test_while_the_database_refuses_stripe_is_told_to_come_again(
    opened: Database, stripe: httpx.AsyncClient, database_url: DatabaseUrl
) -> None:
    owner = await asyncpg.connect(**database_url.credentials())
    body = event("evt_1", customer())
    try:
        await owner.execute("alter table inbox rename to inbox_away")
        answer = await _deliver(stripe, body)
        await owner.execute("alter table inbox_away rename to inbox")
    finally:
        await owner.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await _deliver(stripe, body)).json() == {"received": True, "duplicate": False}


async def test_while_the_database_does_not_answer_stripe_is_not_kept_waiting(
    opened: Database, stripe: httpx.AsyncClient, database_url: DatabaseUrl
) -> None:
    owner = await asyncpg.connect(**database_url.credentials())
    body = event("evt_1", customer())
    try:
        async with owner.transaction():
            await owner.execute("lock table inbox")
            answer = await _deliver(stripe, body)
    finally:
        await owner.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await _deliver(stripe, body)).status_code == 200
    assert len(await _kept(opened)) == 1


@pytest.mark.parametrize(("minutes", "status"), [(-6, 400), (-4, 200), (4, 200), (6, 400)])
async def test_a_clock_may_be_four_minutes_off_and_not_six(
    opened: Database, stripe: httpx.AsyncClient, minutes: int, status: int
) -> None:
    body = event("evt_1", customer())
    answer = await _deliver(stripe, body, signature(body, second=int(time.time()) + minutes * 60))
    assert answer.status_code == status
    assert len(await _kept(opened)) == (status == 200)


async def test_nothing_acknowledged_is_lost_when_the_database_is_cut_and_restarted_under_load() -> None:
    """A durable server of its own, stopped and started again amid deliveries; Stripe repeats what was refused."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    server = EmbeddedPostgres(folder)
    await asyncio.to_thread(server.start)
    try:
        await migrate_template(server)
        url = as_system(DatabaseUrl.parse(server.owner_url()))
        async with open_database(app=url, system=url, models=MODELS, limits=PoolLimits(app=1, system=4)) as database:
            async with _sidecar(database) as client:
                statuses = await _restarted_under_load(server, client)
            rows = await database.system.execute_query_dict("select event_id from inbox")
    finally:
        await asyncio.to_thread(server.stop)
        shutil.rmtree(folder)
    acknowledged = {id_ for id_, told in statuses.items() if told[-1] == 200}
    refused = [status for told in statuses.values() for status in told if status != 200]
    assert acknowledged == set(statuses)
    assert {row["event_id"] for row in rows} == set(statuses)
    assert refused
    assert set(refused) == {503}


async def _restarted_under_load(server: EmbeddedPostgres, client: httpx.AsyncClient) -> dict[str, list[int]]:
    """The statuses that each event was answered with, until it was acknowledged."""
    statuses: dict[str, list[int]] = {}
    done, refused = asyncio.Event(), asyncio.Event()

    async def stripe(lane: int) -> None:
        number = 0
        while not done.is_set() or number < 20:
            id_ = f"evt_{lane}_{number}"
            statuses[id_] = []
            while 200 not in statuses[id_]:
                answer = await _deliver(client, event(id_, customer(f"cus_{id_}")))
                statuses[id_].append(answer.status_code)
                if answer.status_code != 200:
                    assert answer.headers["retry-after"] == "5"
                    refused.set()
                await asyncio.sleep(0.01)
            number += 1

    async with asyncio.TaskGroup() as group:
        for lane in range(8):
            group.create_task(stripe(lane))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.stop)
        await refused.wait()
        await asyncio.to_thread(server.start)
        done.set()
    return statuses


async def test_only_posts_are_taken(stripe: httpx.AsyncClient) -> None:
    assert (await stripe.get(webhooks_app.PATH)).status_code == 405
