"""Pages have neither gaps nor repeats, in both directions, and a customer's view shows that customer's part alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror import queries
from mirror.apply import Arrival, apply
from mirror.queries import Filters, View, Window
from mirror.snapshot import Snapshot, Source, snapshot
from storage.binding import bind_tenant
from storage.database import Database
from tests.support.snapshots import START, at
from tests.support.tenants import Two


def _said(object_: str, id_: str, second: int = 0, **fields: object) -> Snapshot:
    created = int((START + timedelta(seconds=second)).timestamp())
    body = {"id": id_, "object": object_, "created": created, "livemode": False} | fields
    return snapshot(body, stamp=at(second), source=Source.EVENT, livemode=False)


def _payment(id_: str, customer: str, second: int = 0, **fields: object) -> Snapshot:
    given = {"customer": customer, "status": "succeeded", "amount": 5, "currency": "usd"} | fields
    return _said("payment_intent", id_, second, **given)


async def _keep(database: Database, tenant_id: int, said: list[Snapshot]) -> None:
    async with database.system_transaction() as connection:
        await apply(connection, [Arrival(tenant_id, each) for each in said])


async def _walk(database: Database, view: View, size: int, *, backwards: bool) -> list[list[str]]:
    """All pages of payments, from one end to the other."""
    pages: list[list[str]] = []
    window = Window(size, backwards=backwards)
    while True:
        page = await queries.page(database.app, "payments", view, window)
        pages.append([row["stripe_id"] for row in page.rows])
        if not page.more:
            return pages
        edge = page.rows[0 if backwards else -1]
        cursor = (edge["created"], edge["stripe_id"])
        window = Window(size, backwards=True, before=cursor) if backwards else Window(size, after=cursor)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.lists(st.integers(0, 4), max_size=25), size=st.integers(1, 7))
async def test_pages_cover_the_list_without_gap_or_repeat(
    opened: Database, two: Two, seconds: list[int], size: int
) -> None:
    await opened.system.execute_query("delete from payments")
    said = [_payment(f"pi_{n:02}", "cus_1", second) for n, second in enumerate(seconds)]
    await _keep(opened, two.clinic.id, said)
    await _keep(opened, two.school.id, said[:3])
    pairs = sorted(((second, f"pi_{n:02}") for n, second in enumerate(seconds)), reverse=True)
    wanted = [id_ for _, id_ in pairs]
    everyone = View(two.clinic.id, livemode=False)
    with bind_tenant(two.clinic.id):
        forward = await _walk(opened, everyone, size, backwards=False)
        backward = await _walk(opened, everyone, size, backwards=True)
        assert await queries.count(opened.app, "payments", everyone) == len(seconds)
    assert [id_ for page in forward for id_ in page] == wanted
    assert [id_ for page in reversed(backward) for id_ in page] == wanted
    assert all(len(page) == size for page in [*forward[:-1], *backward[:-1]])


@pytest.fixture
async def families(opened: Database, two: Two) -> None:
    """Two customers of the clinic with one object of every kind each, and the school's with the same ids."""
    items = {"object": "list", "data": [], "has_more": False}
    card: dict[str, Any] = {
        "type": "card",
        "card": {"brand": "visa", "last4": "4242", "exp_month": 1, "exp_year": 2030},
    }
    sums = dict.fromkeys(("subtotal", "total", "amount_due", "amount_paid", "amount_remaining", "attempt_count"), 0)
    for tenant in (two.clinic, two.school):
        for who in ("a", "b"):
            mine: dict[str, Any] = {"customer": f"cus_{who}"}
            await _keep(
                opened,
                tenant.id,
                [
                    _said("customer", f"cus_{who}", name=f"{who} of {tenant.slug}"),
                    _said(
                        "subscription", f"sub_{who}", status="active", cancel_at_period_end=False, items=items, **mine
                    ),
                    _said("invoice", f"in_{who}", status="open", currency="usd", lines=items, **sums, **mine),
                    _payment(f"pi_{who}", f"cus_{who}"),
                    _said("payment_method", f"pm_{who}", **card, **mine),
                    _said("checkout.session", f"cs_{who}", mode="payment", payment_status="unpaid", **mine),
                    _said(
                        "invoice_payment",
                        f"inpay_{who}",
                        invoice=f"in_{who}",
                        status="paid",
                        amount_requested=5,
                        currency="usd",
                        payment={"type": "payment_intent", "payment_intent": f"pi_{who}"},
                    ),
                ],
            )


