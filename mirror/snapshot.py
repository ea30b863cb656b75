"""One thing that Stripe said about one object, brought to the form in which it is compared and kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mirror import chain
from mirror.chain import Link
from mirror.kinds import KINDS, Kind

# Secrets are never kept, and what Stripe adds only when asked to expand says nothing about the object's state.
_LEFT_OUT = frozenset({"client_secret", "confirmation_secret", "payments", "last_response"})
# These fields hold parts, not references: they stay whole.
_PARTS = frozenset({"items", "lines", "recurring", "card", "last_payment_error", "billing_details"})
# These events tell that an object is gone; a cancelled subscription is not gone, it has ended.
DELETIONS = frozenset({"coupon.deleted", "customer.deleted", "invoice.deleted", "price.deleted", "product.deleted"})


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
    link: Link | None = None
    request: str | None = None
    skewed: bool = False

    @property
    def rank(self) -> int:
        """How far along its one-way road the object's status is; 0 where its kind has none."""
        return self.kind.ranks.get(str(self.body.get("status")), 0)

    @property
    def doubtful(self) -> bool:
        """It can't be applied as it is, whatever is known: a part is missing, or its clock or its version is another.

        Events of an object under a test clock are stamped with that clock's time; another version of the API has other
        fields; an answer that Stripe repeats under an idempotency key tells how the object was, not how it is.
        """
        return not self.deleted and (self.truncated or self.skewed or bool(self.body.get("test_clock")))

    @property
    def truncated(self) -> bool:
        """Stripe sent only the first parts (ten lines, say): the rest must be read."""
        children = self.kind.children
        return bool(children and (self.body.get(children.field) or {}).get("has_more"))


class UnmirroredTypeError(ValueError):
    """The mirror does not hold this type of object."""


def snapshot(
    body: Mapping[str, Any],
    *,
    stamp: datetime,
    source: Source,
    livemode: bool,
    request: str | None = None,
    skewed: bool = False,
) -> Snapshot:
    """Normalise what Stripe sent.

    `body` is the object as JSON gives it. An account's own object carries no `livemode`, so the caller's is used.
    `request` is Stripe's id of the request that it answers; `skewed` says that the stamp is not that of the state.
    """
    kind = KINDS.get(str(body.get("object")))
    if kind is None:
        raise UnmirroredTypeError(str(body.get("object")))
    kept = _normal(body)
    return Snapshot(
        kind=kind,
        livemode=bool(body.get("livemode", livemode)),
        stripe_id=str(body["id"]),
        stamp=stamp,
        source=source,
        body=kept,
        digest=chain.digest(kept),
        deleted=bool(body.get("deleted")),
        request=request,
        skewed=skewed,
    )


def from_event(event: Mapping[str, Any], *, version: str) -> Snapshot:
    """What an event tells of its object. `version` is ours of the API: an event of another one has other fields."""
    body = event["data"]["object"]
    deleted = event["type"] in DELETIONS
    stamp = datetime.fromtimestamp(event["created"], UTC)
    marked = {**body, "deleted": True} if deleted else body
    found = snapshot(
        marked,
        stamp=stamp,
        source=Source.EVENT,
        livemode=event["livemode"],
        request=(event.get("request") or {}).get("id"),
        skewed=event.get("api_version") not in (None, version),
    )
    return found if deleted else replace(found, link=_link(event, found))


def _link(event: Mapping[str, Any], found: Snapshot) -> Link | None:
    """From which state to which the event led, as far as it says so."""
    after = chain.short(found.digest)
    previous = event["data"].get("previous_attributes")
    if previous:
        before = _normal(chain.earlier(event["data"]["object"], previous))
        return Link(found.stamp, chain.short(chain.digest(before)), after)
    return Link(found.stamp, None, after) if str(event["type"]).endswith(".created") else None


def _normal(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _collapse(key, value) for key, value in body.items() if key not in _LEFT_OUT}


def _collapse(key: str, value: Any) -> Any:
    """An expanded object becomes its id, so that the same state compares equal however it was asked for."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")  # PostgreSQL holds no NUL: one object must not stop all of a tenant's
    if key == "metadata" and isinstance(value, Mapping):
        return {k: _collapse("", v) if isinstance(v, str) else v for k, v in value.items()}  # the tenant's own words
    if isinstance(value, Mapping):
        if key not in _PARTS and "object" in value and isinstance(value.get("id"), str):
            return value["id"]
        return {k: _collapse(k, v) for k, v in value.items() if k not in _LEFT_OUT}
    if isinstance(value, list):
        return [_collapse("items", item) for item in value]
    return value
