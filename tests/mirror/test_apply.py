"""The one door over PostgreSQL: rows, change records and revisions move together, and nothing moves backwards."""

import asyncio
import random
from typing import Any

import pytest

from mirror.apply import Applied, Arrival, apply
from mirror.order import Decision
from mirror.snapshot import Snapshot, Source, from_event, snapshot
from storage import revisions
from storage.binding import bind_tenant
from storage.database import Database
from tests.support.snapshots import at, customer, gone
from tests.support.tenants import Two


async def _apply(database: Database, tenant_id: int, *new: Snapshot, read_epoch: int | None = None) -> Applied:
    """As a request does it: on the application's connection, bound to the tenant."""
    with bind_tenant(tenant_id):
        async with database.app_transaction() as connection:
            return await apply(connection, [Arrival(tenant_id, each, read_epoch) for each in new])


async def _decided(database: Database, tenant_id: int, new: Snapshot, *, read_epoch: int | None = None) -> Decision:
    return (await _apply(database, tenant_id, new, read_epoch=read_epoch)).results[0].decision


async def _row(database: Database, tenant_id: int, table: str = "customers") -> dict[str, Any]:
    (row,) = await database.system.execute_query_dict(f"select * from {table} where tenant_id = $1", [tenant_id])
    return row


async def _changes(database: Database, tenant_id: int) -> list[tuple[str, str | None, str | None]]:
    rows = await database.system.execute_query_dict(
        "select kind, status_before, status_after from changes where tenant_id = $1 order by id", [tenant_id]
    )
    return [(row["kind"], row["status_before"], row["status_after"]) for row in rows]


def _subscription(second: int, status: str, prices: list[str], *, source: Source = Source.EVENT) -> Snapshot:
    data = [{"id": f"si_{price}", "price": price, "quantity": 1} for price in prices]
    body = {"id": "sub_1", "object": "subscription", "created": 1, "livemode": False, "customer": "cus_1"}
    body |= {"status": status, "cancel_at_period_end": False}
    body |= {"items": {"object": "list", "data": data, "has_more": False}}
    return snapshot(body, stamp=at(second), source=source, livemode=False)


async def test_every_change_writes_a_row_and_a_record_with_the_states_before_and_after(
    opened: Database, two: Two
) -> None:
    for second, status in ((10, "incomplete"), (11, "active"), (12, "canceled")):
        assert await _decided(opened, two.clinic.id, _subscription(second, status, ["p"])) is Decision.APPLIED
    assert (await _row(opened, two.clinic.id, "subscriptions"))["status"] == "canceled"
    assert await _changes(opened, two.clinic.id) == [
        ("created", None, "incomplete"),
        ("updated", "incomplete", "active"),
        ("updated", "active", "canceled"),
    ]


async def test_each_applied_change_raises_the_revision_of_its_scopes_only(opened: Database, two: Two) -> None:
    first = await _apply(opened, two.clinic.id, customer(10, "a"))
    second = await _apply(opened, two.clinic.id, customer(11, "b"))
    other = await _apply(opened, two.clinic.id, customer(11, "b", id_="cus_2"))
    assert first.revision is not None
    assert second.revision is not None
    assert other.revision is not None
    assert first.revision < second.revision < other.revision
    mine, theirs = (revisions.customer_scope(id_, livemode=False) for id_ in ("cus_1", "cus_2"))
    scopes = [mine, theirs, revisions.EVERYTHING, revisions.catalog_scope(livemode=False)]
    with bind_tenant(two.clinic.id):
        found = await revisions.current(opened.app, two.clinic.id, scopes)
    assert list(found.values()) == [second.revision, other.revision, other.revision, 0]


def _other(kind: str, id_: str, second: int, **more: Any) -> Snapshot:
    body = {"id": id_, "object": kind, "created": 1, "livemode": False} | more
    return snapshot(body, stamp=at(second), source=Source.EVENT, livemode=False)


def _of(two: Two, *customers: str) -> set[tuple[int, str]]:
    found = {revisions.customer_scope(each, livemode=False) for each in customers}
    return {(two.clinic.id, scope) for scope in {revisions.EVERYTHING, *found}}


async def test_who_loses_an_object_hears_of_it_and_who_gets_it_too(opened: Database, two: Two) -> None:
    seen = []
    for second, whose in ((10, "cus_1"), (11, None), (12, "cus_2"), (13, "cus_3")):
        method = _other("payment_method", "pm_1", second, type="card", customer=whose)
        seen.append((await _apply(opened, two.clinic.id, method)).scopes)
    assert seen == [_of(two, "cus_1"), _of(two, "cus_1"), _of(two, "cus_2"), _of(two, "cus_2", "cus_3")]


