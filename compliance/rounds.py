"""Makes the rounds: checks and clearing up at their intervals, by one process at a time, however many there are."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from compliance import invariants, retention
from observability.logs import logger
from storage.database import Connection, Database

_LOOK_EVERY = 20.0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Rounds:
    """`keep_payloads` is how long a settled event's payload is kept."""

    database: Database
    keep_payloads: timedelta

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.make()
            except Exception as error:  # noqa: BLE001 (the database may be away: the next round comes)
                log.warning("rounds.left", error=type(error).__name__)
            await asyncio.sleep(_LOOK_EVERY)

    async def make(self) -> None:
        """Every round that is due."""
        await self._round("invariants", invariants.EVERY, self._check)
        await self._round("retention", retention.EVERY, self._forget)

    async def _round(
        self, name: str, every: timedelta, work: Callable[[Connection, datetime | None], Awaitable[dict[str, Any]]]
    ) -> None:
        system = self.database.system
        rows = await system.execute_query_dict("select begun from rounds where name = $1", [name])
        before: datetime | None = rows[0]["begun"] if rows else None
        # the first to write the new beginning makes the round
        claimed = await system.execute_query_dict(
            "insert into rounds (name, begun) values ($1, now()) on conflict (name) do update set begun = now()"
            " where rounds.begun <= now() - $2::interval returning begun",
            [name, every],
        )
        if claimed:
            result = await work(system, before)
            await system.execute_query(
                "update rounds set result = $2 where name = $1", [name, orjson.dumps(result).decode()]
            )

    async def _check(self, system: Connection, before: datetime | None) -> dict[str, Any]:
        # what was being written while the last round looked is looked at again
        found = await invariants.check(system, since=before and before - timedelta(minutes=1))
        for name, count in found.items():
            if count:
                log.error("invariant.broken", invariant=name, count=count)
        return found

    async def _forget(self, system: Connection, _: datetime | None) -> dict[str, Any]:
        erased = await retention.erase_payloads(system, after=self.keep_payloads)
        if erased:
            log.info("payloads.erased", count=erased)
        return {"erased": erased}
