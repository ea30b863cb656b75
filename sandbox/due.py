"""Does what is due: by the real clock all the time, by a test clock while it is advanced."""

import asyncio
import logging
from collections.abc import Callable

from sandbox.config import Config
from sandbox.context import Context
from sandbox.paying.intents import clear
from sandbox.planning import KIND, plan
from sandbox.resources.payouts import arrive
from sandbox.store import Object, Store, Transaction
from sandbox.subscribing.cycle import work_on_invoice, work_on_subscription
from sandbox.subscribing.schedule import work_on_schedule

CLOCK = "test_helpers.test_clock"
INTERVAL = 0.25  # seconds between two looks
PER_LOOK = 1000  # jobs, so that a look always ends

log = logging.getLogger(__name__)
Work = Callable[[Context, str], None]
WORK: dict[str, Work] = {
    "invoice": work_on_invoice,
    "payment_intent": clear,
    "payout": arrive,
    "subscription": work_on_subscription,
    "subscription_schedule": work_on_schedule,
}
# In the same second a schedule enters its phase before the subscription renews, so that the renewal bills the phase.
FIRST = "subscription_schedule"


class Due:
    """Each job is one transaction, at the second for which it was planned."""

    def __init__(self, config: Config, store: Store, commit: Callable[[Transaction], None]) -> None:
        self._config = config
        self._store = store
        self._commit = commit
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> None:
        """Do all that is due now; requests are answered in between."""
        for _ in range(PER_LOOK):
            found = self._earliest(None, int(self._config.clock()))
            if found is None:
                return
            account, planned = found
            if planned["kind"] == CLOCK:
                self._step(account, planned["subject"])
            else:
                self._do(account, planned)
            await asyncio.sleep(0)

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL)

    def _earliest(self, clock: str | None, until: int) -> tuple[str, Object] | None:
        found: tuple[str, Object] | None = None
        for account, tables in self._store.accounts.items():
            for planned in tables.get(KIND, {}).values():
                if planned["clock"] != clock or planned["at"] > until:
                    continue
                earlier = found is None or planned["at"] < found[1]["at"]
                if earlier or (planned["kind"] == FIRST and found is not None and found[1]["kind"] != FIRST):
                    until, found = planned["at"], (account, planned)
        return found

    def _step(self, account: str, clock_id: str) -> None:
        """One job of an advancing test clock, or, when none is left, its arrival."""
        clock = self._store.table(account, CLOCK)[clock_id]
        target = clock["_target"]
        found = self._earliest(clock_id, target)
        if found is not None:
            self._do(*found)
            return
        ctx = self._context(account, target)
        draft = ctx.edit(CLOCK, clock_id)
        draft |= {"frozen_time": target, "status": "ready", "status_details": {"advancing": None}}
        plan(ctx, draft, None)
        ctx.emit("test_helpers.test_clock.ready", draft)
        self._commit(ctx.tx)

    def _do(self, account: str, planned: Object) -> None:
        ctx = self._context(account, planned["at"])
        try:
            WORK[planned["kind"]](ctx, planned["subject"])
        except Exception:
            log.exception("The work due on %s failed, and is not tried again.", planned["subject"])
            ctx.tx.rollback()
            ctx.tx.delete(account, KIND, planned["id"])
        after = ctx.tx.get(account, KIND, planned["id"])
        if after is not None and after["at"] == planned["at"]:
            log.error("The work due on %s changed nothing, and is not tried again.", planned["subject"])
            ctx.tx.delete(account, KIND, planned["id"])
        self._commit(ctx.tx)

    def _context(self, account: str, now: int) -> Context:
        return Context(Transaction(self._store), self._config, account, now)
