"""Holds the mirror against Stripe's lists, object by object and field by field, and repairs what differs.

The same sweep fills an empty mirror: a backfill is a reconcile that finds everything missing. What it finds goes
through the one door like any answer of Stripe's, so events may arrive meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from billing.mirroring import Mirroring, apply_all_as_tenant, apply_as_tenant
from billing.stripe_client import Answer
from mirror.apply import Arrival
from mirror.extract import moment
from mirror.kinds import KINDS, Kind
from mirror.order import Decision
from mirror.snapshot import Snapshot, Source, snapshot
from storage.database import Database
from webhooks import listing
from webhooks.listing import LISTINGS, METHODS, Listing

_KINDS_AT_ONCE = 3
_MOST_DIFFERENCES = 200
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that the mirror had otherwise. `kind`: missing, changed or gone."""

    object: str
    id: str
    kind: str
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """How many objects were seen and how many differed, by type; the first differences in full."""

    seen: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        self.differing[f"{difference.object}.{difference.kind}"] += 1
        if len(self.differences) < _MOST_DIFFERENCES:
            self.differences.append(difference)

    @property
    def total(self) -> int:
        """How many objects differed."""
        return self.differing.total()

    def as_json(self) -> dict[str, Any]:
        told = [
            {"object": one.object, "id": one.id, "kind": one.kind, "fields": list(one.fields)}
            for one in self.differences
        ]
        return {"seen": dict(self.seen), "differing": dict(self.differing), "differences": told}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Report":
        """What `as_json` gave, so that a sweep that was cut off goes on counting."""
        told = [Difference(**(one | {"fields": tuple(one["fields"])})) for one in stored.get("differences", [])]
        return cls(Counter(stored.get("seen", {})), Counter(stored.get("differing", {})), told)


Cursor = dict[str, dict[str, Any]]
Save = Callable[[Cursor, Report], Awaitable[None]]


