"""No process goes on with an old revision: whatever the moment in which a change is announced."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, cast

import orjson
import pytest

from storage import revisions
from storage.binding import bind_tenant
from storage.database import Connection, Database
from storage.feed import REVISIONS, Listener, RevisionBook, announce
from tests.support.tenants import Two

TENANT, SCOPE = 7, "everything"


class _Reading:
    """A database that answers with an old number while `meanwhile` happens."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    @property
    def app(self) -> "_Reading":
        return self

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        self.asked += 1
        old = self.number
        self.meanwhile()
        return [{"scope": SCOPE, "n": old}]


def _told(number: int) -> str:
    return orjson.dumps([number, [[TENANT, SCOPE]]]).decode()


def _book(reading: _Reading) -> RevisionBook:
    book = RevisionBook(cast(Database, reading))
    book.listening = True
    return book


async def _number(book: RevisionBook) -> int:
    return (await book.numbers(TENANT, [SCOPE]))[SCOPE]


async def test_what_is_held_is_not_read_again_while_we_listen() -> None:
    reading = _Reading(5)
    book = _book(reading)
    assert [await _number(book) for _ in range(3)] == [5, 5, 5]
    assert reading.asked == 1
    book.listening = False
    await _number(book)
    assert reading.asked == 2


async def test_an_announcement_raises_and_an_old_one_does_not_lower() -> None:
    book = _book(_Reading(5))
    await _number(book)
    book.hear(_told(8))
    book.hear(_told(6))
    assert await _number(book) == 8


async def test_an_announcement_during_the_first_read_is_not_lost() -> None:
    reading = _Reading(5)
    book = _book(reading)
    reading.meanwhile = lambda: book.hear(_told(6))
    assert await _number(book) == 6
    assert await _number(book) == 6


async def test_what_was_read_before_a_gap_in_hearing_is_not_held_after_it() -> None:
    reading = _Reading(5)
    book = _book(reading)
    reading.meanwhile = book.forget
    await _number(book)
    reading.number, reading.meanwhile = 6, lambda: None
    assert await _number(book) == 6


async def test_the_book_is_bounded_and_reads_again_what_it_forgot() -> None:
    reading = _Reading(5)
    book = RevisionBook(cast(Database, reading), max_entries=2)
    book.listening = True
    await _number(book)
    for other in range(3):
        book.hear(orjson.dumps([9, [[other, SCOPE]]]).decode())
    await _number(book)
    assert reading.asked == 2
    assert len(book._known) == 2


@pytest.fixture
async def listening(opened: Database) -> AsyncIterator[RevisionBook]:
    book, wake = RevisionBook(opened), asyncio.Event()
    task = asyncio.create_task(Listener(opened, book=book, wake=wake).run())
    await asyncio.wait_for(wake.wait(), 10)
    yield book
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_committed_change_reaches_another_process_by_itself(
    opened: Database, two: Two, listening: RevisionBook
) -> None:
    heard = asyncio.Event()
    hear = listening.hear

    def noted(payload: str) -> None:
        hear(payload)
        heard.set()

    scopes = {(two.clinic.id, SCOPE)}
    with bind_tenant(two.clinic.id):
        before = (await listening.numbers(two.clinic.id, [SCOPE]))[SCOPE]
        listening.hear = noted  # type: ignore[method-assign]
        async with opened.app_transaction() as connection:
            number = await revisions.bump(connection, scopes)
        await announce(opened.app, scopes, number)
        await asyncio.wait_for(heard.wait(), 10)
        assert (await listening.numbers(two.clinic.id, [SCOPE]))[SCOPE] == number > before


async def test_many_scopes_are_announced_in_pieces_that_postgresql_takes() -> None:
    class Recorder:
        payloads: list[str] = []  # noqa: RUF012 (one test long)

        async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
            assert values is not None
            assert values[0] == REVISIONS
            self.payloads.append(values[1])
            return []

    recorder = Recorder()
    scopes = {(tenant, revisions.customer_scope(f"cus_{tenant:014}", livemode=False)) for tenant in range(1_000)}
    await announce(cast(Connection, recorder), scopes, 12)
    assert max(len(payload) for payload in recorder.payloads) < 8_000
    told = [tuple(scope) for payload in recorder.payloads for scope in orjson.loads(payload)[1]]
    assert sorted(told) == sorted(scopes)


async def test_concurrent_bumps_of_crossing_scopes_neither_deadlock_nor_repeat(opened: Database, two: Two) -> None:
    names = ["a", "b", "c"]

    async def one(n: int) -> int:
        scopes = [(two.clinic.id, name) for name in (names[n % 3 :] + names[: n % 3])[:2]]
        async with opened.system_transaction() as connection:
            return await revisions.bump(connection, scopes)

    numbers = await asyncio.gather(*(one(n) for n in range(30)))
    assert len(set(numbers)) == 30
    found = await revisions.current(opened.system, two.clinic.id, names)
    assert found == {
        name: max(n for i, n in enumerate(numbers) if name in (names[i % 3 :] + names[: i % 3])[:2]) for name in names
    }


async def test_a_change_that_nobody_announced_is_found_by_looking(opened: Database, two: Two) -> None:
    """Whoever made it died between its commit and its announcement."""
    book = RevisionBook(opened)
    listening = asyncio.create_task(Listener(opened, book=book).run())
    try:
        while not book.listening:  # noqa: ASYNC110 (the book has no event for it)
            await asyncio.sleep(0.01)
        tenant = two.clinic.id
        with bind_tenant(tenant):
            before = (await book.numbers(tenant, [SCOPE]))[SCOPE]
        with book.watching(tenant, [SCOPE]) as watch:
            async with opened.system_transaction() as connection:
                number = await revisions.bump(connection, {(tenant, SCOPE), (two.school.id, SCOPE)})
            async with asyncio.timeout(10):
                await watch.moved()
        assert number > before
        with bind_tenant(tenant):
            assert (await book.numbers(tenant, [SCOPE]))[SCOPE] == number
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


def test_everything_that_is_held_has_its_turn() -> None:
    book = _book(_Reading(0))
    book.learn({(TENANT, f"scope {n}"): n for n in range(7)})
    turns = [book.held(3) for _ in range(4)]
    assert [len(turn) for turn in turns] == [3, 3, 1, 3]
    assert sorted(number for turn in turns[:3] for _, _, number in turn) == list(range(7))
    assert turns[3] == turns[0]
