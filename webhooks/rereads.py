"""Reads objects again from Stripe for events whose order is in doubt, beside the batches and within limits."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import uniform
from typing import Any

from billing.errors import BillingError, Code
from billing.mirroring import Mirroring, UnsettledOrderError, apply_as_system, told
from billing.stripe_client import StripeGateway
from mirror.apply import Applied, Arrival, apply
from mirror.order import Decision
from mirror.snapshot import Snapshot
from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.database import Database
from webhooks import inbox, listing
from webhooks.inbox import Event
from webhooks.listing import LISTINGS

_SIDE_BY_SIDE = 16
_OF_ONE_ACCOUNT = 4
_MAX_READS = 5
# One page costs what one read costs; below this it would mostly bring what nobody asked for.
_WORTH_A_PAGE = 8
# Stripe finds these by when they were made.
_BY_BIRTH = frozenset({"customer", "product", "price", "coupon", "subscription", "invoice", "payment_intent"})
_BY_KIND = {one.object: one for one in LISTINGS if one.object in _BY_BIRTH}
# Stripe is away, not the event at fault: it is looked at again within the minute, however long that lasts.
_AWAY = frozenset({Code.STRIPE_UNAVAILABLE, Code.RATE_LIMITED})
_PAUSE = (5.0, 20.0)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An object that must be read again, and the events that wait for it. `payments`: those of the invoice, too."""

    tenant_id: int
    account: str
    snapshot: Snapshot
    epoch: int
    events: tuple[Event, ...]
    outcome: Decision = Decision.REREAD
    payments: bool = False

    def joined(self, other: "Doubt") -> "Doubt":
        """One read for both; `other` was judged later."""
        reread = Decision.REREAD in {self.outcome, other.outcome}
        return replace(
            other,
            events=(*self.events, *other.events),
            outcome=Decision.REREAD if reread else other.outcome,
            payments=self.payments or other.payments,
        )


def _listed(doubt: Doubt) -> bool:
    """Whether a list would show the object: there is one, and it is not said to be deleted."""
    snapshot = doubt.snapshot
    known = snapshot.kind.object in _BY_KIND and not snapshot.deleted and not doubt.payments
    return known and doubt.outcome is Decision.REREAD and isinstance(snapshot.body.get("created"), int)


