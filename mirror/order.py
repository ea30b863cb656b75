"""Which of two snapshots of an object is newer: the pure rule, without database or network.

Stripe promises no order, and its times have whole seconds. So the rule answers only what can be proved, and asks for
a re-read where it can't. The re-read itself is applied by compare-and-set on the object's epoch.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mirror.snapshot import Snapshot, Source


class Decision(StrEnum):
    """What becomes of a snapshot; also the outcome that is recorded for it."""

    APPLIED = "applied"
    STALE = "stale"
    SAME = "same"
    REREAD = "reread"


@dataclass(frozen=True, slots=True)
class Known:
    """What the mirror holds of the object now."""

    stamp: datetime
    source: Source
    epoch: int
    digest: bytes
    deleted: bool


# An event's time and an API answer's Date come from different machines of Stripe's.
_BETWEEN_CLOCKS = timedelta(seconds=2)
_NO_DOUBT = timedelta(0)


def decide(known: Known | None, new: Snapshot, *, read_epoch: int | None = None) -> Decision:
    """Compare a snapshot with what is known.

    `read_epoch` is given for a re-read: the object's epoch (0: none) when that read began. It is applied only if no
    other delivery was handled since, because only then is it surely newer than all that the mirror has seen.
    """
    if new.source is Source.REREAD:
        if (known.epoch if known else 0) != read_epoch:
            return Decision.REREAD
        return Decision.SAME if known and _alike(known, new) else Decision.APPLIED
    if known and known.deleted and not new.deleted:
        # a late update revives nothing; a reused id (coupons) is told apart by reading it again
        return Decision.REREAD if new.stamp > known.stamp else Decision.STALE
    if new.truncated:
        return Decision.REREAD
    if known is None:
        return Decision.APPLIED
    doubt = _NO_DOUBT if known.source is new.source is Source.EVENT else _BETWEEN_CLOCKS
    if new.deleted:
        if known.deleted:
            return Decision.SAME
        # a deletion is final, unless the id (a coupon's) has been taken again since
        return Decision.REREAD if new.stamp < known.stamp - doubt else Decision.APPLIED
    if new.stamp > known.stamp + doubt:
        return Decision.APPLIED
    if new.stamp < known.stamp - doubt:
        return Decision.STALE
    return Decision.SAME if _alike(known, new) else Decision.REREAD


def _alike(known: Known, new: Snapshot) -> bool:
    """The same state; of what is gone Stripe tells now more, now less, and nothing else matters."""
    return known.deleted and new.deleted if known.deleted or new.deleted else known.digest == new.digest


def mark(known: Known, new: Snapshot) -> tuple[datetime, Source]:
    """The later time at which the same state was seen, with the source whose clock it is by."""
    return (new.stamp, new.source) if new.stamp > known.stamp else (known.stamp, known.source)
