"""Runs what follows from a transition, once, whichever of mutation, webhook and reconcile saw it first.

A reaction writes in the transaction that settles its effect: after a crash either both are there or neither is.
What must leave the database (mail, requests to others) a reaction puts into a table of its own for somebody to send.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.binding import bind_tenant
from storage.database import Connection, Database

MAX_ATTEMPTS = 12
_AT_ONCE = 50
_IDLE = 1.0
_LEASE = timedelta(seconds=30)
_FIRST_DELAY = timedelta(seconds=1)
_LONGEST_DELAY = timedelta(minutes=10)
_KEY = ("tenant_id", "livemode", "object_type", "stripe_id", "transition", "occasion")
_MATCHES = " and ".join(f"{name} = ${number}" for number, name in enumerate(_KEY, 1))

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Effect:
    """An object of a tenant's came to a state; `word` is what reactions are registered for, as `invoice.paid`."""

    tenant_id: int
    livemode: bool
    object_type: str
    stripe_id: str
    transition: str
    occasion: str
    customer_id: str | None
    attempts: int

    @property
    def word(self) -> str:
        return f"{self.object_type}.{self.transition}"

    @property
    def key(self) -> list[object]:
        return [getattr(self, name) for name in _KEY]


Reaction = Callable[[Connection, Effect], Awaitable[None]]


async def tell(_: Connection, effect: Effect) -> None:
    """The line in the log by which monitoring counts what happened; ids only, nobody's data."""
    log.info("billing.transition", word=effect.word, tenant=effect.tenant_id, object=effect.stripe_id)


ALWAYS: Sequence[Reaction] = (tell,)


@dataclass(frozen=True, slots=True)
class Effects:
    """Any number of these may run, in any number of processes; an effect is one's at a time.

    `reactions` names those of single words, as `invoice.paid`; those of `always` run for each.
    """

    database: Database
    reactions: Mapping[str, Sequence[Reaction]]
    always: Sequence[Reaction] = ALWAYS

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                worked = await self.work_once()
            except Exception as error:  # noqa: BLE001 (the leases bring the effects back)
                log.warning("effects.left", error=type(error).__name__)
                worked = 0
            if not worked:
                await asyncio.sleep(_IDLE)

    async def work_once(self) -> int:
        """Take what is due and do it; returns how many effects there were."""
        effects = await self._take()
        for effect in effects:
            with bind_tenant(effect.tenant_id):
                try:
                    await self._do(effect)
                except Exception as error:  # noqa: BLE001 (set aside with its name; tried again later)
                    await self._postpone(effect, type(error).__name__)
        return len(effects)

    async def _take(self) -> list[Effect]:
        rows = await self.database.system.execute_query_dict(
            f"with taken as (select {', '.join(_KEY)} from effects where state = 'waiting' and due <= now()"  # noqa: S608
            " order by due limit $1 for update skip locked)"
            f" update effects e set due = now() + $2 from taken t where {_same('e', 't')}"
            " returning " + ", ".join(f"e.{name}" for name in (*_KEY, "customer_id", "attempts")),
            [_AT_ONCE, _LEASE],
        )
        return [Effect(**row) for row in rows]

    async def _do(self, effect: Effect) -> None:
        async with self.database.app_transaction() as connection:
            settled = await connection.execute_query_dict(
                f"update effects set state = 'done', finished = now(), error = null where {_MATCHES}"  # noqa: S608
                " and state = 'waiting' returning stripe_id",
                effect.key,
            )
            # another process was faster, after our lease had run out
            if not settled:
                return
            for reaction in (*self.always, *self.reactions.get(effect.word, ())):
                await reaction(connection, effect)
            await passed(Failpoint.EFFECT_DONE)

    async def _postpone(self, effect: Effect, error: str) -> None:
        log.warning("effect.postponed", word=effect.word, tenant=effect.tenant_id, error=error)
        state = "dead" if effect.attempts + 1 >= MAX_ATTEMPTS else "waiting"
        wait = min(_FIRST_DELAY * 2**effect.attempts, _LONGEST_DELAY)
        await self.database.app.execute_query(
            f"update effects set attempts = attempts + 1, due = now() + $7, state = $8, error = $9 where {_MATCHES}"  # noqa: S608
            " and state = 'waiting'",
            [*effect.key, wait, state, error],
        )


def _same(one: str, other: str) -> str:
    return " and ".join(f"{one}.{name} = {other}.{name}" for name in _KEY)
