"""Works events off the inbox: each goes through the one door, read again from Stripe where its order is in doubt."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from billing.mirroring import Mirroring, apply_as_system
from billing.stripe_client import StripeGateway
from mirror.apply import Arrival
from mirror.kinds import KINDS
from mirror.order import Decision
from mirror.snapshot import Snapshot, Source, snapshot
from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.database import Database
from webhooks import inbox
from webhooks.inbox import Event, Outcome

_BATCH = 50
_SIDE_BY_SIDE = 8
_IDLE = 1.0  # a lost notification costs a second at the most
# These events tell that an object is gone; a cancelled subscription is not gone, it has ended.
_DELETIONS = frozenset({"customer.deleted", "product.deleted", "price.deleted", "coupon.deleted"})

# Stripe tells of an invoice's payment by event once it is paid; of one that failed only the list knows.
_FAILED_PAYMENTS = frozenset({"invoice.payment_failed", "invoice.payment_action_required"})

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """Any number of these may run, in any number of processes."""

    database: Database
    stripe: StripeGateway
    livemode: bool

    async def run(self, wake: asyncio.Event) -> None:
        """Work until cancelled; `wake` is set when events arrive."""
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

    async def work_once(self) -> int:
        """Lease a batch and settle each of its events; returns how many there were.

        Each object's events are applied one after the other, different objects side by side, each event in a
        transaction of its own, so that a poisoned one holds up nobody. An event that is applied but not settled when
        the process dies is applied again, which changes nothing.
        """
        events = await inbox.lease(self.database.system, limit=_BATCH)
        if not events:
            return 0
        await passed(Failpoint.EVENT_LEASED)
        tenants = await self._tenants({event.account for event in events})
        groups: dict[tuple[str, str], list[Event]] = {}
        for event in events:
            groups.setdefault((event.account, event.object_id), []).append(event)
        places = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def work(group: list[Event]) -> list[tuple[int, str]]:
            async with places:
                done = [(event.id, await self._attempt(event, tenants.get(event.account))) for event in group]
            return [(id_, outcome) for id_, outcome in done if outcome is not None]

        settled = await asyncio.gather(*(work(group) for group in groups.values()))
        await passed(Failpoint.EVENT_APPLIED)
        await inbox.settle(self.database.system, [pair for pairs in settled for pair in pairs])
        return len(events)

    async def _attempt(self, event: Event, tenant_id: int | None) -> str | None:
        try:
            return await self._handle(event, tenant_id)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one event is not wrong with the others)
            log.warning("event.postponed", event_id=event.event_id, type=event.type, error=type(error).__name__)
            await inbox.postpone(self.database.system, event, type(error).__name__)
            return None

    async def _tenants(self, accounts: set[str]) -> Mapping[str, int]:
        rows = await self.database.system.execute_query_dict(
            "select account_id, id from tenants where account_id = any($1::text[])", [sorted(accounts)]
        )
        return {row["account_id"]: row["id"] for row in rows}

    async def _handle(self, event: Event, tenant_id: int | None) -> str:
        if event.livemode != self.livemode:
            return Outcome.OTHER_MODE
        body = event.payload["data"]["object"]
        if body.get("object") not in KINDS:
            return Outcome.UNHANDLED_TYPE
        if tenant_id is None:
            return Outcome.UNKNOWN_ACCOUNT
        arrival = Arrival(tenant_id, self._snapshot(event, body))
        way = Mirroring(self.stripe, tenant_id, event.account, event.livemode)
        transact = partial(apply_as_system, self.database)
        applied, decisions = await way.settle(arrival, transact)
        if event.type in _FAILED_PAYMENTS:
            for payment in await way.invoice_payments(event.object_id):
                await way.settle(payment, transact)
        # what is recorded is how the event itself was judged; the re-read that followed settled it
        return Decision.REREAD if decisions[0] is Decision.REREAD else applied.results[0].decision

    def _snapshot(self, event: Event, body: Mapping[str, Any]) -> Snapshot:
        marked = dict(body) | ({"deleted": True} if event.type in _DELETIONS else {})
        return snapshot(marked, stamp=event.created, source=Source.EVENT, livemode=event.livemode)
