"""Forgets what may not be kept: payloads of settled events hold personal data, their outcome does not."""

from datetime import timedelta

from storage.database import Connection

EVERY = timedelta(hours=1)
_AT_ONCE = 1_000


async def erase_payloads(connection: Connection, *, after: timedelta) -> int:
    """Empty the payloads of events that were settled that long ago, a thousand at a time; returns how many.

    The row stays, so that a late duplicate is known. What waits or failed keeps its payload until it is settled.
    """
    erased = 0
    while True:
        rows = await connection.execute_query_dict(
            "update inbox set payload = '' where id in (select id from inbox where settled < now() - $1::interval"
            " and state = 'done' and payload <> '' order by settled limit $2 for update skip locked) returning id",
            [after, _AT_ONCE],
        )
        erased += len(rows)
        if len(rows) < _AT_ONCE:
            return erased
