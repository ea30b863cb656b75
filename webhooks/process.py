"""Works events off the inbox in batches: one transaction takes them, judges them, writes the mirror and settles them.

What can't be judged without Stripe is leased in the same transaction and read again beside the batches, so that a slow
account holds up nobody else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import stripe as stripe_sdk

from billing.mirroring import told
from billing.stripe_client import StripeGateway
from mirror.apply import Applied, Arrival, apply
from mirror.kinds import KINDS
from mirror.order import Decision
from mirror.snapshot import Source, from_event
from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.database import Connection, Database
from webhooks import accounts, inbox
from webhooks.inbox import Event, Lanes, Outcome
from webhooks.rereads import Doubt, Rereads

BATCH = 250
_IDLE = 1.0  # a lost notification costs a second at the most
# Stripe tells of an invoice's payment by event once it is paid; of one that failed only the list knows.
_FAILED_PAYMENTS = frozenset({"invoice.payment_failed", "invoice.payment_action_required"})
# How long after an event a read of its object is surely later than it, by any of Stripe's clocks.
_CLOCKS_AGREE = timedelta(seconds=3)

log = logger(__name__)


# It has the form of an invoice that does not exist yet.
_PREVIEWS = frozenset({"invoice.upcoming"})


def _tells_of_a_kept_object(event: Event) -> bool:
    kept = event.payload["data"]["object"].get("object") in KINDS
    return kept and bool(event.object_id) and event.type not in _PREVIEWS


@dataclass(slots=True)
class _Judged:
    """What one transaction makes of its events."""

    settled: list[tuple[int, str]] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    later: dict[datetime, list[int]] = field(default_factory=dict)
    notices: list[tuple[Event, int]] = field(default_factory=list)
    told_of: list[tuple[Event, Arrival]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Worker:
    """Any number of these may run, in any number of processes."""

    database: Database
    stripe: StripeGateway
    livemode: bool
    lanes: Lanes = field(default_factory=Lanes)
    rereads: Rereads = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rereads", Rereads(self.database, self.stripe, self.livemode))

    async def run(self, wake: asyncio.Event) -> None:
        """Work until cancelled; `wake` is set when events arrive."""
        try:
            while True:
                wake.clear()
                try:
                    worked = await self.work_once()
                except Exception as error:  # noqa: BLE001 (the database may be away: the worker outlives it)
                    log.warning("worker.failed", error=type(error).__name__)
                    await asyncio.sleep(_IDLE)
                    continue
                if not worked:
                    try:
                        await asyncio.wait_for(wake.wait(), _IDLE)
                    except TimeoutError:
                        continue
        finally:
            await self.rereads.stop()

    async def work_once(self) -> int:
        """Take a batch and settle it, or start to; returns how many events there were."""
        taken: list[Event] = []

        async def take(connection: Connection) -> list[Event]:
            taken.extend(await self.lanes.take(connection, limit=BATCH))
            return taken

        try:
            await self._transact(take)
        except Exception as error:
            if not taken:
                raise
            log.warning("batch.split", events=len(taken), error=type(error).__name__)
            for event in taken:
                await self._alone(event)
        return len(taken)

    async def _alone(self, event: Event) -> None:
        """One event in a transaction of its own: what fails here is set aside."""

        async def take(connection: Connection) -> list[Event]:
            found = await inbox.take_one(connection, event.id)
            return [found] if found else []

        try:
            await self._transact(take)
        except Exception as error:  # noqa: BLE001 (set aside, with its name; tried again later)
            log.warning("event.postponed", event_id=event.event_id, type=event.type, error=type(error).__name__)
            await inbox.postpone(self.database.system, event, type(error).__name__)

    async def _transact(self, take: Callable[[Connection], Awaitable[list[Event]]]) -> None:
        async with self.database.system_transaction() as connection:
            events = await take(connection)
            judged, applied = await self._judge(connection, events) if events else (_Judged(), Applied())
        if events:
            await passed(Failpoint.EVENT_APPLIED)
        await told(self.database.system, applied)
        self.rereads.start(judged.doubts)
        for event, tenant_id in judged.notices:
            await accounts.handle(self.database, event, tenant_id)

    async def _judge(self, connection: Connection, events: list[Event]) -> tuple[_Judged, Applied]:
        await passed(Failpoint.EVENT_LEASED)
        tenants = await self._tenants(connection, {event.account for event in events})
        judged = _Judged()
        for event in events:
            self._route(event, tenants.get(event.account), judged)
        applied = await apply(connection, [arrival for _, arrival in judged.told_of])
        self._sort(judged, applied, now=datetime.now(UTC))
        await inbox.settle(connection, judged.settled)
        leased = [event.id for doubt in judged.doubts for event in doubt.events]
        await inbox.lease(connection, leased + [event.id for event, _ in judged.notices])
        for until, ids in judged.later.items():
            await inbox.delay(connection, ids, until)
        return judged, applied

    def _route(self, event: Event, tenant_id: int | None, judged: _Judged) -> None:
        """Settle what is not for the mirror; the rest is told to it."""
        notice = event.type in accounts.TYPES
        if event.livemode != self.livemode:
            judged.settled.append((event.id, Outcome.OTHER_MODE))
        elif not notice and not _tells_of_a_kept_object(event):
            judged.settled.append((event.id, Outcome.UNHANDLED_TYPE))
        elif tenant_id is None:
            judged.settled.append((event.id, Outcome.UNKNOWN_ACCOUNT))
        elif notice:
            judged.notices.append((event, tenant_id))
        else:
            snapshot = from_event(event.payload, version=stripe_sdk.api_version)
            judged.told_of.append((event, Arrival(tenant_id, snapshot)))

    def _sort(self, judged: _Judged, applied: Applied, *, now: datetime) -> None:
        """What is settled, what must be read again now, and what can wait for a read that settles it for certain."""
        doubts: dict[tuple[int, str], Doubt] = {}
        for (event, arrival), result in zip(judged.told_of, applied.results, strict=True):
            snapshot, until = arrival.snapshot, event.created + _CLOCKS_AGREE
            payments = event.type in _FAILED_PAYMENTS
            if result.decision is not Decision.REREAD and not payments:
                judged.settled.append((event.id, result.decision))
            elif result.source is Source.REREAD and not snapshot.doubtful and now < until and not payments:
                judged.later.setdefault(until, []).append(event.id)
            else:
                key = (arrival.tenant_id, snapshot.stripe_id)
                new = Doubt(*key[:1], event.account, snapshot, result.epoch, (event,), result.decision, payments)
                # the last of the batch has the newest epoch; one read settles them all
                doubts[key] = doubts[key].joined(new) if key in doubts else new
        judged.doubts.extend(doubts.values())

    async def _tenants(self, connection: Connection, names: set[str]) -> Mapping[str, int]:
        rows = await connection.execute_query_dict(
            "select account_id, id from tenants where account_id = any($1::text[])", [sorted(names)]
        )
        return {row["account_id"]: row["id"] for row in rows}
