"""Which changes of an object have effects, and by what an effect is known so that it follows only once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mirror.snapshot import Snapshot

# Stripe tells of an event for three days: who sees an object later than that for the first time sees its history.
_NEWS = timedelta(days=3)
_Occasion = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Transition:
    """An object came to a state. `occasion` tells one time from the next where it may come there again."""

    name: str
    occasion: str = ""


def _once(_: Mapping[str, Any]) -> str:
    return ""


def _invoice(body: Mapping[str, Any]) -> str:
    return str(body.get("latest_invoice") or "")


def _charge(body: Mapping[str, Any]) -> str:
    return str(body.get("latest_charge") or "")


_OCCASIONS: Mapping[str, Mapping[str, _Occasion]] = {
    "subscription": {
        "trialing": _once,
        "active": _invoice,
        "past_due": _invoice,
        "unpaid": _invoice,
        "paused": _invoice,
        "canceled": _once,
        "incomplete_expired": _once,
    },
    "invoice": {"open": _once, "paid": _once, "void": _once, "uncollectible": _once},
    "payment_intent": {"succeeded": _once, "canceled": _once, "requires_action": _charge},
    "checkout.session": {"complete": _once, "expired": _once},
}


def transition(new: Snapshot, *, before: str | None, known: bool) -> Transition | None:
    """What a snapshot that was just applied means, if anything has to follow from it. Pure.

    `before` is the status that the mirror had. An object that the mirror did not know counts as coming to its state
    only while it is young: a backfill repeats nobody's history.
    """
    if new.deleted:
        return Transition("deleted") if new.kind.object == "customer" and known else None
    status = str(new.body.get(new.kind.status)) if new.kind.status else None
    occasion = _OCCASIONS.get(new.kind.object, {}).get(status or "")
    if occasion is None or status == before or (not known and not _young(new)):
        return None
    return Transition(str(status), occasion(new.body))


def _young(new: Snapshot) -> bool:
    created = new.body.get("created")
    return isinstance(created, int) and new.stamp - datetime.fromtimestamp(created, UTC) <= _NEWS
