"""The inbox: every event of Stripe's is kept here before it is acknowledged, and worked on from here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from storage.database import Connection
from storage.feed import INBOX

MAX_ATTEMPTS = 12
_LEASE = timedelta(seconds=30)
_FIRST_DELAY = timedelta(seconds=1)
_LONGEST_DELAY = timedelta(minutes=10)
_LANES = 64
_SECRETS = frozenset({"client_secret", "confirmation_secret"})  # a string, or an object with one


class Outcome(StrEnum):
    """What became of an event; `mirror.order` adds its own words."""

    UNKNOWN_ACCOUNT = "unknown_account"
    OTHER_MODE = "other_mode"
    UNHANDLED_TYPE = "unhandled_type"
    CONNECTION = "connection"
    DROPPED = "dropped"


class MalformedEventError(ValueError):
    """Signed, but not an event of Stripe's."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it arrived, with what the inbox knows it by. `account` is empty for the platform's own."""

    account: str
    event_id: str
    type: str
    livemode: bool
    created: datetime
    object_id: str
    payload: str

    @classmethod
    def parse(cls, payload: bytes) -> "Delivery":
        """Raises MalformedEventError where the bytes are no event that the inbox can keep."""
        try:
            event = orjson.loads(payload)
            found = cls(
                account=str(event.get("account") or ""),
                event_id=str(event["id"]),
                type=str(event["type"]),
                livemode=bool(event["livemode"]),
                created=datetime.fromtimestamp(event["created"], UTC),
                object_id=str(event["data"]["object"].get("id", "")),
                payload=_without_secrets(payload.decode(), event),
            )
            if any("\0" in text for text in (found.account, found.event_id, found.type, found.object_id)):
                raise ValueError("PostgreSQL's texts hold no NUL")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise MalformedEventError from error
        return found


def _without_secrets(text: str, event: Any) -> str:
    """The event as it may be kept: whoever has a client secret can confirm the payment (decision 0007)."""
    return orjson.dumps(_bare(event)).decode() if "_secret_" in text else text


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {k: v if k == "metadata" else _bare(v) for k, v in value.items()}  # metadata are the tenant's own words
        return {k: None if k in _SECRETS and isinstance(v, str) else v for k, v in kept.items()}
    return [_bare(each) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Event:
    """One event that is being worked on."""

    id: int
    account: str
    event_id: str
    type: str
    livemode: bool
    created: datetime
    object_id: str
    payload: Mapping[str, Any]
    attempts: int


async def insert(connection: Connection, deliveries: Sequence[Delivery]) -> set[tuple[str, str]]:
    """Keep deliveries durably, all or none; returns (account, event id) of those that were not there already.

    The caller answers 200 after this, not before.
    """
    columns = zip(*(_values(each) for each in deliveries), strict=True)
    rows = await connection.execute_query_dict(
        "with stored as (insert into inbox (account, event_id, type, livemode, created, object_id, payload)"
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::timestamptz[], $6::text[],"
        " $7::text[]) on conflict (account, event_id) do nothing returning account, event_id),"
        " told as (select pg_notify($8, '') from (select 1 from stored limit 1) one)"
        " select account, event_id from stored left join told on true",
        [*map(list, columns), INBOX],
    )
    return {(row["account"], row["event_id"]) for row in rows}


def _values(each: Delivery) -> tuple[Any, ...]:
    return (each.account, each.event_id, each.type, each.livemode, each.created, each.object_id, each.payload)


_COLUMNS = "x.id, x.account, x.event_id, x.type, x.livemode, x.created, x.object_id, x.payload, x.attempts"


@dataclass(slots=True)
class Lanes:
    """Takes events so that no account waits for another's backlog, and fresh ones not for old ones.

    Each account is a lane; a batch has a share of each lane in turn, the oldest of it and the newest by turns.
    """

    _after: str = ""
    _newest: bool = False

    async def take(self, connection: Connection, *, limit: int) -> list[Event]:
        """Lock events that are due until the caller's transaction ends; others skip them.

        An object whose other events are locked or leased elsewhere is skipped too: nobody else has it at the same time.
        """
        lanes = await connection.execute_query_dict(
            "with recursive lanes (account, n) as ("
            " (select account, 1 from inbox where state = 'waiting' and account >= $1 order by account limit 1)"
            " union all"
            " select (select i.account from inbox i where i.state = 'waiting' and i.account > lanes.account"
            " order by i.account limit 1), n + 1 from lanes where lanes.account is not null and n < $2)"
            " select account from lanes where account is not null",
            [self._after, _LANES],
        )
        accounts = [row["account"] for row in lanes]
        wrapped = self._after != "" and not accounts
        self._after = accounts[-1] + "\1" if len(accounts) == _LANES else ""
        if not accounts:
            return await self.take(connection, limit=limit) if wrapped else []
        self._newest = not self._newest
        way = "desc" if self._newest else "asc"
        rows = await connection.execute_query_dict(
            f"select {_COLUMNS} from unnest($1::text[]) as lane (account) cross join lateral ("  # noqa: S608 (our words)
            " select * from inbox i where i.account = lane.account and i.state = 'waiting' and i.due <= now()"
            f" order by i.due {way}, i.id {way} limit $2 for update skip locked) x"
            " where pg_try_advisory_xact_lock(hashtextextended('inbox:' || x.account || ':' || x.object_id, 0))"
            " and not exists (select from inbox l where l.account = x.account and l.object_id = x.object_id"
            " and l.leased_until > now() and l.id <> x.id)",
            [accounts, max(limit // len(accounts), 4)],
        )
        return sorted(map(_event, rows), key=lambda event: (event.created, event.id))


async def take_one(connection: Connection, id_: int) -> Event | None:
    """Lock one event, if it still waits and nobody else has it."""
    rows = await connection.execute_query_dict(
        f"select {_COLUMNS} from inbox x where id = $1 and state = 'waiting' for update skip locked",  # noqa: S608
        [id_],
    )
    return _event(rows[0]) if rows else None


def _event(row: Mapping[str, Any]) -> Event:
    return Event(**(dict(row) | {"payload": orjson.loads(row["payload"])}))


async def settle(connection: Connection, events: Sequence[tuple[int, str]]) -> None:
    """Record what became of events that are done with."""
    if events:
        ids, outcomes = zip(*events, strict=True)
        await connection.execute_query(
            "update inbox set state = 'done', outcome = o, error = null, leased_until = null,"
            " settled = clock_timestamp() from unnest($1::bigint[], $2::text[]) as x (i, o) where id = i",
            [list(ids), list(outcomes)],
        )


async def lease(connection: Connection, ids: Sequence[int]) -> None:
    """Keep events for ourselves while Stripe is asked; others get them, and their objects' others, if we die."""
    if ids:
        await connection.execute_query(
            "update inbox set leased_until = now() + $2, due = now() + $2 where id = any($1::bigint[])",
            [list(ids), _LEASE],
        )


