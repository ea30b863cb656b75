"""Snapshots for tests: a coupon or customer whose whole state is one word, stamped with a second of a made-up day."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mirror.order import Known
from mirror.snapshot import Snapshot, Source, snapshot

START = datetime(2026, 11, 1, tzinfo=UTC)


def at(second: int) -> datetime:
    """A second of the made-up day."""
    return START + timedelta(seconds=second)


def customer(second: int, name: str, *, source: Source = Source.EVENT, id_: str = "cus_1", **more: Any) -> Snapshot:
    """What Stripe says of a customer; `name` is its state."""
    body = {"id": id_, "object": "customer", "created": int(START.timestamp()), "livemode": False, "name": name} | more
    return snapshot(body, stamp=at(second), source=source, livemode=False)


def gone(second: int, *, source: Source = Source.EVENT, id_: str = "cus_1") -> Snapshot:
    """What Stripe answers for a customer that was deleted."""
    body = {"id": id_, "object": "customer", "deleted": True}
    return snapshot(body, stamp=at(second), source=source, livemode=False)


def known(new: Snapshot, *, epoch: int = 1) -> Known:
    """The mirror just after it took this snapshot."""
    return Known(new.stamp, new.source, epoch, new.digest, new.deleted, new.request, new.rank)