async def test_a_tombstone_is_told_to_whose_object_it_was(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, _subscription(10, "active", ["p"]))
    body = {"id": "sub_1", "object": "subscription", "deleted": True}
    end = snapshot(body, stamp=at(11), source=Source.EVENT, livemode=False)
    assert (await _apply(opened, two.clinic.id, end)).scopes == _of(two, "cus_1")
    rows = await opened.system.execute_query_dict("select customer_id from changes order by id")
    assert [row["customer_id"] for row in rows] == ["cus_1", "cus_1"]


async def test_a_payment_of_an_invoice_is_told_to_its_payer(opened: Database, two: Two) -> None:
    paid = {"invoice": "in_1", "status": "paid", "currency": "usd", "amount_paid": 5, "amount_requested": 5}
    early = await _apply(opened, two.clinic.id, _other("invoice_payment", "inpay_1", 10, **paid))
    assert early.scopes == _of(two)  # of whom, nobody knows yet
    amounts = dict.fromkeys(("subtotal", "total", "amount_due", "amount_paid", "amount_remaining", "attempt_count"), 5)
    invoice = _other(
        "invoice", "in_1", 11, customer="cus_1", status="open", currency="usd", lines={"data": []}, **amounts
    )
    assert (await _apply(opened, two.clinic.id, invoice)).scopes == _of(two, "cus_1")
    told = [_other("invoice_payment", name, 12, **paid) for name in ("inpay_2", "inpay_3")]
    assert (await _apply(opened, two.clinic.id, *told)).scopes == _of(two, "cus_1")


async def test_a_price_raises_the_catalogs_revision(opened: Database, two: Two) -> None:
    body = {"id": "price_1", "object": "price", "created": 1, "livemode": False, "product": "prod_1", "active": True}
    body |= {"type": "recurring", "currency": "usd", "billing_scheme": "per_unit", "unit_amount": 900}
    applied = await _apply(opened, two.clinic.id, snapshot(body, stamp=at(1), source=Source.EVENT, livemode=False))
    assert applied.scopes == {(two.clinic.id, "everything"), (two.clinic.id, "test:catalog")}


async def test_a_stale_snapshot_changes_nothing_but_is_counted(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "new"))
    late = await _apply(opened, two.clinic.id, customer(9, "old"))
    assert (late.results[0].decision, late.revision) == (Decision.STALE, None)
    row = await _row(opened, two.clinic.id)
    assert (row["name"], row["stamp"], row["epoch"]) == ("new", at(10), 2)
    assert await _changes(opened, two.clinic.id) == [("created", None, None)]


async def test_the_same_state_raises_the_stamp_with_its_source_and_nothing_else(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "a"))
    again = await _apply(opened, two.clinic.id, customer(12, "a", source=Source.API))
    assert (again.results[0].decision, again.revision) == (Decision.SAME, None)
    row = await _row(opened, two.clinic.id)
    assert (row["stamp"], row["source"], row["epoch"]) == (at(12), "api", 2)
    assert len(await _changes(opened, two.clinic.id)) == 1
    # and so an event between the two clocks is looked into, not thrown away
    assert await _decided(opened, two.clinic.id, customer(11, "b")) is Decision.REREAD


async def test_a_tombstone_keeps_what_was_known_and_is_not_revived_by_a_late_update(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "Ada"))
    assert await _decided(opened, two.clinic.id, gone(12)) is Decision.APPLIED
    assert await _decided(opened, two.clinic.id, customer(11, "late")) is Decision.STALE
    row = await _row(opened, two.clinic.id)
    assert (row["deleted"], row["name"]) == (True, "Ada")


async def test_a_deletion_that_is_told_twice_is_recorded_once(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "Ada"))
    decided = [await _decided(opened, two.clinic.id, gone(12)) for _ in range(2)]
    assert decided == [Decision.APPLIED, Decision.SAME]
    assert await _changes(opened, two.clinic.id) == [("created", None, None), ("deleted", None, None)]


async def test_a_deletion_that_comes_before_its_creation_leaves_a_tombstone(opened: Database, two: Two) -> None:
    told = customer(12, "Ada", deleted=True)  # an event of deletion carries the whole object
    assert await _decided(opened, two.clinic.id, told) is Decision.APPLIED
    assert await _decided(opened, two.clinic.id, customer(10, "Ada")) is Decision.STALE
    assert (await _row(opened, two.clinic.id))["deleted"]


def _coupon(second: int, name: str, *, source: Source = Source.EVENT, **more: Any) -> Snapshot:
    body = {"id": "SPRING", "object": "coupon", "created": 1, "name": name, "valid": True, "duration": "once"} | more
    return snapshot(body, stamp=at(second), source=source, livemode=False)