async def delay(connection: Connection, ids: Sequence[int], until: datetime) -> None:
    """Look at events again later; that counts as no attempt."""
    if ids:
        await connection.execute_query(
            "update inbox set leased_until = null, due = $2 where id = any($1::bigint[])", [list(ids), until]
        )


async def postpone(connection: Connection, event: Event, error: str) -> None:
    """Try an event again later, each time later still; after the last time it is a dead letter.

    `error` is the name of what failed: messages may carry personal data.
    """
    wait = min(_FIRST_DELAY * 2**event.attempts, _LONGEST_DELAY)
    state = "dead" if event.attempts + 1 >= MAX_ATTEMPTS else "waiting"
    await connection.execute_query(
        "update inbox set attempts = attempts + 1, due = now() + $2, leased_until = null, state = $3, error = $4"
        " where id = $1",
        [event.id, wait, state, error],
    )


async def status(connection: Connection) -> dict[str, Any]:
    """How many events wait, are dead, or ended with which outcome, and how old the oldest one is that waits."""
    rows = await connection.execute_query_dict(
        "select state, count(*) as events, extract(epoch from now() - min(received))::float as oldest_seconds"
        " from inbox where state in ('waiting', 'dead') group by state"
    )
    found: dict[str, Any] = {"waiting": 0, "dead": 0, "oldest_waiting_seconds": None}
    for row in rows:
        found[row["state"]] = row["events"]
        if row["state"] == "waiting":
            found["oldest_waiting_seconds"] = round(row["oldest_seconds"], 3)
    outcomes = await connection.execute_query_dict(
        "select outcome, count(*) as events from inbox where settled > now() - interval '1 hour' group by outcome"
    )
    return found | {"settled_last_hour": {row["outcome"]: row["events"] for row in outcomes}}


async def show(connection: Connection, event_id: str) -> list[dict[str, Any]]:
    """All that is known of an event but its payload, which holds personal data; a row for each account it came for."""
    return await connection.execute_query_dict(
        "select account, event_id, type, livemode, object_id, created, received, state, outcome, error, attempts, due,"
        " settled, payload <> '' as kept from inbox where event_id = $1",
        [event_id],
    )


async def replay(connection: Connection, *, event_id: str | None = None, account: str | None = None) -> int:
    """Work on an event again, or on every dead one (of an account); returns how many. Replays change nothing twice.

    An event whose payload is no longer kept can't be replayed.
    """
    rows = await connection.execute_query_dict(
        "update inbox set state = 'waiting', outcome = null, settled = null, error = null, attempts = 0, due = now()"
        " where (event_id = $1 or ($1::text is null and state = 'dead')) and ($2::text is null or account = $2)"
        " and payload <> ''"
        " returning id, pg_notify($3, '')",
        [event_id, account, INBOX],
    )
    return len(rows)
