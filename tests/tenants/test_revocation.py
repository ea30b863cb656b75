"""A key that was revoked is refused everywhere within seconds, also where a process or a connection died meanwhile."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from gateway.runtime import running
from storage.buckets import MemoryStore
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import Listener, RevisionBook, announce
from tenants import registry, tokens
from tenants.auth import AuthenticationError, Authenticator
from tenants.context import Role
from tenants.last_used import LastUsed
from tenants.providers import Providers
from tests.support.tenants import Two

WITHIN = 20.0  # seconds; one is promised, and what a loaded machine needs decides no test


async def _another(opened: Database, stack: AsyncExitStack) -> Authenticator:
    """What another process holds: its own book, which hears by its own connection."""
    book = RevisionBook(opened)
    await stack.enter_async_context(running(Listener(opened, book=book).run()))
    while not book.listening:  # noqa: ASYNC110 (the book has no event for it)
        await asyncio.sleep(0.01)
    sessions: Any = OKPKey.generate_key("Ed25519")
    return Authenticator(
        opened, book, LookupCache(), sessions, MemoryStore(), LastUsed(), Providers(opened, lambda _: _nothing())
    )


async def _nothing() -> bytes:
    return b""


async def _refused(door: Authenticator, key: str) -> bool:
    for _ in range(round(WITHIN / 0.05)):
        try:
            await door.authenticate(key)
        except AuthenticationError:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_who_dies_right_after_the_commit_has_told_it_all_the_same(
    opened: Database, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await registry.issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    outside, real = opened.system, announce

    async def dying(connection: Any, *more: Any) -> None:
        if connection is outside:  # the transaction is over
            raise ConnectionAbortedError
        await real(connection, *more)

    async with AsyncExitStack() as stack:
        door = await _another(opened, stack)
        assert (await door.authenticate(key)).tenant.slug == "clinic"
        monkeypatch.setattr("tenants.registry.announce", dying)
        with suppress(ConnectionAbortedError):
            await registry.revoke_key(opened, tokens.parse(key).public_id)
        assert await _refused(door, key)


async def test_a_connection_that_hangs_is_not_taken_for_one_on_which_nothing_happens(
    opened: Database, two: Two
) -> None:
    key = await registry.issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    async with AsyncExitStack() as stack:
        door = await _another(opened, stack)
        assert (await door.authenticate(key)).tenant.slug == "clinic"
        rows = await opened.system.execute_query_dict(
            "select pid from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and (query ilike 'listen%' or query = 'select 1')"
        )
        (listening,) = [row["pid"] for row in rows]
        os.kill(listening, signal.SIGSTOP)
        try:
            await registry.revoke_key(opened, tokens.parse(key).public_id)
            assert await _refused(door, key)
        finally:
            os.kill(listening, signal.SIGCONT)
