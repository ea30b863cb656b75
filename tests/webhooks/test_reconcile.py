"""Whatever events were lost, one reconcile makes the mirror what Stripe's lists say, and tells what differed."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from billing.pressure import Limits
from storage.binding import bind_tenant
from storage.database import Database
from tests.support.stripe_account import Account, account_running
from webhooks import jobs
from webhooks.jobs import JobKind, Jobs
from webhooks.reconcile import Report, Sweep


@pytest.fixture
async def account(opened: Database) -> AsyncIterator[Account]:
    """Its events reach nobody: there is no webhook endpoint."""
    async with account_running(opened, limits=Limits(background_per_second=1000)) as running:
        yield running


async def _job(account: Account, kind: JobKind = JobKind.RECONCILE) -> dict[str, Any]:
    """Run one job as the worker does; its report."""
    work = Jobs(account.database, account.stripe, livemode=False)
    assert await jobs.request(account.database.system, account.tenant.id, kind)
    assert await work.work_once()
    rows = await account.database.system.execute_query_dict(
        "select state, error, report from jobs where kind = $1 order by id desc", [str(kind)]
    )
    assert (rows[0]["state"], rows[0]["error"]) == ("done", None)
    report: dict[str, Any] = orjson.loads(rows[0]["report"])
    return report


async def _live(account: Account, customers: int) -> list[str]:
    """Some of everything, and more customers than a page holds; ids of the subscriptions."""
    product = await account.ask("POST", "/v1/products", name="Plan")
    price = await account.ask(
        "POST",
        "/v1/prices",
        product=product["id"],
        currency="usd",
        unit_amount=1900,
        **{"recurring[interval]": "month"},
    )
    for number in range(3):
        await account.ask("POST", "/v1/coupons", id=f"OFF{number}", percent_off=10 + number, duration="once")
    made = [await account.ask("POST", "/v1/customers", name=f"C{number}") for number in range(customers)]
    subscriptions = []
    for one in made[:6]:
        card = await account.ask("POST", "/v1/payment_methods/pm_card_visa/attach", customer=one["id"])
        given = {"items[0][price]": price["id"], "default_payment_method": card["id"]}
        subscription = await account.ask("POST", "/v1/subscriptions", customer=one["id"], **given)
        subscriptions.append(subscription["id"])
    await account.ask(
        "POST",
        "/v1/checkout/sessions",
        mode="subscription",
        success_url="https://example.com/done",
        **{"line_items[0][price]": price["id"], "line_items[0][quantity]": "1"},
    )
    return subscriptions


async def test_a_backfill_fills_an_empty_mirror_page_by_page(account: Account) -> None:
    await _live(account, 130)
    report = await _job(account, JobKind.BACKFILL)
    assert await account.differences() == []
    assert report["seen"]["customer"] == 130
    assert report["differing"]["customer.missing"] == 130
    again = await _job(account)
    assert again["differing"] == {}


async def test_what_no_event_told_of_is_found_and_named(account: Account) -> None:
    """Updated, cancelled, deleted and made anew behind the gateway's back, as after 31 days without webhooks."""
    subscriptions = await _live(account, 12)
    await _job(account, JobKind.BACKFILL)
    customers = await account.all("/v1/customers")
    changed, gone = customers[0]["id"], customers[1]["id"]
    await account.ask("POST", f"/v1/customers/{changed}", name="Renamed")
    await account.ask("DELETE", f"/v1/customers/{gone}")
    await account.ask("DELETE", f"/v1/subscriptions/{subscriptions[0]}")
    await account.ask("POST", f"/v1/subscriptions/{subscriptions[1]}", cancel_at_period_end="true")
    await account.ask("DELETE", "/v1/coupons/OFF0")
    await account.ask("POST", "/v1/coupons", id="OFF1b", percent_off=5, duration="forever")
    (method,) = await account.all("/v1/payment_methods", customer=customers[-1]["id"])
    await account.ask("POST", f"/v1/payment_methods/{method['id']}/detach")
    await account.database.system.execute_query(_YESTERDAY.format("customers"))
    report = await _job(account)
    assert await account.differences() == []
    told = {(one["object"], one["id"], one["kind"]): one["fields"] for one in report["differences"]}
    assert told["customer", changed, "changed"] == ["name"]
    assert ("customer", gone, "gone") in told
    assert "status" in told["subscription", subscriptions[0], "changed"]
    assert ("coupon", "OFF0", "gone") in told
    assert ("coupon", "OFF1b", "missing") in told
    assert ("payment_method", method["id"], "changed") in told  # it is still there, and nobody's
    kinds = Counter(name for _, _, name in told)
    assert kinds["missing"] >= 1
    assert (await _job(account))["differing"] == {}


