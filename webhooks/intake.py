"""Keeps deliveries that arrive together with one durable insert: the disk is waited for once for all of them."""

import asyncio
from dataclasses import dataclass, field

from storage.database import Connection
from webhooks import inbox
from webhooks.inbox import Delivery

_MOST_AT_ONCE = 500
_MOST_WAITING = 5_000
_INSERT_WITHIN = 2.0  # seconds; a connection that died silently must not hold up those that come after


class IntakeFullError(RuntimeError):
    """More deliveries wait for the database than may be held in memory: Stripe must come again."""


@dataclass(slots=True)
class Intake:
    """Of one process. While one insert is on its way, what arrives gathers for the next."""

    _waiting: list[tuple[Delivery, "asyncio.Future[bool]"]] = field(default_factory=list)
    _flush: "asyncio.Task[None] | None" = None

    async def keep(self, connection: Connection, delivery: Delivery) -> bool:
        """True once the delivery is committed, False if it was there already."""
        if len(self._waiting) >= _MOST_WAITING:
            raise IntakeFullError
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, kept))
        if self._flush is None:
            self._flush = asyncio.create_task(self._work(connection))
        return await kept

    async def _work(self, connection: Connection) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                # who has given up was told to come again
                batch = [(delivery, kept) for delivery, kept in batch if not kept.done()]
                try:
                    async with asyncio.timeout(_INSERT_WITHIN):
                        fresh = await inbox.insert(connection, [each for each, _ in batch]) if batch else set()
                except Exception as error:  # noqa: BLE001 (each of them is told, and answers 503)
                    for _, kept in batch:
                        if not kept.done():
                            kept.set_exception(error)
                    continue
                for delivery, kept in batch:
                    key = (delivery.account, delivery.event_id)
                    if not kept.done():
                        kept.set_result(key in fresh)
                    fresh.discard(key)
        finally:
            self._flush = None
