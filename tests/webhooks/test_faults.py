"""What goes wrong between Stripe and us, one test for each: the mirror ends as Stripe has it, and nothing is lost."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest
import stripe

from billing.errors import BillingError, Code
from billing.mirroring import apply_as_tenant
from billing.pressure import Limits
from mirror.order import Decision
from storage.binding import bind_tenant
from storage.database import Database
from tests.support.events import customer, event
from tests.support.stripe_account import ACCOUNT, Account, account_running
from tests.support.tenants import new_tenant
from webhooks import inbox
from webhooks.inbox import Delivery
from webhooks.process import Worker

# `make soak` repeats 10,000
OLD_EVENTS = int(os.environ.get("OLD_EVENTS", "80"))


@pytest.fixture
async def account(opened: Database) -> AsyncIterator[Account]:
    async with account_running(opened, limits=Limits(background_per_second=1000, opens_after=3)) as running:
        yield running


@pytest.fixture
def worker(account: Account) -> Worker:
    return Worker(account.database, account.stripe, livemode=False)


async def _deliver(account: Account, *payloads: bytes) -> None:
    await inbox.insert(account.database.system, [Delivery.parse(each) for each in payloads])


async def _work(worker: Worker) -> None:
    while await worker.work_once():
        await worker.rereads.finished()


async def _told(account: Account, kind: str | None = None) -> list[bytes]:
    """The events of the account, or those of one type, as Stripe would deliver them."""
    asked = {"type": kind} if kind else {}
    return [orjson.dumps(one | {"account": account.id}) for one in await account.all("/v1/events", **asked)]


async def _outcomes(account: Account) -> dict[str, str | None]:
    rows = await account.database.system.execute_query_dict("select event_id, coalesce(outcome, state) as o from inbox")
    return {row["event_id"]: row["o"] for row in rows}


async def _mirrored(account: Account, table: str = "customers") -> list[dict[str, Any]]:
    return await account.database.system.execute_query_dict(f"select * from {table} order by stripe_id")


async def test_an_answer_that_stripe_repeats_is_not_taken_for_the_present(account: Account) -> None:
    async def create() -> Any:
        return await account.stripe.call(
            account.id, lambda v1, options: v1.customers.create_async({"name": "old"}, options), idempotency_key="k"
        )

    first = await create()
    await account.ask("POST", f"/v1/customers/{first.body['id']}", name="new")
    again = await create()
    assert (again.body["name"], again.replayed, first.replayed) == ("old", True, False)
    with bind_tenant(account.tenant.id):
        _, decisions = await account.way.settle(account.way.arrival(again), partial(apply_as_tenant, account.database))
    assert decisions == [Decision.REREAD, Decision.APPLIED]
    assert [row["name"] for row in await _mirrored(account)] == ["new"]


async def test_an_object_that_is_gone_when_it_is_read_again_leaves_a_tombstone(
    account: Account, worker: Worker
) -> None:
    await account.ask("POST", "/v1/coupons", id="SPRING", percent_off=10, duration="once")
    await account.ask("DELETE", "/v1/coupons/SPRING")
    (made,), (gone,) = await _told(account, "coupon.created"), await _told(account, "coupon.deleted")
    await _deliver(account, gone)
    await _work(worker)
    late = orjson.loads(made) | {"id": "evt_late", "created": orjson.loads(gone)["created"] + 60}
    await _deliver(account, made, orjson.dumps(late))
    await _work(worker)
    assert (await _outcomes(account))["evt_late"] == "reread"
    assert [row["deleted"] for row in await _mirrored(account, "coupons")] == [True]


@pytest.mark.parametrize("version", ["2024-06-20", "2025-03-31.basil", "2026-10-28.endive"])
async def test_each_version_of_the_api_ends_in_the_same_rows(account: Account, worker: Worker, version: str) -> None:
    product = await account.ask("POST", "/v1/products", name="Plan")
    recurring = {"recurring[interval]": "month"}
    price = await account.ask(
        "POST", "/v1/prices", product=product["id"], currency="usd", unit_amount=1900, **recurring
    )
    owner = await account.ask("POST", "/v1/customers", name="A")
    card = await account.ask("POST", "/v1/payment_methods/pm_card_visa/attach", customer=owner["id"])
    await account.control("POST", "chaos", api_versions={account.id: version})
    given = {"items[0][price]": price["id"], "default_payment_method": card["id"]}
    await account.ask("POST", "/v1/subscriptions", customer=owner["id"], **given)
    told = await _told(account)
    assert {orjson.loads(one)["api_version"] for one in told} == {version, "2026-10-28.endive"}
    await _deliver(account, *told)
    await _work(worker)
    assert await account.differences() == []
    (subscription,) = await _mirrored(account, "subscriptions")
    assert subscription["current_period_end"] > subscription["current_period_start"]


async def test_old_events_again_change_nothing(account: Account, worker: Worker) -> None:
    for number in range(OLD_EVENTS // 2):
        made = await account.ask("POST", "/v1/customers", name=f"C{number}")
        await account.ask("POST", f"/v1/customers/{made['id']}", name=f"D{number}")
    told = await _told(account)
    await _deliver(account, *told)
    await _work(worker)
    before = [(row["stripe_id"], row["data"], row["deleted"]) for row in await _mirrored(account)]
    changes = await account.database.system.execute_query_dict("select count(*) as n from changes")
    again = [orjson.dumps(orjson.loads(one) | {"id": f"evt_again_{n}"}) for n, one in enumerate(told)]
    await _deliver(account, *again)
    await _work(worker)
    assert [(row["stripe_id"], row["data"], row["deleted"]) for row in await _mirrored(account)] == before
    assert await account.database.system.execute_query_dict("select count(*) as n from changes") == changes
    assert await account.differences() == []


async def test_events_of_an_account_wait_for_its_tenant(account: Account, worker: Worker) -> None:
    await _deliver(account, event("evt_1", customer(), account="acct_later"))
    await _work(worker)
    assert await _outcomes(account) == {"evt_1": "unknown_account"}
    later = await new_tenant(account.database, "later")
    await _work(worker)
    assert [(row["tenant_id"], row["stripe_id"]) for row in await _mirrored(account)] == [(later.id, "cus_1")]


async def test_a_deauthorised_account_is_disconnected_and_checked_when_it_comes_back(
    account: Account, worker: Worker
) -> None:
    system = account.database.system

    def said(word: str, second: int) -> bytes:
        told = {"id": "ca_1", "object": "application", "name": "gateway"}
        kind = f"account.application.{word}"
        return event(f"evt_{word}_{second}", told, account=account.id, type=kind, created=1_793_491_200 + second)

    async def status() -> Any:
        return (await system.execute_query_dict("select status from tenants"))[0]["status"]

    await _deliver(account, said("deauthorized", 10))
    await _work(worker)
    assert await status() == "disconnected"
    await _deliver(account, said("authorized", 5))
    await _work(worker)
    assert await status() == "disconnected"
    assert await system.execute_query_dict("select kind from jobs") == []
    await _deliver(account, said("authorized", 20))
    await _work(worker)
    assert await status() == "active"
    assert await system.execute_query_dict("select kind from jobs") == [{"kind": "reconcile"}]


async def test_while_stripe_is_away_events_wait_without_counting_and_calls_fall_to_a_probe(
    account: Account, worker: Worker
) -> None:
    made = await account.ask("POST", "/v1/customers", name="A", **{"metadata[a]": "b"})
    (told,) = await _told(account, "customer.created")
    doubtful = orjson.loads(told) | {"api_version": "2020-08-27"}
    fault = {"match": {"account": account.id}, "effect": "status", "status": 503, "times": 1_000_000}
    await account.control("POST", "faults", **fault)
    for number in range(20):
        await _deliver(account, orjson.dumps(doubtful | {"id": f"evt_{number}"}))
        await _work(worker)
    rows = await account.database.system.execute_query_dict("select state, attempts from inbox")
    assert rows == [{"state": "waiting", "attempts": 0}] * 20
    with pytest.raises(BillingError) as caught:
        await account.stripe.call(account.id, lambda v1, options: v1.customers.list_async({}, options))
    assert caught.value.code is Code.STRIPE_UNAVAILABLE
    pressure = account.stripe.pressure
    now = pressure.clock()
    pressure.clock = lambda: now  # it stands still: no second passes, so no probe is due
    pressure._lanes[account.id].probe_at = now + 1
    before = await account.requests()
    for _ in range(50):
        with pytest.raises(BillingError):
            await account.stripe.call(account.id, lambda v1, options: v1.customers.list_async({}, options))
    assert await account.requests() == before
    pressure._lanes[account.id].probe_at = now
    await account.control("DELETE", "faults")
    await account.database.system.execute_query("update inbox set due = now()")
    await _work(worker)
    assert [row["stripe_id"] for row in await _mirrored(account)] == [made["id"]]
    assert set((await _outcomes(account)).values()) <= {"reread", "same", "stale"}


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK repeats its requests at once instead of after half a second."""
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.001)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.001)


