"""The worker settles every event: what can't be handled is set aside, and holds up nobody."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from billing.stripe_client import StripeGateway
from storage.database import Database
from tests.support.events import customer, event
from tests.support.tenants import Two
from webhooks import inbox
from webhooks.process import Worker

POISON = {"id": "price_1", "object": "price", "created": 1, "livemode": False, "product": "prod_1", "active": True}
POISON |= {"type": "recurring", "currency": "usd", "billing_scheme": "per_unit"}


@pytest.fixture
async def worker(opened: Database) -> AsyncIterator[Worker]:
    """A worker whose Stripe is at an address where nobody listens: these tests read nothing again."""
    stripe = StripeGateway(api_key="sk_test_nobody", base="http://127.0.0.1:1", timeout=1.0)
    yield Worker(opened, stripe, livemode=False)
    await stripe.close()


async def _keep(database: Database, *events: bytes) -> None:
    for each in events:
        assert await inbox.insert(database.system, [inbox.Delivery.parse(each)])


async def _rows(database: Database) -> dict[str, dict[str, Any]]:
    rows = await database.system.execute_query_dict("select * from inbox order by id")
    return {row["event_id"]: row for row in rows}


async def _names(database: Database) -> list[tuple[int, str, str]]:
    rows = await database.system.execute_query_dict("select tenant_id, stripe_id, name from customers order by 1, 2")
    return [(row["tenant_id"], row["stripe_id"], row["name"]) for row in rows]


async def test_each_event_reaches_the_tenant_of_its_account(opened: Database, two: Two, worker: Worker) -> None:
    await _keep(
        opened,
        event("evt_1", customer(name="patient")),
        event("evt_2", customer(name="student"), account="acct_school"),
    )
    assert await worker.work_once() == 2
    assert await _names(opened) == [(two.clinic.id, "cus_1", "patient"), (two.school.id, "cus_1", "student")]
    assert {(row["state"], row["outcome"]) for row in (await _rows(opened)).values()} == {("done", "applied")}
    assert await worker.work_once() == 0


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (event("evt_1", customer(), account="acct_nobody"), "unknown_account"),
        (event("evt_1", customer(), account=None), "unknown_account"),
        (event("evt_1", customer(), livemode=True), "other_mode"),
        (event("evt_1", {"id": "x_1", "object": "thing.of.tomorrow"}), "unhandled_type"),
        (event("evt_1", {}), "unhandled_type"),
        (event("evt_1", {"id": "upcoming_in_1", "object": "invoice"}, type="invoice.upcoming"), "unhandled_type"),
        (event("evt_1", {"object": "invoice"}, type="invoice.upcoming"), "unhandled_type"),
    ],
)
async def test_what_is_not_ours_is_settled_with_a_word_and_changes_nothing(
    opened: Database, worker: Worker, told: bytes, outcome: str
) -> None:
    await _keep(opened, told)
    await worker.work_once()
    row = (await _rows(opened))["evt_1"]
    assert (row["state"], row["outcome"], row["error"]) == ("done", outcome, None)
    assert row["settled"] is not None
    assert await _names(opened) == []


async def test_events_of_one_object_are_applied_in_order_and_an_older_one_is_stale(
    opened: Database, two: Two, worker: Worker
) -> None:
    await _keep(
        opened,
        event("evt_1", customer(name="newer"), created=2_000_000_010),
        event("evt_2", customer(name="old"), created=2_000_000_000),
    )
    await worker.work_once()
    await _keep(opened, event("evt_3", customer(name="older"), created=1_999_999_999))
    await worker.work_once()
    assert [row["outcome"] for row in (await _rows(opened)).values()] == ["applied", "applied", "stale"]
    assert await _names(opened) == [(two.clinic.id, "cus_1", "newer")]


async def test_a_deletion_leaves_a_tombstone(opened: Database, two: Two, worker: Worker) -> None:
    await _keep(opened, event("evt_1", customer(), type="customer.deleted"))
    await worker.work_once()
    assert await opened.system.execute_query_dict("select deleted from customers") == [{"deleted": True}]


BAD = {
    "a number that is none": POISON | {"unit_amount_decimal": "many"},
    "a missing field": {"id": "price_1", "object": "price"},
    "a wrong type": POISON | {"recurring": "monthly"},
    "a number too large": POISON | {"unit_amount": 2**63},
    "a character that PostgreSQL refuses": POISON | {"nickname": "a\0b"},
    "a time that never comes": customer("cus_bad", created=10**17),
    "an object as an id": customer({"a": 1}),  # type: ignore[arg-type]  # that is the point
    "a list for a mapping": POISON | {"product": ["prod_1"]},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_poisoned_event_delays_no_other(
    opened: Database, two: Two, worker: Worker, bad: dict[str, Any]
) -> None:
    await _keep(
        opened,
        event("evt_before", customer("cus_before")),
        event("evt_poison", bad),
        event("evt_after", customer("cus_after")),
    )
    await worker.work_once()
    rows = await _rows(opened)
    assert [rows[id_]["state"] for id_ in ("evt_before", "evt_after")] == ["done", "done"]
    assert [id_ for _, id_, _ in await _names(opened) if id_ in {"cus_before", "cus_after"}] == [
        "cus_after",
        "cus_before",
    ]
    if rows["evt_poison"]["state"] != "done":
        assert (rows["evt_poison"]["state"], rows["evt_poison"]["attempts"]) == ("waiting", 1)
        assert rows["evt_poison"]["error"].isidentifier()


@pytest.mark.usefixtures("two")
async def test_a_poisoned_event_is_dead_in_the_end(opened: Database, worker: Worker) -> None:
    await _keep(opened, event("evt_1", POISON | {"unit_amount": "many"}))
    for attempt in range(1, inbox.MAX_ATTEMPTS + 1):
        await opened.system.execute_query("update inbox set due = now()")
        assert await worker.work_once() == 1
        row = (await _rows(opened))["evt_1"]
        assert (row["attempts"], row["state"]) == (attempt, "dead" if attempt == inbox.MAX_ATTEMPTS else "waiting")
    await opened.system.execute_query("update inbox set due = now()")
    assert await worker.work_once() == 0


async def test_each_attempt_waits_twice_as_long_up_to_ten_minutes(opened: Database) -> None:
    await _keep(opened, event("evt_1", customer()))
    waits: list[int] = []
    async with opened.system_transaction() as connection:
        (taken,) = await inbox.Lanes().take(connection, limit=1)
    for attempts in range(12):
        async with opened.system_transaction() as connection:  # in which `now()` stands still
            await inbox.postpone(connection, replace(taken, attempts=attempts), "SomeError")
            rows = await connection.execute_query_dict("select extract(epoch from due - now())::int as s from inbox")
        waits.append(rows[0]["s"])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


async def test_an_event_that_another_worker_holds_is_left_alone_until_its_lease_ends(
    opened: Database, two: Two, worker: Worker
) -> None:
    await _keep(opened, event("evt_1", customer()))
    other = await asyncpg.connect(**opened.system_url.credentials())
    async with other.transaction():
        taken = await other.fetchval("select id from inbox for update")
        assert await worker.work_once() == 0
    await other.close()
    await inbox.lease(opened.system, [taken])
    await _keep(opened, event("evt_2", customer(name="Grace"), created=1_793_491_300))
    assert await worker.work_once() == 0  # the same object's
    await _keep(opened, event("evt_3", customer("cus_2")))
    assert await worker.work_once() == 1
    await opened.system.execute_query("update inbox set leased_until = now(), due = now() where state = 'waiting'")
    assert await worker.work_once() == 2
    assert await _names(opened) == [(two.clinic.id, "cus_1", "Grace"), (two.clinic.id, "cus_2", "Ada")]


async def test_an_event_that_was_applied_but_not_settled_changes_nothing_again(
    opened: Database, two: Two, worker: Worker
) -> None:
    await _keep(opened, event("evt_1", customer()), event("evt_2", customer("cus_2"), type="customer.deleted"))
    for _ in range(2):
        await worker.work_once()
        await opened.system.execute_query("update inbox set state = 'waiting', due = now()")
    assert await opened.system.execute_query_dict("select count(*) as n from changes") == [{"n": 2}]
