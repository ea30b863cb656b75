"""The inbox: every event of Stripe's is kept here before it is acknowledged, and worked on from here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from storage.database import Connection
from storage.feed import INBOX

_MAX_ATTEMPTS = 12
_LEASE = timedelta(seconds=10)
_FIRST_DELAY = timedelta(seconds=1)
_LONGEST_DELAY = timedelta(minutes=10)


class Outcome(StrEnum):
    """What became of an event; `mirror.order` adds its own words."""

    UNKNOWN_ACCOUNT = "unknown_account"
    OTHER_MODE = "other_mode"
    UNHANDLED_TYPE = "unhandled_type"


class MalformedEventError(ValueError):
    """Signed, but not an event of Stripe's."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as stored. `account` is empty for the platform's own."""

    id: int
    account: str
    event_id: str
    type: str
    livemode: bool
    created: datetime
    payload: Mapping[str, Any]
    attempts: int

    @property
    def object_id(self) -> str:
        """The object that the event tells of."""
        return str(self.payload["data"]["object"].get("id", ""))


async def store(connection: Connection, payload: bytes) -> bool:
    """Keep an event durably; False when it was there already. The caller answers 200 after this, not before."""
    try:
        event = orjson.loads(payload)
        row: list[Any] = [
            str(event.get("account") or ""),
            str(event["id"]),
            str(event["type"]),
            bool(event["livemode"]),
            datetime.fromtimestamp(event["created"], UTC),
            payload.decode(),
        ]
        event["data"]["object"].get("id")
        if any("\0" in text for text in row[:3]):
            raise ValueError("PostgreSQL's texts hold no NUL")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        raise MalformedEventError from error
    rows = await connection.execute_query_dict(
        "with stored as (insert into inbox (account, event_id, type, livemode, created, payload)"
        " values ($1, $2, $3, $4, $5, $6) on conflict (account, event_id) do nothing returning id)"
        " select id, pg_notify($7, '') from stored",
        [*row, INBOX],
    )
    return bool(rows)


async def lease(connection: Connection, *, limit: int) -> list[Event]:
    """Take events that are due, oldest first, for a while; others skip them, and get them if we die."""
    rows = await connection.execute_query_dict(
        "with taken as (select id from inbox where state = 'waiting' and due <= now()"
        " order by due, id limit $1 for update skip locked)"
        " update inbox i set due = now() + $2 from taken where i.id = taken.id"
        " returning i.id, account, event_id, type, livemode, created, payload, attempts",
        [limit, _LEASE],
    )
    events = [Event(**(row | {"payload": orjson.loads(row["payload"])})) for row in rows]
    return sorted(events, key=lambda event: event.id)


async def settle(connection: Connection, events: Sequence[tuple[int, str]]) -> None:
    """Record what became of events that are done with."""
    await connection.execute_query(
        "update inbox set state = 'done', outcome = o, error = null, settled = clock_timestamp()"
        " from unnest($1::bigint[], $2::text[]) as x (i, o) where id = i",
        [[id_ for id_, _ in events], [outcome for _, outcome in events]],
    )


async def postpone(connection: Connection, event: Event, error: str) -> None:
    """Try an event again later, each time later still; after the last time it is a dead letter.

    `error` is the name of what failed: messages may carry personal data.
    """
    delay = min(_FIRST_DELAY * 2**event.attempts, _LONGEST_DELAY)
    state = "dead" if event.attempts + 1 >= _MAX_ATTEMPTS else "waiting"
    await connection.execute_query(
        "update inbox set attempts = attempts + 1, due = now() + $2, state = $3, error = $4 where id = $1",
        [event.id, delay, state, error],
    )