async def test_many_objects_in_doubt_are_read_by_pages_of_their_list(account: Account, worker: Worker) -> None:
    made = [await account.ask("POST", "/v1/customers", name=f"C{number}") for number in range(120)]
    gone = made.pop()
    await account.ask("DELETE", f"/v1/customers/{gone['id']}")
    told = [orjson.loads(one) | {"api_version": "2024-06-20"} for one in await _told(account, "customer.created")]
    await _deliver(account, *map(orjson.dumps, told))
    before = await account.requests()
    await _work(worker)
    assert await account.requests() - before <= 6  # the pages, the deleted one, and this question
    assert await account.differences() == []
    rows = await account.database.system.execute_query_dict("select outcome, count(*) as n from inbox group by 1")
    assert rows == [{"outcome": "reread", "n": 120}]
    assert [row["stripe_id"] for row in await _mirrored(account) if row["deleted"]] == [gone["id"]]
    # a late event does not bring it to life
    late = orjson.dumps(told[0] | {"id": "evt_late", "api_version": "2026-10-28.endive", "data": {"object": gone}})
    await _deliver(account, late)
    await _work(worker)
    assert [row["stripe_id"] for row in await _mirrored(account) if row["deleted"]] == [gone["id"]]


@pytest.mark.usefixtures("_hasty")
async def test_slow_answers_and_saved_failures_of_one_account_end_right(account: Account, worker: Worker) -> None:
    """429 and 500 in half of all answers: every event is settled in the end, and none counts as poisoned."""
    for number in range(30):
        made = await account.ask("POST", "/v1/customers", name=f"C{number}")
        await account.ask("POST", f"/v1/customers/{made['id']}", name=f"D{number}")
    told = [orjson.loads(one) | {"api_version": "2024-06-20"} for one in await _told(account)]
    for status in (429, 500):
        fault = {"match": {"account": account.id, "method": "GET"}, "effect": "status", "status": status}
        await account.control("POST", "faults", **fault, share=0.25, times=1_000_000)
    await _deliver(account, *map(orjson.dumps, told))
    system = account.database.system
    for _ in range(60):
        await _work(worker)
        left = await system.execute_query_dict("select attempts from inbox where state = 'waiting'")
        if not left:
            break
        await system.execute_query("update inbox set due = now() where state = 'waiting'")
        for lane in account.stripe.pressure._lanes.values():
            lane.next_background = lane.probe_at = 0.0
    await account.control("DELETE", "faults")
    assert await system.execute_query_dict("select distinct state, attempts from inbox") == [
        {"state": "done", "attempts": 0}
    ]
    assert await account.differences() == []


