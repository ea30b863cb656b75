"""Which of two snapshots of an object is newer: the pure rule, without database or network.

Stripe promises no order, and its times have whole seconds. So the rule answers only what can be proved, and asks for
a re-read where it can't. The re-read itself is applied by compare-and-set on the object's epoch.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mirror.chain import Chain, short
from mirror.snapshot import Snapshot, Source


class Decision(StrEnum):
    """What becomes of a snapshot; also the outcome that is recorded for it."""

    APPLIED = "applied"
    STALE = "stale"
    SAME = "same"
    REREAD = "reread"


@dataclass(frozen=True, slots=True)
class Known:
    """What the mirror holds of the object now.

    `epoch` counts the deliveries that were judged, `read` is the one at which a re-read was last settled. `request` is
    the id of the API request whose answer or event the state came by; `rank` says how far its status has gone; `chain`
    is what events of the last seconds told of their order.
    """

    stamp: datetime
    source: Source
    epoch: int
    digest: bytes
    deleted: bool
    request: str | None = None
    rank: int = 0
    read: int = 0
    chain: Chain = field(default_factory=Chain)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, and what the mirror must remember of the object from now on (None: it holds none)."""

    decision: Decision
    known: Known | None


# An event's time and an API answer's Date come from different machines of Stripe's.
_BETWEEN_CLOCKS = timedelta(seconds=2)
_NO_DOUBT = timedelta(0)


def judge(known: Known | None, new: Snapshot, *, read_epoch: int | None = None) -> Verdict:
    """Decide on a snapshot, and say what is known after it.

    `read_epoch` is the object's epoch (0: none) when the request began that a re-read, or the answer to a call of our
    own, came by. If no other delivery was judged since, it is surely newer than all that the mirror has seen; a re-read
    is applied only then.
    """
    decision = _decide(known, new, read_epoch)
    if decision is Decision.APPLIED:
        epoch = known.epoch + 1 if known else 1
        chain = known.chain if known and not new.deleted else Chain()
        chain = _heard(chain, new).since(new.stamp - _BETWEEN_CLOCKS)
        read = epoch if new.source is Source.REREAD else known.read if known else 0
        state = (new.stamp, new.source, epoch, new.digest, new.deleted, new.request, new.rank)
        return Verdict(decision, Known(*state, read=read, chain=chain))
    # a re-read that came too late is no delivery: raising the epoch for it would let two readers refuse each other
    if known is None or (new.source is Source.REREAD and decision is not Decision.SAME):
        return Verdict(decision, known)
    epoch, chain = known.epoch + 1, _heard(known.chain, new)
    read = epoch if new.source is Source.REREAD else known.read
    if decision is Decision.SAME and new.stamp > known.stamp:
        # the clock by which the later time was told goes with it
        known = replace(known, stamp=new.stamp, source=new.source, request=new.request)
    chain = chain.since(known.stamp - _BETWEEN_CLOCKS)
    return Verdict(decision, replace(known, epoch=epoch, read=read, chain=chain))


def _heard(chain: Chain, new: Snapshot) -> Chain:
    """Answers of the API are states, not steps; a deletion, or an event that told no step, ends what can be proved."""
    if new.link is not None:
        return chain.joined(new.link)
    return chain.broke(new.stamp) if new.source is Source.EVENT or new.deleted else chain


def _decide(known: Known | None, new: Snapshot, read_epoch: int | None) -> Decision:
    unseen = read_epoch is not None and (known.epoch if known else 0) == read_epoch
    if new.source is Source.REREAD or (unseen and new.source is Source.API and not new.doubtful):
        if unseen:
            return Decision.SAME if known and _alike(known, new) else Decision.APPLIED
        # another read, begun after what this one was to settle, may have been quicker
        return Decision.STALE if known and known.read > (read_epoch or 0) else Decision.REREAD
    if known is None:
        return Decision.REREAD if new.doubtful else Decision.APPLIED
    doubt = _NO_DOUBT if known.source is new.source is Source.EVENT else _BETWEEN_CLOCKS
    if known.deleted or new.deleted:
        return _of_the_gone(known, new, doubt)
    if new.doubtful:
        return Decision.REREAD
    if new.stamp > known.stamp + doubt:
        return Decision.APPLIED
    if new.stamp < known.stamp - doubt:
        return Decision.STALE
    return _in_doubt(known, new, doubt)


def _of_the_gone(known: Known, new: Snapshot, doubt: timedelta) -> Decision:
    """A late update revives nothing and a deletion is final; an id that may be taken again is read again."""
    if known.deleted and new.deleted:
        return Decision.SAME
    if known.deleted:
        return Decision.REREAD if new.kind.reusable and new.stamp > known.stamp - doubt else Decision.STALE
    return Decision.REREAD if new.kind.reusable and new.stamp < known.stamp - doubt else Decision.APPLIED


def _in_doubt(known: Known, new: Snapshot, doubt: timedelta) -> Decision:
    if _alike(known, new):
        return Decision.SAME
    if known.rank != new.rank:
        return Decision.APPLIED if new.rank > known.rank else Decision.STALE
    if new.request and new.request == known.request and known.source is not new.source:
        # a request answers when all that it changed has been told
        return Decision.APPLIED if new.source is Source.API else Decision.STALE
    return _by_chain(_heard(known.chain, new).since(new.stamp - doubt), known, new)


def _by_chain(chain: Chain, known: Known, new: Snapshot) -> Decision:
    """Both states must lie on one path that holds every event heard of; then its last state is the newest."""
    path = chain.order()
    before, after = short(known.digest), short(new.digest)
    if before in path and path[-1] == after:
        return Decision.APPLIED
    return Decision.STALE if after in path and path[-1] == before else Decision.REREAD


def _alike(known: Known, new: Snapshot) -> bool:
    """The same state; of what is gone Stripe tells now more, now less, and nothing else matters."""
    return known.deleted and new.deleted if known.deleted or new.deleted else known.digest == new.digest
