"""Reads objects again from Stripe for events whose order is in doubt, beside the batches and within limits."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import uniform

from billing.errors import BillingError, Code
from billing.mirroring import Mirroring, UnsettledOrderError, apply_as_system, told
from billing.stripe_client import StripeGateway
from mirror.apply import Applied, Arrival, apply
from mirror.order import Decision
from mirror.snapshot import Snapshot
from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.database import Database
from webhooks import inbox
from webhooks.inbox import Event

_SIDE_BY_SIDE = 16
_OF_ONE_ACCOUNT = 4
_MAX_READS = 5
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
        """Begin to settle them; returns at once."""
        for doubt in doubts:
            task = asyncio.create_task(self._settle(doubt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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
            async with self.database.system_transaction() as connection:
                applied = await apply(connection, [arrival] if arrival else [])
                again = bool(arrival) and applied.results[0].decision is Decision.REREAD
                if not again:
                    await inbox.settle(connection, [(event.id, doubt.outcome) for event in doubt.events])
            if not again:
                await told(self.database.system, applied)
                return
            epoch = applied.results[0].epoch
        raise UnsettledOrderError(doubt.snapshot.stripe_id)

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
