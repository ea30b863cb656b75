"""A child is shown, started again when it dies unasked, and ended when asked, also when it will not."""

import asyncio
import os
import signal
import sys

import pytest

from gateway.child import FIRST_DELAY, LONGEST_DELAY, Child, next_delay

QUIET = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


class Shown:
    """Collects what a child says, and lets a test wait for a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def say(self, _name: str, line: str) -> None:
        self.lines.append(line)
        self._news.set()

    async def count(self, text: str, wanted: int) -> None:
        async with asyncio.timeout(20):
            while sum(text in line for line in self.lines) < wanted:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def shown() -> Shown:
    return Shown()


def child(shown: Shown, source: str) -> Child:
    return Child("it", [sys.executable, "-c", source], dict(os.environ), say=shown.say, changed=lambda: None)


async def test_a_killed_child_is_started_again(shown: Shown) -> None:
    it = child(shown, QUIET)
    it.start()
    await shown.count("up", 1)
    first = it.process_id
    assert first
    os.kill(first, signal.SIGKILL)
    await shown.count("up", 2)
    assert it.process_id not in {None, first}
    assert "was killed by SIGKILL unexpectedly; starting it again in 0.1 s" in shown.lines
    await it.stop(patience=10)
    assert it.process_id is None


async def test_a_child_that_ends_by_itself_is_counted(shown: Shown) -> None:
    it = child(shown, "raise SystemExit(3)")
    it.start()
    await shown.count("ended with code 3 unexpectedly", 2)
    assert it.early_deaths >= 2
    await it.stop(patience=10)
    assert it.process_id is None


async def test_a_child_that_ignores_the_request_is_killed(shown: Shown) -> None:
    it = child(shown, STUBBORN)
    it.start()
    await shown.count("up", 1)
    await it.stop(patience=0.2)
    assert it.process_id is None
    assert "did not end within 0.2 s: killed" in shown.lines


async def test_long_and_unfinished_lines_are_shown_in_bounded_pieces(shown: Shown) -> None:
    it = child(shown, "import sys; sys.stdout.write('x' * 300_000 + '\\nlast'); sys.stdout.flush(); sys.stdin.read()")
    it.start()
    await shown.count("x", 3)
    await it.stop(patience=10)
    text = [line for line in shown.lines if set(line) == {"x"}]
    assert sum(map(len, text)) == 300_000
    assert max(map(len, text)) <= 2 * 65_536 + 1
    assert "last" in shown.lines


def test_the_wait_doubles_up_to_a_bound_and_begins_anew_after_a_steady_life() -> None:
    delays = [FIRST_DELAY]
    for _ in range(8):
        delays.append(next_delay(delays[-1], lived=0.5))
    assert delays[:3] == [0.1, 0.2, 0.4]
    assert delays[-1] == LONGEST_DELAY
    assert next_delay(LONGEST_DELAY, lived=60) == FIRST_DELAY
