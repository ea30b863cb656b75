"""Writes judged objects: one statement for each table that a batch touches, its values as one JSON document."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from mirror.extract import moment
from mirror.kinds import Kind
from mirror.order import Known
from mirror.snapshot import Snapshot
from mirror.transitions import transition
from storage.database import Connection

Key = tuple[int, bool, str]
_STATE = ("stamp", "source", "epoch", "digest", "deleted", "request", "read_epoch", "chain")
_TYPES = "tenant_id bigint, livemode bool, stripe_id text, stamp timestamptz, source text, epoch bigint, digest bytea"
_TYPES += ", deleted bool, request text, read_epoch bigint, chain json"


@dataclass(slots=True)
class Held:
    """An object while a batch is judged: what is known of it now, and what must be written at the end.

    `customer` is whose it is, or last was.
    """

    key: Key
    kind: Kind
    known: Known | None
    status: str | None
    exists: bool
    customer: str | None = None
    body: Mapping[str, Any] | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    effects: list[dict[str, Any]] = field(default_factory=list)

    def take(self, new: Snapshot, *, customer: str | None) -> None:
        """A snapshot was applied. A tombstone keeps what was last known: Stripe sends no more than its id."""
        self.customer = customer or self.customer
        kind = "deleted" if new.deleted else "updated" if self.known else "created"
        after = new.body.get("status") if self.kind.status else None
        self.changes.append(
            {"customer_id": self.customer, "kind": kind, "status_before": self.status, "status_after": after}
            | {"source": str(new.source), "stamp": new.stamp}
        )
        if found := transition(new, before=self.status, known=self.known is not None):
            told = {"transition": found.name, "occasion": found.occasion, "customer_id": self.customer}
            self.effects.append(told)
        self.status = after
        if not new.deleted or (not self.exists and self.body is None and new.body.get("created") is not None):
            self.body = new.body


async def write(connection: Connection, objects: Sequence[Held]) -> None:
    """Write what was judged: bodies with their parts, states of what did not change, change records and effects."""
    tables: dict[str, list[Held]] = {}
    for each in objects:
        if each.known is not None:
            tables.setdefault(each.kind.table, []).append(each)
    for held in tables.values():
        kind = held[0].kind
        if bodies := [each for each in held if each.body is not None]:
            await _write_bodies(connection, kind, bodies)
        if states := [each for each in held if each.body is None]:
            await _write_states(connection, kind, states)
    await _insert(connection, "changes", [_record(each, change) for each in objects for change in each.changes])
    # who saw a transition before has asked for its effect
    await _insert(connection, "effects", [_record(each, effect) for each in objects for effect in each.effects])


async def _insert(connection: Connection, table: str, records: Sequence[Mapping[str, Any]]) -> None:
    if records:
        names = ", ".join(records[0])
        await connection.execute_query(
            f"insert into {table} ({names}) select {names} from json_populate_recordset(null::{table}, $1)"  # noqa: S608
            " on conflict do nothing",
            [_document(records)],
        )


async def _write_bodies(connection: Connection, kind: Kind, held: Sequence[Held]) -> None:
    rows = [_row(each) for each in held]
    names = [f'"{name}"' for name in rows[0]]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[3:])
    await connection.execute_query(
        f"insert into {kind.table} ({', '.join(names)}) select {', '.join(names)}"  # noqa: S608 (our own names)
        f" from json_populate_recordset(null::{kind.table}, $1)"
        f" on conflict (tenant_id, livemode, stripe_id) do update set {changes}",
        [_document(rows)],
    )
    if kind.children is None:
        return
    table = kind.children.table
    tenants, modes, ids = zip(*(each.key for each in held), strict=True)
    await connection.execute_query(
        f"delete from {table} c using unnest($1::bigint[], $2::bool[], $3::text[]) as x (t, l, i)"  # noqa: S608
        " where c.tenant_id = t and c.livemode = l and c.parent_id = i",
        [list(tenants), list(modes), list(ids)],
    )
    parts = [
        {"tenant_id": each.key[0], "livemode": each.key[1], "parent_id": each.key[2]} | part
        for each in held
        for part in kind.children.rows(each.body or {})
    ]
    if parts:
        columns = ", ".join(parts[0])
        await connection.execute_query(
            f"insert into {table} ({columns}) select {columns} from json_populate_recordset(null::{table}, $1)",  # noqa: S608
            [_document(parts)],
        )


async def _write_states(connection: Connection, kind: Kind, held: Sequence[Held]) -> None:
    changes = ", ".join(f"{name} = x.{name}" for name in _STATE)
    await connection.execute_query(
        f"update {kind.table} m set {changes} from json_to_recordset($1) as x ({_TYPES})"  # noqa: S608 (our own names)
        " where m.tenant_id = x.tenant_id and m.livemode = x.livemode and m.stripe_id = x.stripe_id",
        [_document([_key(each) | _state(each) for each in held])],
    )


def _row(held: Held) -> dict[str, Any]:
    body = held.body or {}
    state = _state(held)
    created = body.get("created")
    stamps = {"created": state["stamp"] if created is None else moment(created), "data": body}
    return _key(held) | held.kind.columns(body) | stamps | state


def _key(held: Held) -> dict[str, Any]:
    tenant_id, livemode, stripe_id = held.key
    return {"tenant_id": tenant_id, "livemode": livemode, "stripe_id": stripe_id}


def _state(held: Held) -> dict[str, Any]:
    known = held.known
    assert known is not None
    values = (known.stamp, str(known.source), known.epoch, known.digest, known.deleted, known.request, known.read)
    return dict(zip(_STATE, (*values, known.chain.stored()), strict=True))


def _record(held: Held, change: dict[str, Any]) -> dict[str, Any]:
    return _key(held) | {"object_type": held.kind.object} | change


def _document(rows: Iterable[Mapping[str, Any]]) -> str:
    return orjson.dumps(rows, default=_plain).decode()


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
