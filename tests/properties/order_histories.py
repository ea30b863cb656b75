"""Seeded histories of one object under Stripe's deliveries, run through the order rule and through the naive ones.

    python -m tests.properties.order_histories 100000

prints how many histories end wrong under each rule, and how many reads of Stripe each delivery cost. Nothing is lost in
them: what is lost is the reconciliation's matter.
"""

import heapq
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, takewhile
from typing import Any

from mirror.order import Decision, Known, judge
from mirror.snapshot import Snapshot, Source, from_event, snapshot
from tests.support.snapshots import START, at

VERSION = "ours"
_EPOCH = int(START.timestamp())


@dataclass(frozen=True)
class Traffic:
    """How an object changes: seconds between two changes, and how late deliveries come (means)."""

    name: str
    pause: float
    delay: float


BURSTS = Traffic("bursts", pause=0.2, delay=0.6)
MILD = Traffic("mild", pause=2.5, delay=1.0)


@dataclass(frozen=True)
class Change:
    """At `at` (seconds, with fractions) the object's state became `state`; None: it was deleted."""

    at: float
    state: str | None


@dataclass(frozen=True)
class History:
    """What happened, and what reaches us of it: events (arrival, told) and answers (call, arrival, told)."""

    changes: tuple[Change, ...]
    skew: float
    events: tuple[tuple[float, Snapshot], ...]
    answers: tuple[tuple[float, float, Snapshot], ...]

    def read(self, moment: float) -> Snapshot:
        """What Stripe's API answers at a moment, stamped by a clock of its own."""
        past = list(takewhile(lambda change: change.at <= moment, self.changes))
        return answer(past[-1].state, int(moment + self.skew), Source.REREAD)

    @property
    def truth(self) -> Snapshot:
        return self.read(self.changes[-1].at)


def body(state: str | None) -> dict[str, Any]:
    """A coupon whose whole state is its name: its id may be taken again after a deletion."""
    found: dict[str, Any] = {"id": "spring", "object": "coupon", "livemode": False}
    return found | ({"deleted": True} if state is None else {"created": _EPOCH, "name": state})


def answer(state: str | None, second: int, source: Source, request: str | None = None) -> Snapshot:
    return snapshot(body(state), stamp=at(second), source=source, livemode=False, request=request)


def told(kind: str, before: str | None, state: str | None, second: int, request: str | None = None) -> Snapshot:
    """An event; `before` is put into it where the kind of event carries it."""
    data: dict[str, Any] = {"object": body(state)}
    if kind == "updated":
        data["previous_attributes"] = {"name": before}
    event: dict[str, Any] = {"type": f"coupon.{kind}", "livemode": False, "created": _EPOCH + second, "data": data}
    event["request"] = {"id": request}
    return from_event(event, version=VERSION)


def history(seed: int, traffic: Traffic) -> History:
    """A history with its own seed: A→B→A, several changes in a second, deletions, re-creations, our own calls."""
    chance = random.Random(f"{traffic.name}:{seed}")
    skew = chance.choice([-0.9, -0.4, 0.0, 0.4, 0.9])
    moment = 100 + chance.random()
    changes = [Change(moment, "a")]
    events = list(_deliveries(chance, traffic, moment, told("created", None, "a", int(moment))))
    answers = []
    for number in range(chance.randint(1, 8)):
        last = changes[-1].state
        # an id is not taken again in the very moment of its deletion
        moment += chance.expovariate(1 / traffic.pause) + (4 if last is None else 0)
        roll = chance.random()
        state = None if roll < 0.04 and last else chance.choice(["a", "b", "c", f"s{number}"])
        if state == last:
            continue
        kind = "deleted" if state is None else "created" if last is None else "updated"
        changes.append(Change(moment, state))
        request = f"req_{number}" if chance.random() < 0.3 else None  # we did it ourselves
        events += _deliveries(chance, traffic, moment, told(kind, last, state, int(moment), request))
        if state and chance.random() < 0.1:  # as invoice.paid, which comes beside invoice.updated
            events += _deliveries(chance, traffic, moment, told("noticed", None, state, int(moment), request))
        if request:
            said = answer(state, int(moment + skew), Source.API, request)
            answers.append((moment - chance.uniform(0.02, 0.2), moment + chance.uniform(0.02, 0.4), said))
    return History(tuple(changes), skew, tuple(events), tuple(answers))


def _deliveries(chance: random.Random, traffic: Traffic, moment: float, event: Snapshot) -> Iterator[tuple[float, Any]]:
    for _ in range(2 if chance.random() < 0.2 else 1):
        mean = traffic.delay if chance.random() < 0.9 else 30
        yield moment + chance.expovariate(1 / mean), event