async def test_a_reused_id_is_revived_by_reading_it_again(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, _coupon(10, "first"), _coupon(12, "first", deleted=True))
    doubted = (await _apply(opened, two.clinic.id, _coupon(20, "second"))).results[0]
    assert doubted.decision is Decision.REREAD
    read = _coupon(21, "second", source=Source.REREAD)
    assert await _decided(opened, two.clinic.id, read, read_epoch=doubted.epoch) is Decision.APPLIED
    row = await _row(opened, two.clinic.id, "coupons")
    assert (row["deleted"], row["name"]) == (False, "second")


async def test_an_id_that_stripe_made_is_never_revived(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "first"), gone(12))
    assert await _decided(opened, two.clinic.id, customer(20, "second")) is Decision.STALE
    row = await _row(opened, two.clinic.id)
    assert (row["deleted"], row["name"]) == (True, "first")


async def test_a_chain_within_a_second_survives_in_the_row(opened: Database, two: Two) -> None:
    """The steps come one by one, each in a transaction of its own, the last one first."""
    for before, after in (("b", "c"), ("a", "b"), ("c", "d")):
        data = {"object": dict(customer(10, after).body), "previous_attributes": {"name": before}}
        told = {"type": "customer.updated", "livemode": False, "created": 1_793_491_210, "data": data}
        await _decided(opened, two.clinic.id, from_event(told, version=""))
    row = await _row(opened, two.clinic.id)
    assert (row["name"], row["epoch"]) == ("d", 3)
    assert [kind for kind, *_ in await _changes(opened, two.clinic.id)] == ["created", "updated"]


async def test_a_re_read_that_another_delivery_overtook_is_not_applied(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "a"))
    doubted = (await _apply(opened, two.clinic.id, customer(10, "b"))).results[0]
    await _apply(opened, two.clinic.id, customer(13, "c"))
    read = customer(11, "b", source=Source.REREAD)
    assert await _decided(opened, two.clinic.id, read, read_epoch=doubted.epoch) is Decision.REREAD
    assert (await _row(opened, two.clinic.id))["name"] == "c"


async def test_parts_are_replaced_with_their_parent(opened: Database, two: Two) -> None:
    async def items() -> list[tuple[str, int]]:
        rows = await opened.system.execute_query_dict("select stripe_id, position from subscription_items order by 2")
        return [(row["stripe_id"], row["position"]) for row in rows]

    await _apply(opened, two.clinic.id, _subscription(10, "active", ["a", "b", "c"]))
    assert await items() == [("si_a", 0), ("si_b", 1), ("si_c", 2)]
    await _apply(opened, two.clinic.id, _subscription(11, "active", ["c", "d"]))
    assert await items() == [("si_c", 0), ("si_d", 1)]
    await _apply(opened, two.clinic.id, _subscription(9, "active", ["old"]))
    assert await items() == [("si_c", 0), ("si_d", 1)]


async def test_the_same_id_of_two_tenants_is_two_objects(opened: Database, two: Two) -> None:
    await _apply(opened, two.clinic.id, customer(10, "patient"))
    await _apply(opened, two.school.id, customer(5, "student"))
    assert (await _row(opened, two.clinic.id))["name"] == "patient"
    assert (await _row(opened, two.school.id))["name"] == "student"


async def test_what_is_rolled_back_leaves_no_row_record_or_revision(opened: Database, two: Two) -> None:
    class UnluckyError(Exception):
        pass

    async def fail() -> None:
        async with opened.system_transaction() as connection:
            await apply(connection, [Arrival(two.clinic.id, customer(10, "a"))])
            raise UnluckyError

    with pytest.raises(UnluckyError):
        await fail()
    assert await _changes(opened, two.clinic.id) == []
    assert await opened.system.execute_query_dict("select 1 from customers") == []
    assert await revisions.current(opened.system, two.clinic.id, [revisions.EVERYTHING]) == {"everything": 0}


@pytest.mark.parametrize("seed", range(5))
async def test_concurrent_applies_of_one_object_end_in_its_newest_state(opened: Database, two: Two, seed: int) -> None:
    seconds = [*range(10, 40)]
    random.Random(seed).shuffle(seconds)

    async def one(second: int) -> Applied:
        async with opened.system_transaction() as connection:
            return await apply(connection, [Arrival(two.clinic.id, customer(second, f"state {second}"))])

    results = await asyncio.gather(*(one(second) for second in seconds))
    row = await _row(opened, two.clinic.id)
    assert (row["name"], row["epoch"]) == ("state 39", len(seconds))
    applied = [each.revision for each in results if each.revision is not None]
    assert len(set(applied)) == len(applied) == len(await _changes(opened, two.clinic.id))
