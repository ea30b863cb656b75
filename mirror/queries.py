"""Reads of the mirror: raw SQL with our own names and bound values, on the tenant's connection, never a Stripe call.

Hot reads skip the ORM (a third of its time) and leave Stripe's full object in the table. Each statement names its
tenant, and row-level security holds it to that tenant all the same: either alone is enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storage.database import Connection

Row = Mapping[str, Any]
MAX_PAGE = 100

_BASE = "stripe_id, created, deleted, stamp, source"
_PRICE = "product_id, active, type, currency, unit_amount, unit_amount_decimal, billing_scheme, tiers_mode, interval"
_PRICE += ", interval_count, usage_type, trial_period_days, nickname, lookup_key"
_SUBSCRIPTION = "customer_id, status, currency, collection_method, cancel_at_period_end, cancel_at, canceled_at"
_SUBSCRIPTION += ", ended_at, start_date, trial_start, trial_end, current_period_start, current_period_end"
_SUBSCRIPTION += ", billing_cycle_anchor, default_payment_method_id, latest_invoice_id"
_INVOICE = "customer_id, subscription_id, status, number, currency, subtotal, total, amount_due, amount_paid"
_INVOICE += ", amount_remaining, attempt_count, billing_reason, collection_method, period_start, period_end, due_date"
_INVOICE += ", next_payment_attempt, hosted_invoice_url, invoice_pdf"
_PAYMENT = "customer_id, status, amount, amount_received, currency, payment_method_id, failure_code, decline_code"
_METHOD = "customer_id, type, card_brand, card_last4, card_exp_month, card_exp_year"
_CUSTOMER = "email, name, phone, description, address, currency, balance, delinquent, default_payment_method_id"

COLUMNS: Mapping[str, str] = {
    "prices": f"{_BASE}, {_PRICE}",
    "products": f"{_BASE}, name, active, description, unit_label",
    "customers": f"{_BASE}, {_CUSTOMER}, external_id",
    "subscriptions": f"{_BASE}, {_SUBSCRIPTION}",
    "invoices": f"{_BASE}, {_INVOICE}",
    "payments": f"{_BASE}, {_PAYMENT}, failure_message",
    "payment_methods": f"{_BASE}, {_METHOD}",
    "checkout_sessions": f"{_BASE}, mode, status, payment_status, customer_id, subscription_id, url, expires_at",
}
# The column that says whose a row is; what has none is the same for every customer of the tenant.
_OWNED = ("subscriptions", "invoices", "payments", "payment_methods", "checkout_sessions")
_OWNER: Mapping[str, str] = {"customers": "stripe_id"} | dict.fromkeys(_OWNED, "customer_id")


@dataclass(frozen=True, slots=True)
class View:
    """What a caller may see: one mode of its tenant, and of that one customer's part if `customer` is set."""

    tenant: int
    livemode: bool
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A page of a list that is ordered by time of creation, newest first. Cursors are (created, Stripe id)."""

    size: int
    after: tuple[datetime, str] | None = None
    before: tuple[datetime, str] | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the list's order. `more` says whether there are others beyond, in the direction that was read."""

    rows: tuple[Row, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """Equalities on our own column names; a sequence means any of its values."""

    equal: Mapping[str, Any] = field(default_factory=dict)


class _Where:
    """Collects conditions and their bound values."""

    def __init__(self, table: str, view: View, filters: Filters) -> None:
        self.values: list[Any] = []
        self.conditions = [
            f"tenant_id = {self.bind(view.tenant)}",
            f"livemode = {self.bind(view.livemode)}",
            "not deleted",
        ]
        if view.customer is not None and (owner := _OWNER.get(table)):
            self.conditions.append(f"{owner} = {self.bind(view.customer)}")
        for column, value in filters.equal.items():
            many = isinstance(value, list | tuple | frozenset)
            self.conditions.append(
                f'"{column}" = any({self.bind(list(value))})' if many else f'"{column}" = {self.bind(value)}'
            )

    def bind(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def within(self, window: Window) -> str:
        """Add the cursors; returns order and limit."""
        for cursor, sign in ((window.after, "<"), (window.before, ">")):
            if cursor:
                self.conditions.append(f"(created, stripe_id) {sign} ({self.bind(cursor[0])}, {self.bind(cursor[1])})")
        way = "asc" if window.backwards else "desc"
        return f"order by created {way}, stripe_id {way} limit {self.bind(window.size + 1)}"


async def page(connection: Connection, table: str, view: View, window: Window, filters: Filters | None = None) -> Page:
    """One page of a type's objects."""
    where = _Where(table, view, filters or Filters())
    tail = where.within(window)
    rows = await connection.execute_query_dict(
        f"select {COLUMNS[table]} from {table} where {' and '.join(where.conditions)} {tail}",  # noqa: S608
        where.values,
    )
    return _cut(rows, window)


async def pages_by(
    connection: Connection, table: str, view: View, column: str, parents: Sequence[str], window: Window
) -> dict[str, Page]:
    """The same page for each of many parents, in one query."""
    where = _Where(table, view, Filters())
    where.conditions.append(f"{column} = parent.id")
    names = where.bind(list(parents))
    tail = where.within(window)
    rows = await connection.execute_query_dict(
        f"select parent.id as parent_id, x.* from unnest({names}::text[]) parent (id) cross join lateral"  # noqa: S608
        f" (select {COLUMNS[table]} from {table} where {' and '.join(where.conditions)} {tail}) x",
        where.values,
    )
    found: dict[str, list[Row]] = {parent: [] for parent in parents}
    for row in rows:
        found[row["parent_id"]].append(row)
    return {parent: _cut(mine, window) for parent, mine in found.items()}


def _cut(rows: Sequence[Row], window: Window) -> Page:
    more = len(rows) > window.size
    kept = list(rows[: window.size])
    if window.backwards:
        kept.reverse()
    return Page(tuple(kept), more)


def cut(page: Page, window: Window) -> Page:
    """A smaller page of the same beginning or, read backwards, of the same end."""
    kept = page.rows[-window.size :] if window.backwards else page.rows[: window.size]
    return Page(kept, page.more or len(page.rows) > len(kept))


async def count(connection: Connection, table: str, view: View, filters: Filters | None = None) -> int:
    """How many objects a list has."""
    where = _Where(table, view, filters or Filters())
    rows = await connection.execute_query_dict(
        f"select count(*) as n from {table} where {' and '.join(where.conditions)}",  # noqa: S608 (our own names)
        where.values,
    )
    return int(rows[0]["n"])


async def counts_by(
    connection: Connection, table: str, view: View, column: str, parents: Sequence[str]
) -> dict[str, int]:
    """How many objects belong to each of many parents, in one query."""
    where = _Where(table, view, Filters({column: list(parents)}))
    rows = await connection.execute_query_dict(
        f'select "{column}" as parent, count(*) as n from {table}'  # noqa: S608 (our own names)
        f" where {' and '.join(where.conditions)} group by 1",
        where.values,
    )
    found = {row["parent"]: int(row["n"]) for row in rows}
    return {parent: found.get(parent, 0) for parent in parents}


async def by_ids(connection: Connection, table: str, view: View, ids: Sequence[str]) -> dict[str, Row]:
    """Objects by Stripe's id; what the caller may not see is not among them, just as what does not exist."""
    where = _Where(table, view, Filters({"stripe_id": list(ids)}))
    rows = await connection.execute_query_dict(
        f"select {COLUMNS[table]} from {table} where {' and '.join(where.conditions)}",  # noqa: S608 (our own names)
        where.values,
    )
    return {row["stripe_id"]: row for row in rows}


async def children(
    connection: Connection, table: str, view: View, parents: Sequence[str], most: int | None = None
) -> dict[str, tuple[Row, ...]]:
    """The items of subscriptions or the lines of invoices, in Stripe's order; no more than `most` in all."""
    rows = await connection.execute_query_dict(
        f"select * from {table} where tenant_id = $1 and livemode = $2 and parent_id = any($3::text[])"  # noqa: S608
        " order by parent_id, position limit $4",
        [view.tenant, view.livemode, list(parents), most],
    )
    found: dict[str, list[Row]] = {parent: [] for parent in parents}
    for row in rows:
        found[row["parent_id"]].append(row)
    return {parent: tuple(mine) for parent, mine in found.items()}


async def payments_of_invoices(
    connection: Connection, view: View, invoices: Sequence[str]
) -> dict[str, tuple[Row, ...]]:
    """The payments that were tried for each invoice, oldest first."""
    columns = ", ".join(f"p.{name.strip()}" for name in COLUMNS["payments"].split(","))
    rows = await connection.execute_query_dict(
        f"select ip.invoice_id, {columns} from invoice_payments ip join payments p"  # noqa: S608 (our own names)
        " on p.tenant_id = ip.tenant_id and p.livemode = ip.livemode and p.stripe_id = ip.payment_id"
        " where ip.tenant_id = $1 and ip.livemode = $2 and ip.invoice_id = any($3::text[])"
        " and ($4::text is null or p.customer_id = $4) order by p.created, p.stripe_id",
        [view.tenant, view.livemode, list(invoices), view.customer],
    )
    found: dict[str, list[Row]] = {invoice: [] for invoice in invoices}
    for row in rows:
        found[row["invoice_id"]].append(row)
    return {invoice: tuple(mine) for invoice, mine in found.items()}
