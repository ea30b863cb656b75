"""When keys were last used: noted in memory, written now and then, so that a read of the API stays a read."""

from datetime import UTC, datetime

from storage.database import Database

_MOST = 10_000


class LastUsed:
    """Notes uses; `write` brings them into the tables."""

    def __init__(self) -> None:
        self._noted: dict[str, datetime] = {}

    def note(self, public_id: str) -> None:
        """A key was used now."""
        if len(self._noted) < _MOST or public_id in self._noted:
            self._noted[public_id] = datetime.now(UTC)

    async def write(self, database: Database) -> int:
        """Write what was noted since the last time; returns how many keys. Raises no settings revision."""
        noted, self._noted = self._noted, {}
        if not noted:
            return 0
        given = [list(noted), list(noted.values())]
        for table in ("api_tokens", "platform_tokens"):
            await database.system.execute_query(
                f"update {table} t set last_used_at = greatest(t.last_used_at, u.at)"  # noqa: S608 (two fixed names)
                " from unnest($1::text[], $2::timestamptz[]) as u (id, at) where t.public_id = u.id",
                given,
            )
        return len(noted)