@dataclass(slots=True)
class Sweep:
    """One tenant's; the caller has bound the tenant. `cursor` says for each type after which object to go on.

    Without `repair` it only looks, and may name what changed in the very moment.
    """

    database: Database
    way: Mirroring
    save: Save
    cursor: Cursor = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    repair: bool = True

    async def run(self) -> Report:
        """Everything, a few types side by side; resumable from the saved cursor."""
        places = asyncio.Semaphore(_KINDS_AT_ONCE)

        async def one(listing_: Listing) -> None:
            async with places:
                await self._list(listing_)

        async with asyncio.TaskGroup() as group:
            for listing_ in LISTINGS:
                group.create_task(one(listing_))
        await self._methods()
        await self._account()
        return self.report

    async def sample(self) -> Report:
        """The newest page of each type, and one page from a random place."""
        for listing_ in LISTINGS:
            place = await self._random_id(KINDS[listing_.object])
            for after in {None, place}:
                await self._page(listing_, after)
        await self._account()
        return self.report

    async def _list(self, listing_: Listing) -> None:
        place = self.cursor.setdefault(listing_.object, {"after": None, "until": None, "ties": [], "done": False})
        while not place["done"]:
            page = await self._page(listing_, place["after"])
            bodies, more = page.body["data"], page.body["has_more"]
            oldest = bodies[-1]["created"] if bodies and more else None
            listed = [*place["ties"], *(body["id"] for body in bodies)]
            await self._gone(KINDS[listing_.object], listed, oldest, place["until"])
            # of the oldest second there may be more on the next page
            ties = [*(place["ties"] if oldest == place["until"] else []), *_of_second(bodies, oldest)]
            after = bodies[-1]["id"] if bodies else None
            self.cursor[listing_.object] = place = {"after": after, "until": oldest, "ties": ties, "done": not more}
            await self.save(self.cursor, self.report)

    async def _page(self, listing_: Listing, after: str | None, **params: str) -> Answer:
        way = self.way
        page = await listing.page(way.stripe, way.account, listing_, after=after, **params)
        await self._compare(KINDS[listing_.object], page)
        return page

    async def _compare(self, kind: Kind, page: Answer) -> None:
        """Apply the objects of a page that the mirror has otherwise or not at all."""
        arrivals = [self.way.arrival(replace(page, body=body)) for body in page.body["data"]]
        self.report.seen[kind.object] += len(arrivals)
        known = await self._rows(kind, [arrival.snapshot.stripe_id for arrival in arrivals])
        differing: list[tuple[Arrival, Difference]] = []
        for arrival in arrivals:
            row = known.get(arrival.snapshot.stripe_id)
            fields = _differing(arrival.snapshot, row)
            if fields or row is None:
                what = "changed" if row else "missing"
                told = Difference(kind.object, arrival.snapshot.stripe_id, what, tuple(fields[:_MOST_FIELDS]))
                differing.append((arrival, told))
        await self._repair(differing)

    async def _repair(self, differing: Sequence[tuple[Arrival, Difference]]) -> None:
        if not self.repair:
            for _, told in differing:
                self.report.add(told)
            return
        applied = await apply_all_as_tenant(self.database, [arrival for arrival, _ in differing])
        for (arrival, told), result in zip(differing, applied.results, strict=True):
            decision = result.decision
            if decision is Decision.REREAD:
                reread = await self.way.reread(arrival.snapshot, result.epoch)
                decision = await self._settle(reread, arrival.snapshot.kind)
            # stale or same: the mirror was ahead of the list
            if decision is Decision.APPLIED:
                self.report.add(told)

    async def _gone(self, kind: Kind, listed: Sequence[str], oldest: int | None, until: int | None) -> None:
        """Read again what the mirror has of a page's seconds, after `oldest` up to `until`, but the list has not."""
        rows = await self.database.app.execute_query_dict(
            f"select stripe_id, epoch from {kind.table} where livemode = $1 and not deleted"  # noqa: S608 (our names)
            " and ($2::timestamptz is null or created > $2) and ($3::timestamptz is null or created <= $3)"
            " and stripe_id <> all($4::text[])",
            [self.way.livemode, moment(oldest), moment(until), list(listed)],
        )
        await self._read_gone(kind, rows)

    async def _read_gone(self, kind: Kind, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            body = {"object": kind.object, "id": row["stripe_id"]}
            old = snapshot(body, stamp=datetime.now(UTC), source=Source.API, livemode=self.way.livemode)
            found = await self.way.reread(old, row["epoch"])
            if await self._settle(found, kind) is Decision.APPLIED:
                what = "gone" if found.snapshot.deleted else "changed"
                self.report.add(Difference(kind.object, old.stripe_id, what))

    async def _settle(self, arrival: Arrival, kind: Kind) -> Decision:
        """What becomes of a re-read; where nothing may be changed, what would."""
        if not self.repair:
            row = (await self._rows(kind, [arrival.snapshot.stripe_id])).get(arrival.snapshot.stripe_id)
            gone = bool(row and arrival.snapshot.deleted and not row["deleted"])
            return Decision.APPLIED if row is None or gone or _differing(arrival.snapshot, row) else Decision.SAME
        _, decisions = await self.way.settle(arrival, partial(apply_as_tenant, self.database))
        return decisions[-1]

    async def _methods(self) -> None:
        """Payment methods, customer by customer."""
        place = self.cursor.setdefault(METHODS.object, {"after": "", "done": False})
        kind = KINDS[METHODS.object]
        while not place["done"]:
            customers = await self.database.app.execute_query_dict(
                "select stripe_id from customers where livemode = $1 and not deleted and stripe_id > $2"
                " order by stripe_id limit 50",
                [self.way.livemode, place["after"]],
            )
            for customer in customers:
                listed = await self._methods_of(customer["stripe_id"])
                rows = await self.database.app.execute_query_dict(
                    "select stripe_id, epoch from payment_methods where livemode = $1 and customer_id = $2"
                    " and not deleted and stripe_id <> all($3::text[])",
                    [self.way.livemode, customer["stripe_id"], listed],
                )
                await self._read_gone(kind, rows)
            place |= {"after": customers[-1]["stripe_id"] if customers else "", "done": len(customers) < 50}
            await self.save(self.cursor, self.report)

    async def _methods_of(self, customer: str) -> list[str]:
        listed: list[str] = []
        while True:
            page = await self._page(METHODS, listed[-1] if listed else None, customer=customer)
            listed += [body["id"] for body in page.body["data"]]
            if not page.body["has_more"]:
                return listed

    async def _account(self) -> None:
        """The account itself: one read."""
        kind = KINDS["account"]
        rows = await self._rows(kind, [self.way.account])
        row = rows.get(self.way.account)
        old = snapshot(
            {"object": "account", "id": self.way.account},
            stamp=datetime.now(UTC),
            source=Source.API,
            livemode=self.way.livemode,
        )
        arrival = await self.way.reread(old, row["epoch"] if row else 0)
        self.report.seen["account"] += 1
        fields = _differing(arrival.snapshot, row)
        if await self._settle(arrival, kind) is Decision.APPLIED:
            self.report.add(
                Difference("account", self.way.account, "changed" if row else "missing", tuple(fields[:_MOST_FIELDS]))
            )

    async def _rows(self, kind: Kind, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        rows = await self.database.app.execute_query_dict(
            f"select stripe_id, digest, deleted, epoch, data from {kind.table}"  # noqa: S608 (our own names)
            " where livemode = $1 and stripe_id = any($2::text[])",
            [self.way.livemode, list(ids)],
        )
        return {row["stripe_id"]: row for row in rows}

    async def _random_id(self, kind: Kind) -> str | None:
        rows = await self.database.app.execute_query_dict(
            f"with here as (select stripe_id from {kind.table} where livemode = $1 and not deleted)"  # noqa: S608
            " select stripe_id from here offset floor(random() * (select count(*) from here)) limit 1",
            [self.way.livemode],
        )
        return str(rows[0]["stripe_id"]) if rows else None


def _of_second(bodies: Sequence[Mapping[str, Any]], second: int | None) -> list[str]:
    return [body["id"] for body in bodies if body["created"] == second]


def _differing(new: Snapshot, row: Mapping[str, Any] | None) -> list[str]:
    """The fields that the mirror has otherwise; a list of parts that was cut short says nothing of the rest."""
    if row is None or (row["digest"] == new.digest and not row["deleted"]):
        return []
    if row["deleted"]:
        return ["deleted"]
    kept = orjson.loads(row["data"]) if isinstance(row["data"], str) else row["data"]
    names = sorted(name for name in {*kept, *new.body} if kept.get(name) != new.body.get(name))
    return [name for name in names if not (new.truncated and new.kind.children and name == new.kind.children.field)]
