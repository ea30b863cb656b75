"""How processes learn of commits: NOTIFY after commit, a dedicated listening connection, and a book of revisions."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import asyncpg
import orjson

from storage import revisions
from storage.database import Connection, Database

REVISIONS = "revisions"
INBOX = "inbox"
_MAX_PAYLOAD = 7_500  # PostgreSQL refuses 8,000 bytes
_RECONNECT = 1.0
_BEAT = 0.5  # seconds between two looks at what is held, which also tell whether the connection lives
_ANSWERS_WITHIN = 1.0
_LOOKED_AFTER = 5_000  # scopes at a time


async def announce(connection: Connection, scopes: Iterable[tuple[int, str]], revision: int) -> None:
    """Tell every process that these scopes have this number now. Call it after the commit, outside the transaction."""
    batch: list[tuple[int, str]] = []
    for scope in sorted(scopes):
        if len(orjson.dumps([revision, [*batch, scope]])) > _MAX_PAYLOAD:
            await _notify(connection, orjson.dumps([revision, batch]).decode())
            batch = []
        batch.append(scope)
    if batch:
        await _notify(connection, orjson.dumps([revision, batch]).decode())


async def _notify(connection: Connection, payload: str) -> None:
    await connection.execute_query_dict("select pg_notify($1, $2)", [REVISIONS, payload])


class Watch:
    """Waits for the revisions of some scopes of one tenant to move; what moves meanwhile is not missed."""

    def __init__(self, tenant_id: int, scopes: Collection[str]) -> None:
        self.wanted = frozenset((tenant_id, scope) for scope in scopes)
        self._moved = asyncio.Event()

    def stir(self) -> None:
        self._moved.set()

    async def moved(self) -> None:
        """Return as soon as something may have changed since the last call."""
        await self._moved.wait()
        self._moved.clear()


class RevisionBook:
    """The revisions that this process has heard of: bounded, and only ever raised."""

    def __init__(self, database: Database, *, max_entries: int = 50_000) -> None:
        self._database = database
        self._known: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._max_entries = max_entries
        self._gaps = 0
        self._turn = 0
        self._watches: set[Watch] = set()
        self.listening = False

    @contextmanager
    def watching(self, tenant_id: int, scopes: Collection[str]) -> Iterator[Watch]:
        """A watch on these scopes, for as long as the block lasts."""
        watch = Watch(tenant_id, scopes)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def numbers(self, tenant_id: int, scopes: Collection[str]) -> dict[str, int]:
        """The scopes' numbers for the bound tenant; while nothing is heard they are read from the database."""
        if self.listening and all((tenant_id, scope) in self._known for scope in scopes):
            return {scope: self._known[tenant_id, scope] for scope in scopes}
        gaps = self._gaps
        found = await revisions.current(self._database.app, tenant_id, scopes)
        if gaps != self._gaps:
            return found  # read before the gap: true then, but nobody would tell us what came since
        for scope, number in found.items():
            self.raise_to((tenant_id, scope), number)
        return {scope: self._known.get((tenant_id, scope), number) for scope, number in found.items()}

    async def at_least(self, tenant_id: int, scopes: Collection[str], wanted: int) -> int:
        """The highest number of the scopes. Where we have not heard of `wanted` yet they are read from the database."""
        found = await self.numbers(tenant_id, scopes)
        if max(found.values()) < wanted:
            found = await revisions.current(self._database.app, tenant_id, scopes)
            for scope, number in found.items():
                self.raise_to((tenant_id, scope), number)
        return max(found.values())

    def raise_to(self, scope: tuple[int, str], number: int) -> None:
        """Remember a number, unless a newer one is known."""
        if number >= self._known.get(scope, -1):
            self._known[scope] = number
            self._known.move_to_end(scope)
        while len(self._known) > self._max_entries:
            self._known.popitem(last=False)

    def held(self, most: int) -> list[tuple[int, str, int]]:
        """Some of what is held, others the next time, as (tenant, scope, number)."""
        if self._turn >= len(self._known):
            self._turn = 0
        found = list(islice(self._known.items(), self._turn, self._turn + most))
        self._turn += len(found)
        return [(tenant, scope, number) for (tenant, scope), number in found]

    def forget(self) -> None:
        """After a gap in hearing everything may have changed."""
        self._gaps += 1
        self._known.clear()
        for watch in self._watches:
            watch.stir()

    def hear(self, payload: str) -> None:
        """Take in one announcement, also of scopes not held yet: one of them may be being read, as it was before."""
        number, scopes = orjson.loads(payload)
        self.learn(dict.fromkeys(map(tuple, scopes), number))

    def learn(self, told: Mapping[tuple[int, str], int]) -> None:
        """Take in numbers, and stir whoever waits for one of them."""
        for scope, number in told.items():
            self.raise_to(scope, number)
        for watch in self._watches:
            if not watch.wanted.isdisjoint(told):
                watch.stir()


class Listener:
    """One connection that only listens, reopened when it is lost."""

    def __init__(
        self, database: Database, *, book: RevisionBook | None = None, wake: asyncio.Event | None = None
    ) -> None:
        self._database = database
        self._book = book
        self._wake = wake

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen_once()
            if self._book:
                self._book.listening = False
                self._book.forget()
            await asyncio.sleep(_RECONNECT)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(**self._database.system_url.credentials(), timeout=5.0)
        try:
            connection.add_termination_listener(lambda _: lost.set())
            if self._book:
                await connection.add_listener(REVISIONS, self._on_revisions)
                self._book.forget()
                self._book.listening = True
            if self._wake:
                await connection.add_listener(INBOX, self._on_wake)
                self._wake.set()
            while not lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), _BEAT)
                    return
                # a connection that died without a word tells nothing, like one on which nothing happens
                await self._look_after(connection)
        finally:
            connection.terminate()

    async def _look_after(self, connection: "asyncpg.Connection[Any]") -> None:
        """Read what is held again: who died between its commit and its announcement has told nobody."""
        held = self._book.held(_LOOKED_AFTER) if self._book else []
        tenants, scopes, numbers = zip(*held, strict=True) if held else ((), (), ())
        rows = await connection.fetch(
            "select r.tenant_id, r.scope, r.n from revisions r join unnest($1::bigint[], $2::text[], $3::bigint[])"
            " as x (t, s, n) on r.tenant_id = x.t and r.scope = x.s where r.n > x.n",
            tenants,
            scopes,
            numbers,
            timeout=_ANSWERS_WITHIN,
        )
        if self._book and rows:
            self._book.learn({(row["tenant_id"], row["scope"]): row["n"] for row in rows})

    def _on_revisions(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        if self._book:
            self._book.hear(str(payload))

    def _on_wake(self, *_: Any) -> None:
        if self._wake:
            self._wake.set()
