"""How well the mirror keeps up with Stripe, as a tenant's administrators see it."""

from datetime import datetime
from enum import StrEnum

import strawberry

from schema.inputs import Payload


@strawberry.enum(description="How the mirror differed from Stripe's list.")
class DifferenceKind(StrEnum):
    MISSING = "missing"
    CHANGED = "changed"
    GONE = "gone"


@strawberry.enum(description="What a check of the mirror looks at.")
class SyncKind(StrEnum):
    BACKFILL = "backfill"
    RECONCILE = "reconcile"
    SAMPLE = "sample"


@strawberry.enum(description="How far a check of the mirror is.")
class SyncState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@strawberry.type(description="Something that a check of the mirror found and repaired.")
class SyncDifference:
    object: str = strawberry.field(description="Stripe's word for the type of object.")
    stripe_id: str = strawberry.field(description="Stripe's id of the object.")
    kind: DifferenceKind = strawberry.field(description="How the mirror differed.")
    fields: list[str] = strawberry.field(description="Stripe's names of the fields that differed, where it changed.")


@strawberry.type(description="A check of the mirror against Stripe's lists, or the first filling of it.")
class SyncJob:
    kind: SyncKind = strawberry.field(description="What is looked at.")
    state: SyncState = strawberry.field(description="How far it is.")
    created: datetime = strawberry.field(description="When it was asked for.")
    finished: datetime | None = strawberry.field(description="When it ended.")
    objects_seen: int = strawberry.field(description="How many objects of Stripe's lists it has looked at so far.")
    objects_differing: int = strawberry.field(description="How many of them the mirror had otherwise, or not at all.")
    differences: list[SyncDifference] = strawberry.field(description="The first of them, at most 200.")


@strawberry.type(description="How the mirror stands with Stripe.")
class SyncStatus:
    waiting_events: int = strawberry.field(description="Stripe's events that are stored and not yet worked on.")
    oldest_waiting_seconds: float | None = strawberry.field(description="The age of the oldest of them, in seconds.")
    dead_events: int = strawberry.field(description="Events that failed too often and wait for somebody to look.")
    jobs: list[SyncJob] = strawberry.field(description="The latest checks, newest first, at most 10.")


@strawberry.input(description="What to check.")
class ReconcileStartInput:
    sample: bool = strawberry.field(
        default=False, description="Only the newest page of each type and one from a random place."
    )


@strawberry.type(description="The answer to reconcileStart.")
class ReconcilePayload(Payload):
    started: bool = strawberry.field(
        default=False, description="False where a check waits or runs already: that one will do."
    )
