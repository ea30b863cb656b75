"""The one door into the mirror: everything Stripe says, whichever way it came, is written here and nowhere else.

In the caller's transaction it writes the rows, a change record for each, and last the revision. It never calls
Stripe: where a snapshot's place in the order can't be proved it answers `reread`, and the caller reads and comes again.
A batch costs as many statements as it has types of object, however many objects.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mirror.chain import Chain
from mirror.extract import ref
from mirror.kinds import Kind
from mirror.order import Decision, Known, judge
from mirror.snapshot import Snapshot, Source
from mirror.writing import Held, Key, write
from storage import revisions
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class Arrival:
    """A snapshot for one tenant.

    `read_epoch` is the object's epoch when the request began by which a re-read, or an answer to a call of ours, came.
    """

    tenant_id: int
    snapshot: Snapshot
    read_epoch: int | None = None

    @property
    def key(self) -> Key:
        return (self.tenant_id, self.snapshot.livemode, self.snapshot.stripe_id)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one arrival; `epoch` is what a re-read must give back, `source` the way the state had come."""

    decision: Decision
    epoch: int
    source: Source | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The results, one for each arrival in its order, and the revision if anything changed."""

    results: tuple[Result, ...] = ()
    revision: int | None = None
    scopes: frozenset[tuple[int, str]] = frozenset()


async def apply(connection: Connection, arrivals: Sequence[Arrival]) -> Applied:
    """Judge and write snapshots in the given order, inside the caller's transaction.

    The connection is tenant-bound in a request, the system's in the worker. The caller commits at once afterwards:
    the revision's lock is the last thing taken.
    """
    if not arrivals:
        return Applied()
    await _lock(connection, arrivals)
    held = await _held(connection, arrivals)
    payers = await _payers(connection, arrivals)
    results: list[Result] = []
    scopes: set[tuple[int, str]] = set()
    for arrival in arrivals:
        object_ = held[arrival.key, arrival.snapshot.kind.table]
        verdict = judge(object_.known, arrival.snapshot, read_epoch=arrival.read_epoch)
        if verdict.decision is Decision.APPLIED:
            now = _customer(arrival.snapshot) or payers.get(arrival.key)
            # who had it before must hear of it too: a payment method may be detached, or a tombstone name nobody
            scopes |= _scopes(arrival, {object_.customer, now})
            object_.take(arrival.snapshot, customer=now)
        object_.known = verdict.known
        known = verdict.known
        results.append(Result(verdict.decision, known.epoch if known else 0, known.source if known else None))
    await write(connection, list(held.values()))
    revision = await revisions.bump(connection, scopes) if scopes else None
    return Applied(tuple(results), revision, frozenset(scopes))


async def epoch(connection: Connection, tenant_id: int, kind: Kind, stripe_id: str, *, livemode: bool) -> int:
    """An object's epoch now, to give back with the answer to a call that begins now; 0 where there is no object."""
    rows = await connection.execute_query_dict(
        f"select epoch from {kind.table} where tenant_id = $1 and livemode = $2 and stripe_id = $3",  # noqa: S608
        [tenant_id, livemode, stripe_id],
    )
    return int(rows[0]["epoch"]) if rows else 0


async def _lock(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """One object is never judged by two at once, not even before its first row exists."""
    names = sorted({":".join(map(str, arrival.key)) for arrival in arrivals})
    await connection.execute_query_dict(
        "select pg_advisory_xact_lock(h)"
        " from (select hashtextextended(x, 0) as h from unnest($1::text[]) x order by 1) ordered",
        [names],
    )


async def _held(connection: Connection, arrivals: Sequence[Arrival]) -> dict[tuple[Key, str], Held]:
    """What the mirror holds of each object that is told of: one query for each of their tables."""
    keys: dict[Kind, dict[Key, None]] = {}  # in their order, each once
    for arrival in arrivals:
        keys.setdefault(arrival.snapshot.kind, {})[arrival.key] = None
    found: dict[tuple[Key, str], Held] = {}
    for kind, wanted in keys.items():
        tenants, modes, ids = zip(*wanted, strict=True)
        status = f", m.{kind.status} as status" if kind.status else ""
        status += f", m.{kind.owner} as owner" if kind.owner else ""
        rows = await connection.execute_query_dict(
            "select m.tenant_id, m.livemode, m.stripe_id, stamp, source, epoch, digest, deleted, request, read_epoch,"  # noqa: S608
            f" chain{status} from {kind.table} m join unnest($1::bigint[], $2::bool[], $3::text[]) as x (t, l, i)"
            " on m.tenant_id = t and m.livemode = l and m.stripe_id = i",
            [list(tenants), list(modes), list(ids)],
        )
        by_key: dict[Key, Mapping[str, Any]] = {
            (row["tenant_id"], row["livemode"], row["stripe_id"]): row for row in rows
        }
        for key in wanted:
            row = by_key.get(key)
            status_now = row.get("status") if row else None
            known = _known(kind, row) if row else None
            owner = row.get("owner") if row else None
            found[key, kind.table] = Held(key, kind, known, status_now, exists=row is not None, customer=owner)
    return found


async def _payers(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Key, str]:
    """Whose the payments of invoices are: Stripe names the invoice alone.

    Of an invoice that has not arrived yet, or comes in the same batch, its own arrival raises the customer's revision.
    """
    wanted = [each for each in arrivals if each.snapshot.kind.object == "invoice_payment" and not each.snapshot.deleted]
    if not wanted:
        return {}
    tenants, modes, _ = zip(*(each.key for each in wanted), strict=True)
    invoices = [ref(each.snapshot.body.get("invoice")) for each in wanted]
    rows = await connection.execute_query_dict(
        "select i.tenant_id, i.livemode, i.stripe_id, i.customer_id from invoices i"
        " join unnest($1::bigint[], $2::bool[], $3::text[]) as x (t, l, s)"
        " on i.tenant_id = t and i.livemode = l and i.stripe_id = s where i.customer_id is not null",
        [list(tenants), list(modes), invoices],
    )
    payers = {(row["tenant_id"], row["livemode"], row["stripe_id"]): str(row["customer_id"]) for row in rows}
    found: dict[Key, str] = {}
    for each, invoice in zip(wanted, invoices, strict=True):
        payer = payers.get((*each.key[:2], invoice or ""))
        if payer:
            found[each.key] = payer
    return found


def _known(kind: Kind, row: Mapping[str, Any]) -> Known:
    chain = row["chain"]
    return Known(
        row["stamp"],
        Source(row["source"]),
        row["epoch"],
        row["digest"],
        row["deleted"],
        request=row["request"],
        rank=kind.ranks.get(str(row.get("status")), 0),
        read=row["read_epoch"],
        chain=Chain.loaded(orjson.loads(chain)) if chain else Chain(),
    )


def _customer(new: Snapshot) -> str | None:
    """Whose object this is, so that one customer's caches and feeds are told apart from another's."""
    return new.stripe_id if new.kind.object == "customer" else ref(new.body.get("customer"))


def _scopes(arrival: Arrival, customers: Collection[str | None]) -> set[tuple[int, str]]:
    new = arrival.snapshot
    found = {revisions.EVERYTHING}
    if new.kind.catalog:
        found.add(revisions.catalog_scope(livemode=new.livemode))
    found |= {revisions.customer_scope(each, livemode=new.livemode) for each in customers if each}
    return {(arrival.tenant_id, scope) for scope in found}