@dataclass
class Ours:
    """The rule as the worker and the requests use it: events one after the other, answers whenever they come.

    A re-read takes time, in which answers are judged and truth moves on.
    """

    told: History
    chance: random.Random
    row: Known | None = None
    reads: int = 0
    deliveries: int = 0
    _waiting: list[Snapshot] = field(default_factory=list)
    _busy: bool = False
    _queue: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=count)

    def run(self) -> bool:
        """Whether it ends in the true state."""
        for moment, event in self.told.events:
            self._at(moment, lambda now, event=event: self._arrive(now, event))  # type: ignore[misc]
        for called, moment, said in self.told.answers:
            self._at(called, lambda now, moment=moment, said=said: self._call(moment, said))  # type: ignore[misc]
        self.deliveries = len(self._queue)
        while self._queue:
            moment, _, act = heapq.heappop(self._queue)
            act(moment)
        return right(self.row, self.told.truth)

    def _at(self, moment: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._queue, (moment, next(self._number), act))

    def _arrive(self, now: float, event: Snapshot) -> None:
        self._waiting.append(event)
        if not self._busy:
            self._busy = True
            self._at(now + 0.01, self._work)

    def _work(self, now: float) -> None:
        batch, self._waiting = self._waiting, []
        doubts = [event for event in batch if self._judge(event) is Decision.REREAD]
        if doubts and self.row and self.row.source is Source.REREAD:
            # it was read just now: what else those seconds bring is looked at once a read is later than all of them
            for event in (one for one in doubts if patience(one, now) > 0):
                self._at(now + patience(event, now), lambda later, event=event: self._arrive(later, event))  # type: ignore[misc]
            doubts = [event for event in doubts if patience(event, now) <= 0]
        if doubts:
            self._reread(now, self._worked)
        else:
            self._worked(now)

    def _worked(self, now: float) -> None:
        self._busy = bool(self._waiting)
        if self._waiting:
            self._at(now + 0.01, self._work)

    def _call(self, answered: float, said: Snapshot) -> None:
        epoch = self.row.epoch if self.row else 0

        def come_back(now: float) -> None:
            if self._judge(said, epoch) is Decision.REREAD:
                self._reread(now, lambda _: None)

        self._at(answered, come_back)

    def _reread(self, now: float, then: Callable[[float], None]) -> None:
        self.reads += 1
        epoch = self.row.epoch if self.row else 0
        seen = now + latency(self.chance)
        found = self.told.read(seen)

        def come_back(later: float) -> None:
            if self._judge(found, epoch) is Decision.REREAD:
                self._reread(later, then)
            else:
                then(later)

        self._at(seen + latency(self.chance), come_back)

    def _judge(self, new: Snapshot, epoch: int | None = None) -> Decision:
        verdict = judge(self.row, new, read_epoch=epoch)
        self.row = verdict.known
        return verdict.decision


def latency(chance: random.Random) -> float:
    """Half a request's time in seconds; some are slow."""
    return chance.uniform(0.02, 0.2) * (10 if chance.random() < 0.05 else 1)


def patience(event: Snapshot, now: float) -> float:
    """How long until a read is surely later than an event, by any of Stripe's clocks."""
    return (event.stamp - START).total_seconds() + 3 - now


def right(row: Known | None, truth: Snapshot) -> bool:
    """The true state; what is gone needs no digest."""
    return bool(row and row.deleted == truth.deleted and (row.deleted or row.digest == truth.digest))


def by_time(told: History, *, equal: bool) -> bool:
    """A later `created` wins; `equal`: the same second wins too."""
    last: Snapshot | None = None
    for _, new in sorted([*told.events, *((when, said) for _, when, said in told.answers)], key=lambda each: each[0]):
        if last is None or new.stamp > last.stamp or (equal and new.stamp == last.stamp):
            last = new
    return last is not None and last.deleted == told.truth.deleted and last.digest == told.truth.digest


def by_last_read(told: History, chance: random.Random) -> bool:
    """Every delivery reads the object, several at a time, and who comes back last has written it."""
    reads = []
    for moment in (*(arrived for arrived, _ in told.events), *(arrived for _, arrived, _ in told.answers)):
        seen = moment + latency(chance)
        reads.append((seen + latency(chance), seen))
    last = told.read(max(reads)[1])
    return last.deleted == told.truth.deleted and last.digest == told.truth.digest


def measure(traffic: Traffic, seeds: range) -> Counter[str]:
    """How many histories end wrong under each rule, with deliveries and the reads that ours needed."""
    found: Counter[str] = Counter()
    for seed in seeds:
        told = history(seed, traffic)
        chance = random.Random(seed)
        ours = Ours(told, chance)
        found["ours"] += not ours.run()
        found["<"] += not by_time(told, equal=False)
        found["<="] += not by_time(told, equal=True)
        found["last read"] += not by_last_read(told, chance)
        found["reads"] += ours.reads
        found["deliveries"] += ours.deliveries
    return found


def main() -> None:
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for traffic in (BURSTS, MILD):
        found = measure(traffic, range(histories))
        wrong = "  ".join(f"{rule}: {found[rule]} ({found[rule] / histories:.2%})" for rule in ("<", "<=", "last read"))
        print(f"{traffic.name}: {histories} histories, {found['deliveries']} deliveries")
        print(f"  wrong  ours: {found['ours']}  {wrong}")
        print(f"  reads per delivery: {found['reads'] / found['deliveries']:.3f}")


if __name__ == "__main__":
    main()