@pytest.mark.usefixtures("_hasty")
async def test_two_hours_without_stripe_lose_nothing_and_ask_little(account: Account, worker: Worker) -> None:
    """Two hours pass by moving what is due, a minute at a time; every probe fails, none kills an event."""
    made = await account.ask("POST", "/v1/customers", name="A")
    (told,) = await _told(account, "customer.created")
    doubtful = orjson.loads(told) | {"api_version": "2020-08-27"}
    fault = {"match": {"account": account.id}, "effect": "status", "status": 503, "times": 1_000_000}
    await account.control("POST", "faults", **fault)
    await _deliver(account, *(orjson.dumps(doubtful | {"id": f"evt_{number}"}) for number in range(5)))
    clock, system = account.stripe.pressure.clock(), account.database.system
    rounds = 2 * 60
    before = await account.requests()
    for step in range(rounds):
        account.stripe.pressure.clock = partial(float, clock + step * 60)
        await _work(worker)
        await system.execute_query("update inbox set due = now() where state = 'waiting'")
    asked = await account.requests() - before
    assert asked <= rounds * 3  # a probe each time, and the SDK's own repetitions of it
    rows = await system.execute_query_dict("select distinct state, attempts from inbox")
    assert rows == [{"state": "waiting", "attempts": 0}]
    await account.control("DELETE", "faults")
    account.stripe.pressure.clock = partial(float, clock + rounds * 60)
    await _work(worker)
    assert [row["stripe_id"] for row in await _mirrored(account)] == [made["id"]]
    assert await system.execute_query_dict("select distinct state from inbox") == [{"state": "done"}]