OWN = {
    "customers": "cus",
    "subscriptions": "sub",
    "invoices": "in",
    "payments": "pi",
    "payment_methods": "pm",
    "checkout_sessions": "cs",
}


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize(("table", "prefix"), OWN.items())
async def test_a_customers_view_shows_only_its_own(opened: Database, two: Two, table: str, prefix: str) -> None:
    mine, theirs = f"{prefix}_a", f"{prefix}_b"
    view = View(two.clinic.id, livemode=False, customer="cus_a")
    with bind_tenant(two.clinic.id):
        page = await queries.page(opened.app, table, view, Window(10))
        found = await queries.by_ids(opened.app, table, view, [mine, theirs])
        counted = await queries.count(opened.app, table, view)
        everyone = await queries.by_ids(opened.app, table, replace(view, customer=None), [mine, theirs])
    assert [row["stripe_id"] for row in page.rows] == [mine]
    assert (list(found), counted) == ([mine], 1)
    assert set(everyone) == {mine, theirs}


@pytest.mark.usefixtures("families")
async def test_nested_pages_and_payments_stay_within_the_view(opened: Database, two: Two) -> None:
    view = View(two.clinic.id, livemode=False, customer="cus_a")
    parents = ["cus_a", "cus_b"]
    with bind_tenant(two.clinic.id):
        pages = await queries.pages_by(opened.app, "invoices", view, "customer_id", parents, Window(5))
        tried = await queries.payments_of_invoices(opened.app, view, ["in_a", "in_b"])
        all_tried = await queries.payments_of_invoices(opened.app, replace(view, customer=None), ["in_a", "in_b"])
    assert {id_: [row["stripe_id"] for row in page.rows] for id_, page in pages.items()} == {
        "cus_a": ["in_a"],
        "cus_b": [],
    }
    assert {id_: [row["stripe_id"] for row in rows] for id_, rows in tried.items()} == {"in_a": ["pi_a"], "in_b": []}
    assert all(len(rows) == 1 for rows in all_tried.values())


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("table", OWN)
async def test_the_other_mode_and_the_deleted_are_not_shown(opened: Database, two: Two, table: str) -> None:
    with bind_tenant(two.clinic.id):
        live = await queries.page(opened.app, table, View(two.clinic.id, livemode=True), Window(10))
        await opened.app.execute_query(f"update {table} set deleted = true")
        gone = await queries.page(opened.app, table, View(two.clinic.id, livemode=False), Window(10))
    assert live.rows == gone.rows == ()


@pytest.mark.usefixtures("families")
async def test_filters_narrow_a_list_to_any_of_their_values(opened: Database, two: Two) -> None:
    async def found(**equal: object) -> list[str]:
        page = await queries.page(
            opened.app, "invoices", View(two.clinic.id, livemode=False), Window(10), Filters(equal)
        )
        return sorted(row["stripe_id"] for row in page.rows)

    with bind_tenant(two.clinic.id):
        assert await found(status=["open", "paid"]) == ["in_a", "in_b"]
        assert await found(status=["paid"]) == []
        assert await found(status=["open"], customer_id="cus_b") == ["in_b"]
        assert await found(customer_id="x' or 'a' = 'a") == []


@pytest.mark.usefixtures("families")
async def test_the_statements_own_filter_is_enough_where_nothing_else_holds(opened: Database, two: Two) -> None:
    """On the system's connection, which sees every tenant, a view still shows its own tenant's rows alone."""
    view = View(two.clinic.id, livemode=False)
    for table, prefix in OWN.items():
        page = await queries.page(opened.system, table, view, Window(10))
        found = await queries.by_ids(opened.system, table, view, [f"{prefix}_a", f"{prefix}_b"])
        assert len(page.rows) == len(found) == await queries.count(opened.system, table, view) == 2, table
    names = await queries.by_ids(opened.system, "customers", view, ["cus_a", "cus_b"])
    assert {row["name"] for row in names.values()} == {"a of clinic", "b of clinic"}
    pages = await queries.pages_by(opened.system, "invoices", view, "customer_id", ["cus_a"], Window(5))
    tried = await queries.payments_of_invoices(opened.system, view, ["in_a"])
    assert (len(pages["cus_a"].rows), len(tried["in_a"])) == (1, 1)
