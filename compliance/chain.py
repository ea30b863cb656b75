"""The audit log's chain: each entry's hash covers the entry and all before it, so that a change anywhere shows.

What the chain alone can't show is a log that was cut off or written anew from some place on: for that its heads are
anchored outside the database, in a log line and in a file.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from observability.logs import logger
from storage.database import Connection, Database

log = logger(__name__)

Row = Mapping[str, Any]
AT_ONCE = 1_000
SEAL_EVERY = 1.0  # seconds
TELL_EVERY = 60.0
_FIELDS = ("id", "at", "actor", "action", "target", "outcome", "request_id", "operation_id")
_ENTRY = ", ".join(f"e.{name}" for name in _FIELDS)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head of a chain as it was once told outside the database; `hash` in hexadecimal."""

    tenant: int
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a tenant's log that is not as it was written."""

    tenant: int
    what: str
    seq: int | None = None
    entry: int | None = None

    def __str__(self) -> str:
        place = "" if self.seq is None else f" at place {self.seq}"
        return f"tenant {self.tenant}: {self.what}{place}" + ("" if self.entry is None else f" (entry {self.entry})")


def begin(tenant: int) -> bytes:
    """What the first entry's hash covers instead of a hash before it."""
    return hashlib.sha256(f"billing-gateway audit chain, tenant {tenant}".encode()).digest()