# The tombstones' rows look as they did before: what a mirror has that heard nothing.
_YESTERDAY = "update {0} set stamp = stamp - interval '1 day'"


async def test_a_coupons_id_that_was_taken_again_is_the_new_coupon(account: Account) -> None:
    await account.ask("POST", "/v1/coupons", id="SPRING", percent_off=10, duration="once")
    await _job(account)
    await account.ask("DELETE", "/v1/coupons/SPRING")
    await _job(account)
    rows = await account.database.system.execute_query_dict("select deleted, percent_off from coupons")
    assert [row["deleted"] for row in rows] == [True]
    await account.ask("POST", "/v1/coupons", id="SPRING", percent_off=25, duration="once")
    await _job(account)
    rows = await account.database.system.execute_query_dict("select deleted, percent_off from coupons")
    assert [(row["deleted"], int(row["percent_off"])) for row in rows] == [(False, 25)]


@pytest.mark.parametrize("lines", [1, 10, 11, 100, 101, 1000])
async def test_an_invoice_is_whole_however_many_lines_it_has(
    account: Account, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.invoicing.lines.MAX_LINES", 1_000)  # Stripe lets a person add 250
    customer = await account.ask("POST", "/v1/customers", name="Long")
    for number in range(lines):
        item = {"amount": 100 + number, "currency": "usd", "description": f"L{number}"}
        await account.ask("POST", "/v1/invoiceitems", customer=customer["id"], **item)
    whole = {"pending_invoice_items_behavior": "include", "auto_advance": "false"}
    await account.ask("POST", "/v1/invoices", customer=customer["id"], **whole)
    await _job(account)
    (row,) = await account.database.system.execute_query_dict(
        "select i.total, (select count(*) from invoice_lines l where l.parent_id = i.stripe_id) as lines,"
        " (select sum(amount) from invoice_lines l where l.parent_id = i.stripe_id) as amount from invoices i"
    )
    assert (row["lines"], row["amount"]) == (lines, row["total"])
    assert row["total"] == sum(100 + n for n in range(lines))
    assert (await _job(account))["differing"] == {}


async def test_a_sample_that_finds_something_asks_for_a_reconcile(account: Account) -> None:
    await account.ask("POST", "/v1/customers", name="A")
    assert (await _job(account, JobKind.SAMPLE))["differing"] == {"customer.missing": 1, "account.missing": 1}
    rows = await account.database.system.execute_query_dict("select kind, state from jobs order by id")
    assert [(row["kind"], row["state"]) for row in rows] == [("sample", "done"), ("reconcile", "waiting")]


async def test_a_sweep_that_was_cut_off_goes_on_where_it_was(account: Account) -> None:
    for number in range(130):
        await account.ask("POST", "/v1/customers", name=f"C{number}")
    saved: list[Any] = []

    async def save(cursor: Any, report: Any) -> None:
        saved.append(orjson.loads(orjson.dumps([cursor, report.as_json()])))
        if cursor.get("customer", {}).get("after") and len(saved) >= 2:
            raise ConnectionError

    with bind_tenant(account.tenant.id):
        with pytest.raises(BaseExceptionGroup):
            await Sweep(account.database, account.way, save).run()
        before = await account.requests()
        cursor, report = saved[-1]

        async def keep(_cursor: Any, _report: Any) -> None:
            return None

        found = await Sweep(account.database, account.way, keep, cursor, Report.of(report)).run()
    assert found.seen["customer"] == 130
    assert await account.differences() == []
    assert before > 0


async def test_the_schedule_asks_for_each_job_once_and_none_for_who_is_not_connected(account: Account) -> None:
    database = account.database.system
    for _ in range(3):
        await jobs.schedule(database)
    rows = await database.execute_query_dict("select kind from jobs where tenant_id = $1", [account.tenant.id])
    assert [row["kind"] for row in rows] == ["backfill"]
    await database.execute_query("update jobs set state = 'done', created = now() - interval '5 minutes'")
    await jobs.schedule(database)
    rows = await database.execute_query_dict("select kind from jobs order by id")
    assert [row["kind"] for row in rows] == ["backfill", "sample"]
    await database.execute_query("update jobs set state = 'done', created = now() - interval '2 days'")
    await jobs.schedule(database)
    rows = await database.execute_query_dict("select kind from jobs order by id")
    assert [row["kind"] for row in rows] == ["backfill", "sample", "reconcile"]
    await database.execute_query("update jobs set state = 'done', created = now() - interval '2 days'")
    await database.execute_query("update tenants set status = 'disconnected'")
    await jobs.schedule(database)
    assert len(await database.execute_query_dict("select 1 from jobs")) == 3
