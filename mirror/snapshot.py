"""One thing that Stripe said about one object, brought to the form in which it is compared and kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from mirror.kinds import KINDS, Kind

# Secrets are never kept, and what Stripe adds only when asked to expand says nothing about the object's state.
_LEFT_OUT = frozenset({"client_secret", "confirmation_secret", "payments", "last_response"})
# These fields hold parts, not references: they stay whole.
_PARTS = frozenset({"items", "lines", "recurring", "card", "last_payment_error", "billing_details"})


class Source(StrEnum):
    """Which way a snapshot arrived."""

    API = "api"
    EVENT = "event"
    REREAD = "reread"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`stamp` is the event's `created` or the answer's Date header; both have whole seconds."""

    kind: Kind
    livemode: bool
    stripe_id: str
    stamp: datetime
    source: Source
    body: Mapping[str, Any]
    digest: bytes
    deleted: bool = False

    @property
    def truncated(self) -> bool:
        """Stripe sent only the first parts (ten lines, say): the rest must be read."""
        children = self.kind.children
        return bool(children and (self.body.get(children.field) or {}).get("has_more"))


class UnmirroredTypeError(ValueError):
    """The mirror does not hold this type of object."""


def snapshot(body: Mapping[str, Any], *, stamp: datetime, source: Source, livemode: bool) -> Snapshot:
    """Normalise what Stripe sent.

    `body` is the object as JSON gives it. An account's own object carries no `livemode`, so the caller's is used.
    """
    kind = KINDS.get(str(body.get("object")))
    if kind is None:
        raise UnmirroredTypeError(str(body.get("object")))
    kept = {key: _collapse(key, value) for key, value in body.items() if key not in _LEFT_OUT}
    return Snapshot(
        kind=kind,
        livemode=bool(body.get("livemode", livemode)),
        stripe_id=str(body["id"]),
        stamp=stamp,
        source=source,
        body=kept,
        digest=hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).digest(),
        deleted=bool(body.get("deleted")),
    )


def _collapse(key: str, value: Any) -> Any:
    """An expanded object becomes its id, so that the same state compares equal however it was asked for."""
    if key == "metadata":
        return value  # the tenant's own words, whatever they look like
    if isinstance(value, Mapping):
        if key not in _PARTS and "object" in value and isinstance(value.get("id"), str):
            return value["id"]
        return {k: _collapse(k, v) for k, v in value.items() if k not in _LEFT_OUT}
    if isinstance(value, list):
        return [_collapse("items", item) for item in value]
    return value
