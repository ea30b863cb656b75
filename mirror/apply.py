"""The one door into the mirror: everything Stripe says, whichever way it came, is written here and nowhere else.

In the caller's transaction it writes the rows, a change record for each, and last the revision. It never calls
Stripe: where a snapshot's place in the order can't be proved it answers `reread`, and the caller reads and comes again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mirror.order import Decision, Known, decide, mark
from mirror.snapshot import Snapshot, Source
from storage import revisions
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class Arrival:
    """A snapshot for one tenant. `read_epoch` is the object's epoch when a re-read of it began."""

    tenant_id: int
    snapshot: Snapshot
    read_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one arrival; `epoch` is what a re-read must give back."""

    decision: Decision
    epoch: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The results, one for each arrival in its order, and the revision if anything changed."""

    results: tuple[Result, ...]
    revision: int | None
    scopes: frozenset[tuple[int, str]]


async def apply(connection: Connection, arrivals: Sequence[Arrival]) -> Applied:
    """Judge and write snapshots in the given order, inside the caller's transaction.

    The connection is tenant-bound in a request, the system's in the worker. The caller commits at once afterwards:
    the revision's lock is the last thing taken.
    """
    await _lock(connection, arrivals)
    results: list[Result] = []
    scopes: set[tuple[int, str]] = set()
    for arrival in arrivals:
        result = await _apply_one(connection, arrival)
        results.append(result)
        if result.decision is Decision.APPLIED:
            scopes |= _scopes(arrival)
    revision = await revisions.bump(connection, scopes) if scopes else None
    return Applied(tuple(results), revision, frozenset(scopes))


async def _lock(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """One object is never judged by two at once, not even before its first row exists."""
    names = sorted({f"{a.tenant_id}:{a.snapshot.livemode}:{a.snapshot.stripe_id}" for a in arrivals})
    await connection.execute_query_dict(
        "select pg_advisory_xact_lock(h)"
        " from (select hashtextextended(x, 0) as h from unnest($1::text[]) x order by 1) ordered",
        [names],
    )


async def _apply_one(connection: Connection, arrival: Arrival) -> Result:
    new = arrival.snapshot
    key = [arrival.tenant_id, new.livemode, new.stripe_id]
    status = f", {new.kind.status} as status" if new.kind.status else ""
    rows = await connection.execute_query_dict(
        f"select stamp, source, epoch, digest, deleted{status} from {new.kind.table}"  # noqa: S608 (our own names)
        " where tenant_id = $1 and livemode = $2 and stripe_id = $3",
        key,
    )
    row = rows[0] if rows else None
    known = row and Known(row["stamp"], Source(row["source"]), row["epoch"], row["digest"], row["deleted"])
    decision = decide(known or None, new, read_epoch=arrival.read_epoch)
    # a re-read that came too late is no delivery: raising the epoch for it would let two readers refuse each other
    refused = decision is Decision.REREAD and new.source is Source.REREAD
    epoch = (known.epoch + (not refused)) if known else 1
    if decision is Decision.APPLIED:
        await _write(connection, arrival, epoch)
        await _record(connection, arrival, row)
    elif known:
        stamp, source = mark(known, new) if decision is Decision.SAME else (known.stamp, known.source)
        await connection.execute_query(
            f"update {new.kind.table} set epoch = $4, stamp = $5, source = $6"  # noqa: S608 (our own names)
            " where tenant_id = $1 and livemode = $2 and stripe_id = $3",
            [*key, epoch, stamp, str(source)],
        )
    return Result(decision, epoch if known or decision is Decision.APPLIED else 0)


async def _write(connection: Connection, arrival: Arrival, epoch: int) -> None:
    new = arrival.snapshot
    key: dict[str, Any] = {"tenant_id": arrival.tenant_id, "livemode": new.livemode, "stripe_id": new.stripe_id}
    if new.deleted:
        # the tombstone keeps what was last known: Stripe sends no more than the id of a deleted object
        marked = await connection.execute_query(
            f"update {new.kind.table} set deleted = true, epoch = $4, stamp = $5, source = $6, digest = $7"  # noqa: S608
            " where tenant_id = $1 and livemode = $2 and stripe_id = $3",
            [*key.values(), epoch, new.stamp, new.source, new.digest],
        )
        if marked[0] or new.body.get("created") is None:
            return
    columns = key | new.kind.columns(new.body)
    columns |= {"created": _created(new), "deleted": new.deleted, "stamp": new.stamp, "source": str(new.source)}
    columns |= {"epoch": epoch, "digest": new.digest, "data": orjson.dumps(new.body).decode()}
    names = list(columns)
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in key)
    await connection.execute_query(
        f"insert into {new.kind.table} ({', '.join(_quoted(names))}) values ({places})"  # noqa: S608 (our own names)
        f" on conflict (tenant_id, livemode, stripe_id) do update set {changes}",
        [_jsonable(name, columns[name]) for name in names],
    )
    await _write_children(connection, key, new)


def _created(new: Snapshot) -> Any:
    from_stripe = new.body.get("created")
    return new.stamp if from_stripe is None else new.stamp.fromtimestamp(from_stripe, new.stamp.tzinfo)


def _quoted(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _jsonable(name: str, value: Any) -> Any:
    return orjson.dumps(value).decode() if name == "address" and value is not None else value


async def _write_children(connection: Connection, key: dict[str, Any], new: Snapshot) -> None:
    children = new.kind.children
    if children is None:
        return
    await connection.execute_query(
        f"delete from {children.table} where tenant_id = $1 and livemode = $2 and parent_id = $3",  # noqa: S608
        list(key.values()),
    )
    for row in children.rows(new.body):
        values = {"tenant_id": key["tenant_id"], "livemode": key["livemode"], "parent_id": key["stripe_id"]} | row
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await connection.execute_query(
            f"insert into {children.table} ({', '.join(_quoted(list(values)))}) values ({places})",  # noqa: S608
            list(values.values()),
        )


async def _record(connection: Connection, arrival: Arrival, before: dict[str, Any] | None) -> None:
    new = arrival.snapshot
    kind = "deleted" if new.deleted else "updated" if before else "created"
    await connection.execute_query(
        "insert into changes (tenant_id, livemode, object_type, stripe_id, customer_id, kind, status_before,"
        " status_after, source, stamp) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            arrival.tenant_id,
            new.livemode,
            new.kind.object,
            new.stripe_id,
            _customer(new),
            kind,
            before.get("status") if before else None,
            new.body.get("status") if new.kind.status else None,
            str(new.source),
            new.stamp,
        ],
    )


def _customer(new: Snapshot) -> str | None:
    """Whose object this is, so that one customer's caches and feeds are told apart from another's."""
    found = new.stripe_id if new.kind.object == "customer" else new.body.get("customer")
    return found if isinstance(found, str) else None


def _scopes(arrival: Arrival) -> set[tuple[int, str]]:
    new = arrival.snapshot
    found = {revisions.EVERYTHING}
    if new.kind.catalog:
        found.add(revisions.catalog_scope(livemode=new.livemode))
    elif customer := _customer(new):
        found.add(revisions.customer_scope(customer, livemode=new.livemode))
    return {(arrival.tenant_id, scope) for scope in found}
