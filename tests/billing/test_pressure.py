"""An account in trouble at Stripe is left alone for a while, and no other account notices."""

import asyncio
from dataclasses import dataclass

import pytest

from billing.pressure import Limits, Pressure, StripeAwayError, TooBusyError


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def _fails(pressure: Pressure, account: str, times: int) -> None:
    for _ in range(times):
        async with pressure.request(account, background=False) as turn:
            turn.failed()


async def _is_let_through(pressure: Pressure, account: str) -> bool:
    try:
        async with pressure.request(account, background=False):
            return True
    except StripeAwayError:
        return False


async def test_after_failures_in_a_row_one_request_a_second_asks_again(clock: Clock) -> None:
    pressure = Pressure(Limits(opens_after=3), clock)
    await _fails(pressure, "acct_1", 3)
    let_through = 0
    for _ in range(7_200):  # two hours, two requests a second
        clock.now += 0.5
        if await _is_let_through(pressure, "acct_1"):
            pressure._lanes["acct_1"].failures += 1
            let_through += 1
    assert let_through == 3_600
    assert await _is_let_through(pressure, "acct_2")


async def test_the_first_answer_lets_everybody_through_again(clock: Clock) -> None:
    pressure = Pressure(Limits(opens_after=3), clock)
    await _fails(pressure, "acct_1", 3)
    assert not await _is_let_through(pressure, "acct_1")
    clock.now += 1.0
    async with pressure.request("acct_1", background=False) as turn:
        turn.answered()
    assert [await _is_let_through(pressure, "acct_1") for _ in range(3)] == [True] * 3


async def test_a_success_between_failures_keeps_the_way_open(clock: Clock) -> None:
    pressure = Pressure(Limits(opens_after=3), clock)
    await _fails(pressure, "acct_1", 2)
    async with pressure.request("acct_1", background=False) as turn:
        turn.answered()
    await _fails(pressure, "acct_1", 2)
    assert await _is_let_through(pressure, "acct_1")


async def test_an_account_whose_places_are_taken_is_told_so_and_others_go_on() -> None:
    pressure = Pressure(Limits(at_once=2, patience=0.01))
    all_held, release = asyncio.Barrier(3), asyncio.Event()

    async def hold() -> None:
        async with pressure.request("acct_slow", background=False):
            await all_held.wait()
            await release.wait()

    tasks = [asyncio.create_task(hold()) for _ in range(2)]
    await all_held.wait()
    with pytest.raises(TooBusyError):
        async with pressure.request("acct_slow", background=False):
            raise AssertionError
    async with pressure.request("acct_other", background=False):
        release.set()
    await asyncio.gather(*tasks)
    async with pressure.request("acct_slow", background=False):
        pass


async def test_the_background_keeps_to_its_budget_and_leaves_places(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waits = Clock(), []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    monkeypatch.setattr("billing.pressure.asyncio.sleep", sleep)
    pressure = Pressure(Limits(background_per_second=10), clock)
    for _ in range(4):
        async with pressure.request("acct_1", background=True):
            pass
    assert waits == [0.1, 0.2, 0.3]


async def test_after_a_429_the_background_pauses_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waits = Clock(), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("billing.pressure.asyncio.sleep", sleep)
    pressure = Pressure(Limits(background_per_second=10, pause=5), clock)
    async with pressure.request("acct_1", background=True) as turn:
        turn.slow_down()
    async with pressure.request("acct_1", background=True):
        pass
    assert 5 <= waits[0] <= 10


async def test_memory_is_bounded_by_forgetting_idle_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.pressure._MOST_ACCOUNTS", 3)
    pressure = Pressure(clock=Clock())
    async with pressure.request("acct_busy", background=False):
        for number in range(10):
            async with pressure.request(f"acct_{number}", background=False):
                pass
        assert "acct_busy" in pressure._lanes
        assert len(pressure._lanes) <= 4