@pytest.mark.parametrize("currency", ["jpy", "krw", "kwd", "bhd", "ugx", "isk", "huf", "usd"])
async def test_amounts_of_every_kind_of_currency_are_the_same_integers(
    account: Account, worker: Worker, currency: str
) -> None:
    product = await account.ask("POST", "/v1/products", name="Plan")
    recurring = {"recurring[interval]": "month"}
    price = await account.ask(
        "POST", "/v1/prices", product=product["id"], currency=currency, unit_amount=129_900, **recurring
    )
    owner = await account.ask("POST", "/v1/customers", name="A")
    card = await account.ask("POST", "/v1/payment_methods/pm_card_visa/attach", customer=owner["id"])
    given = {"items[0][price]": price["id"], "default_payment_method": card["id"]}
    await account.ask("POST", "/v1/subscriptions", customer=owner["id"], **given)
    await _deliver(account, *await _told(account))
    await _work(worker)
    assert await account.differences() == []
    (invoice,) = await _mirrored(account, "invoices")
    assert (invoice["currency"], invoice["total"], invoice["amount_paid"]) == (currency, 129_900, 129_900)
    (mirrored,) = await _mirrored(account, "prices")
    assert (mirrored["unit_amount"], mirrored["currency"]) == (129_900, currency)


async def test_a_slow_account_holds_up_no_other(account: Account, worker: Worker) -> None:
    """Every read of one account takes seconds: another tenant's events in doubt are all settled before its first."""
    made = await account.http.post("/v1/accounts", data=ACCOUNT)
    other = await new_tenant(account.database, "school", account_id=made.json()["id"])
    quick = replace(account, tenant=other)
    for number in range(6):
        for one in (account, quick):
            await one.ask("POST", "/v1/customers", name=f"C{number}")
    told = [orjson.loads(each) for one in (account, quick) for each in await _told(one, "customer.created")]
    slow = {"match": {"account": account.id, "method": "GET"}, "effect": "slow", "seconds": 5, "times": 1_000}
    await account.control("POST", "faults", **slow)
    await _deliver(account, *(orjson.dumps(each | {"api_version": "2024-06-20"}) for each in told))
    await _work(worker)
    rows = await account.database.system.execute_query_dict("select account, outcome from inbox order by settled")
    assert [row["account"] for row in rows] == [quick.id] * 6 + [account.id] * 6
    assert {row["outcome"] for row in rows} == {"reread"}
    rows = await account.database.system.execute_query_dict("select tenant_id, count(*) as n from customers group by 1")
    assert {row["tenant_id"]: row["n"] for row in rows} == {account.tenant.id: 6, other.id: 6}