def link(before: bytes, tenant: int, seq: int, entry: Row) -> bytes:
    """The hash of an entry at its place in the chain."""
    told = {name: _plain(entry[name]) for name in _FIELDS} | {"tenant": tenant, "seq": seq}
    return hashlib.sha256(before + orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value if isinstance(value, int | None) else str(value)


def check(
    tenant: int, links: Sequence[Row], entries: Iterable[Row], waiting: Iterable[int], anchors: Iterable[Anchor]
) -> Iterator[Finding]:
    """Compare a tenant's log with its chain; `links` are in order of `seq`, `waiting` are entries not sealed yet."""
    known = {entry["id"]: entry for entry in entries}
    sealed: dict[int, str] = {}
    before, expected = begin(tenant), 1
    for each in links:
        seq, entry_id, stored = each["seq"], each["entry_id"], bytes(each["hash"])
        if seq != expected:
            yield Finding(tenant, f"links {expected} to {seq - 1} are missing", seq)
        entry = known.pop(entry_id, None)
        if entry is None:
            yield Finding(tenant, "an entry is missing, or is linked twice", seq, entry_id)
        elif link(before, tenant, seq, entry) != stored:
            yield Finding(tenant, "an entry or its place was changed", seq, entry_id)
        # on with what is stored, so that one change is one finding
        before, expected = stored, seq + 1
        sealed[seq] = stored.hex()
    unsealed = set(waiting)
    for entry_id in sorted(known.keys() - unsealed):
        yield Finding(tenant, "an entry has no place in the chain", entry=entry_id)
    linked = {each["entry_id"] for each in links}
    for entry_id in sorted(unsealed - known.keys() - linked):
        yield Finding(tenant, "an entry is missing that waited for its place", entry=entry_id)
    for anchor in anchors:
        if anchor.tenant == tenant and sealed.get(anchor.seq) != anchor.hash:
            gone = anchor.seq not in sealed
            yield Finding(tenant, "the log was cut off" if gone else "the log was written anew", anchor.seq)


async def seal(database: Database) -> int:
    """Give every entry that waits its place, in each tenant's chain; returns how many."""
    rows = await database.system.execute_query_dict("select distinct tenant_id from audit_unsealed")
    total = 0
    for row in rows:
        async with database.system_transaction() as connection:
            total += await _seal_tenant(connection, int(row["tenant_id"]))
    return total


async def _seal_tenant(connection: Connection, tenant: int) -> int:
    # one sealer of a tenant at a time, in whichever process
    await connection.execute_query("select pg_advisory_xact_lock(hashtextextended('audit chain', $1))", [tenant])
    heads = await connection.execute_query_dict(
        "select seq, hash from audit_chain where tenant_id = $1 order by seq desc limit 1", [tenant]
    )
    seq, before = (int(heads[0]["seq"]), bytes(heads[0]["hash"])) if heads else (0, begin(tenant))
    entries = await connection.execute_query_dict(
        f"select {_ENTRY} from audit_unsealed u join audit_entries e on e.tenant_id = u.tenant_id and e.id = u.entry_id"  # noqa: S608
        f" where u.tenant_id = $1 order by u.entry_id limit {AT_ONCE}",
        [tenant],
    )
    seqs, ids, hashes = [], [], []
    for entry in entries:
        seq += 1
        before = link(before, tenant, seq, entry)
        seqs.append(seq)
        ids.append(entry["id"])
        hashes.append(before)
    await connection.execute_query(
        "insert into audit_chain (tenant_id, seq, entry_id, hash)"
        " select $1, * from unnest($2::bigint[], $3::bigint[], $4::bytea[])",
        [tenant, seqs, ids, hashes],
    )
    await connection.execute_query(
        "delete from audit_unsealed where tenant_id = $1 and entry_id = any($2::bigint[])", [tenant, ids]
    )
    return len(entries)


async def heads(database: Database) -> list[Anchor]:
    """The newest link of every chain."""
    rows = await database.system.execute_query_dict(
        "select distinct on (tenant_id) tenant_id, seq, hash from audit_chain order by tenant_id, seq desc"
    )
    return [Anchor(row["tenant_id"], row["seq"], bytes(row["hash"]).hex()) for row in rows]


async def verify(database: Database, anchors: Sequence[Anchor] = ()) -> list[Finding]:
    """Read every tenant's log and chain, and tell what is not as it was written."""
    tenants = await database.system.execute_query_dict("select id from tenants order by id")
    ids = sorted({row["id"] for row in tenants} | {anchor.tenant for anchor in anchors})
    found: list[Finding] = []
    for tenant in ids:
        read = database.system.execute_query_dict
        # in one statement, and so of one moment: a sealer may be at work
        rows = await read(
            "select (select coalesce(json_agg(entry_id), '[]') from audit_unsealed where tenant_id = $1) as waiting,"
            " (select coalesce(max(id), 0) from audit_entries where tenant_id = $1) as newest",
            [tenant],
        )
        waiting = orjson.loads(rows[0]["waiting"]) if isinstance(rows[0]["waiting"], str) else rows[0]["waiting"]
        links = await read("select seq, entry_id, hash from audit_chain where tenant_id = $1 order by seq", [tenant])
        entries = await read(
            f"select {_ENTRY} from audit_entries e where tenant_id = $1 and id <= $2",  # noqa: S608
            [tenant, rows[0]["newest"]],
        )
        linked = {each["entry_id"] for each in links}
        newer = [each["id"] for each in entries if each["id"] not in linked]
        late = await read(
            "select entry_id from audit_chain where tenant_id = $1 and entry_id = any($2::bigint[])", [tenant, newer]
        )
        found += check(tenant, links, entries, [*waiting, *(row["entry_id"] for row in late)], anchors)
    return found


class Anchors:
    """Tells the heads of the chains outside the database, each once."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._told: dict[int, int] = {}

    def tell(self, found: Iterable[Anchor]) -> int:
        """Log the heads that have grown, and append them to the file; returns how many."""
        fresh = [anchor for anchor in found if self._told.get(anchor.tenant) != anchor.seq]
        for anchor in fresh:
            log.info("audit.anchor", tenant=anchor.tenant, seq=anchor.seq, hash=anchor.hash)
            self._told[anchor.tenant] = anchor.seq
        if self._file is not None and fresh:
            with self._file.open("ab") as out:
                for anchor in fresh:
                    told = {"at": datetime.now(UTC).isoformat(), "tenant": anchor.tenant, "seq": anchor.seq}
                    out.write(orjson.dumps(told | {"hash": anchor.hash}) + b"\n")
        return len(fresh)


def read_anchors(text: str) -> list[Anchor]:
    """The lines of such a file; raises ValueError for one that can't be read."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            told = orjson.loads(line)
            found.append(Anchor(int(told["tenant"]), int(told["seq"]), str(told["hash"])))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise ValueError(f"line {number} is not an anchor") from None
    return found


@dataclass(frozen=True, slots=True)
class Chain:
    """The worker's part: seals what was written, and tells the heads now and then."""

    database: Database
    file: str = ""

    async def run(self) -> None:
        """Work until cancelled."""
        anchors = Anchors(Path(self.file) if self.file else None)
        told = 0.0
        while True:
            try:
                while await seal(self.database) >= AT_ONCE:
                    pass
                if monotonic() - told >= TELL_EVERY:
                    anchors.tell(await heads(self.database))
                    told = monotonic()
            except Exception as error:  # noqa: BLE001 (the database may be away: what waits goes on waiting)
                log.warning("audit.unsealed", error=type(error).__name__)
            await asyncio.sleep(SEAL_EVERY)