@dataclass(slots=True)
class Rereads:
    """Of one worker. What it holds when the process dies comes back by its lease."""

    database: Database
    stripe: StripeGateway
    livemode: bool
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SIDE_BY_SIDE))
    _lanes: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    def start(self, doubts: Iterable[Doubt]) -> None:
        """Begin to settle them; returns at once. Many of one type of one account are read by pages of its list."""
        groups: dict[tuple[str, str], list[Doubt]] = {}
        for doubt in doubts:
            groups.setdefault((doubt.account, doubt.snapshot.kind.object), []).append(doubt)
        for group in groups.values():
            if len(group) >= _WORTH_A_PAGE and all(map(_listed, group)):
                self._begin(self._settle_listed(group))
            else:
                for doubt in group:
                    self._begin(self._settle(doubt))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle_listed(self, doubts: list[Doubt]) -> None:
        """Read pages of a list while each brings more than single reads would; the rest is read one by one."""
        left = {doubt.snapshot.stripe_id: doubt for doubt in doubts}
        lane = self._lanes.setdefault(doubts[0].account, asyncio.Semaphore(_OF_ONE_ACCOUNT))
        async with lane, self._places:
            try:
                await self._read_pages(left)
            except Exception as error:  # noqa: BLE001 (single reads tell what is wrong, and set it aside)
                log.info("reread.no_pages", object=doubts[0].snapshot.kind.object, error=type(error).__name__)
        for doubt in left.values():
            self._begin(self._settle(doubt))

    async def _read_pages(self, left: dict[str, Doubt]) -> None:
        """Take out of `left` what the pages settle."""
        some = next(iter(left.values()))
        listing_ = _BY_KIND[some.snapshot.kind.object]
        way = Mirroring(self.stripe, some.tenant_id, some.account, self.livemode, background=True)
        born = [int(doubt.snapshot.body["created"]) for doubt in left.values()]
        bounds, after = {"created": {"gte": min(born), "lte": max(born)}}, None
        while len(left) >= _WORTH_A_PAGE:
            page = await listing.page(way.stripe, way.account, listing_, after=after, **bounds)
            found = [body for body in page.body["data"] if body["id"] in left]
            for body in found:
                whole = await way.whole(body, page)
                doubt = left[whole.stripe_id]
                if await self._came(doubt, Arrival(doubt.tenant_id, whole, read_epoch=doubt.epoch)):
                    del left[whole.stripe_id]
            if not page.body["has_more"] or len(found) < _WORTH_A_PAGE:
                return
            after = page.body["data"][-1]["id"]

    @property
    def open(self) -> int:
        """How many objects are being read or wait to be."""
        return len(self._tasks)

    async def finished(self) -> None:
        """Wait for what was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Give up what is not done; the leases bring it back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _settle(self, doubt: Doubt) -> None:
        lane = self._lanes.setdefault(doubt.account, asyncio.Semaphore(_OF_ONE_ACCOUNT))
        async with lane, self._places:
            try:
                await self._read(doubt)
            except Exception as error:  # noqa: BLE001 (set aside with its name; others go on)
                await self._set_aside(doubt, error)
        if lane._value == _OF_ONE_ACCOUNT:  # noqa: SLF001 (nobody holds it or waits: forget the account)
            self._lanes.pop(doubt.account, None)

    async def _read(self, doubt: Doubt) -> None:
        way = Mirroring(self.stripe, doubt.tenant_id, doubt.account, self.livemode, background=True)
        if doubt.payments:
            for payment in await way.invoice_payments(doubt.snapshot.stripe_id):
                await way.settle(payment, self._apply)
        epoch = doubt.epoch
        for _ in range(_MAX_READS):
            arrival = await way.reread(doubt.snapshot, epoch) if doubt.outcome is Decision.REREAD else None
            await passed(Failpoint.REREAD_DONE)
            newer = await self._came_or_epoch(doubt, arrival)
            if newer is None:
                return
            epoch = newer
        raise UnsettledOrderError(doubt.snapshot.stripe_id)

    async def _came(self, doubt: Doubt, arrival: Arrival) -> bool:
        """Whether a read settled its doubt."""
        return await self._came_or_epoch(doubt, arrival) is None

    async def _came_or_epoch(self, doubt: Doubt, arrival: Arrival | None) -> int | None:
        """Apply a read and settle its events, in one transaction; the epoch to read again with where it came late."""
        async with self.database.system_transaction() as connection:
            applied = await apply(connection, [arrival] if arrival else [])
            if arrival and applied.results[0].decision is Decision.REREAD:
                return applied.results[0].epoch
            await inbox.settle(connection, [(event.id, doubt.outcome) for event in doubt.events])
        await told(self.database.system, applied)
        return None

    async def _apply(self, arrival: Arrival) -> Applied:
        return await apply_as_system(self.database, arrival)

    async def _set_aside(self, doubt: Doubt, error: Exception) -> None:
        name = type(error).__name__
        log.warning("reread.failed", object=doubt.snapshot.kind.object, events=len(doubt.events), error=name)
        try:
            if isinstance(error, BillingError) and error.code in _AWAY:
                until = datetime.now(UTC) + timedelta(seconds=uniform(*_PAUSE))  # noqa: S311 (no secret)
                await inbox.delay(self.database.system, [event.id for event in doubt.events], until)
                return
            for event in doubt.events:
                await inbox.postpone(self.database.system, event, name)
        except Exception as away:  # noqa: BLE001 (the database is away too: the leases bring the events back)
            log.warning("reread.left", events=len(doubt.events), error=type(away).__name__)
