"""Keeps what one account suffers at Stripe from reaching others: each has a breaker, a bulkhead and a budget."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import uniform
from time import monotonic

_MOST_ACCOUNTS = 10_000


class StripeAwayError(RuntimeError):
    """The breaker is open: Stripe did not answer for this account just now, and one request a second asks again."""


class TooBusyError(RuntimeError):
    """As many requests of this account are under way as may be, and none ended in time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Per account and process. Stripe allows 100 requests a second for an account, 25 for an endpoint or in test mode.

    `opens_after`: failures in a row; `probe_every`, `patience` and `pause` in seconds.
    """

    at_once: int = 16
    background_at_once: int = 4
    background_per_second: float = 20.0
    opens_after: int = 5
    probe_every: float = 1.0
    patience: float = 1.0
    pause: float = 1.0


@dataclass(slots=True)
class _Lane:
    """One account's state."""

    places: asyncio.Semaphore
    background: asyncio.Semaphore
    failures: int = 0
    probe_at: float = 0.0
    next_background: float = 0.0
    busy: int = 0


@dataclass(slots=True)
class Pressure:
    """All accounts' lanes in one process; `clock` is monotonic seconds."""

    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = monotonic
    _lanes: "OrderedDict[str, _Lane]" = field(default_factory=OrderedDict)

    @asynccontextmanager
    async def request(self, account: str, *, background: bool) -> AsyncIterator["Turn"]:
        """A turn to ask Stripe; raises StripeAwayError or TooBusyError instead of letting the caller wait for long.

        Work in the background waits for the account's budget, and never takes more than its share of the places.
        """
        lane = self._lane(account)
        lane.busy += 1
        try:
            if background:
                async with lane.background:
                    await self._budget(lane)
                    self._let_through(lane)
                    async with lane.places:
                        yield Turn(self, lane)
                return
            self._let_through(lane)
            try:
                async with asyncio.timeout(self.limits.patience):
                    await lane.places.acquire()
            except TimeoutError as error:
                raise TooBusyError from error
            try:
                yield Turn(self, lane)
            finally:
                lane.places.release()
        finally:
            lane.busy -= 1

    def _lane(self, account: str) -> _Lane:
        lane = self._lanes.get(account)
        if lane is None:
            limits = self.limits
            lane = _Lane(asyncio.Semaphore(limits.at_once), asyncio.Semaphore(limits.background_at_once))
            self._lanes[account] = lane
            self._forget()
        self._lanes.move_to_end(account)
        return lane

    def _forget(self) -> None:
        """Idle accounts go, oldest first, so that memory is bounded."""
        for name in list(self._lanes)[: max(len(self._lanes) - _MOST_ACCOUNTS, 0)]:
            if not self._lanes[name].busy:
                del self._lanes[name]

    def _let_through(self, lane: _Lane) -> None:
        if lane.failures < self.limits.opens_after:
            return
        now = self.clock()
        if now < lane.probe_at:
            raise StripeAwayError
        lane.probe_at = now + self.limits.probe_every  # this one asks for all

    async def _budget(self, lane: _Lane) -> None:
        now = self.clock()
        turn = max(lane.next_background, now)
        lane.next_background = turn + 1 / self.limits.background_per_second
        if turn > now:
            await asyncio.sleep(turn - now)


@dataclass(frozen=True, slots=True)
class Turn:
    """One request's; it says how the request ended."""

    pressure: Pressure
    lane: _Lane

    def answered(self) -> None:
        """Stripe answered, whatever it said: it is there."""
        self.lane.failures = 0

    def failed(self) -> None:
        """No answer, or a fault of Stripe's."""
        self.lane.failures += 1
        if self.lane.failures == self.pressure.limits.opens_after:
            self.lane.probe_at = self.pressure.clock() + self.pressure.limits.probe_every

    def slow_down(self) -> None:
        """Stripe said 429: the background pauses, each process a little differently."""
        self.lane.failures = 0
        pause = self.pressure.limits.pause * uniform(1, 2)  # noqa: S311 (no secret)
        self.lane.next_background = max(self.lane.next_background, self.pressure.clock() + pause)
