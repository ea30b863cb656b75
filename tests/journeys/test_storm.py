"""Events repeated, shuffled and late, a sandbox that fails, workers that are killed: the mirror ends right."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from observability.failpoints import Failpoint
from tests.journeys.test_chaos import connected, differences, drained, listed_at_stripe, mirror_rows
from tests.support.demo import ROOT, Demo, eventually, running

pytestmark = pytest.mark.slow

# CI runs a short form; `make soak` the full one.
EVENTS = int(os.environ.get("STORM_EVENTS", "600"))
KILLS = int(os.environ.get("STORM_KILLS", "8"))
MORE_WORKERS = 2
POINTS = (Failpoint.INBOX_STORED, Failpoint.EVENT_LEASED, Failpoint.EVENT_APPLIED, Failpoint.REREAD_DONE)


@pytest.fixture
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Path]]:
    points = tmp_path_factory.mktemp("points")
    with running(tmp_path_factory.mktemp("storm"), GATEWAY_FAILPOINTS=str(points)) as demo:
        yield demo, points


def control(demo: Demo, path: str, **given: Any) -> None:
    httpx.post(f"{demo.told['sandbox']}/_sandbox/{path}", json=given).raise_for_status()


@contextmanager
def more_workers(demo: Demo) -> Iterator[list[psutil.Process]]:
    """Workers beside the supervisor's own; whoever is killed is started again by `revive`."""
    environment = psutil.Process(demo.pids("worker")[0]).environ() | {"GATEWAY_SUPERVISED": ""}
    started: list[psutil.Process] = []

    def start() -> None:
        with (demo.folder / "more-workers.log").open("ab") as log:
            command = [sys.executable, "-m", "gateway", "worker"]
            started.append(psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))

    for _ in range(MORE_WORKERS):
        start()
    workers = Workers(started, start)
    try:
        yield workers
    finally:
        for each in workers:
            with suppress(psutil.NoSuchProcess):
                each.kill()
                each.wait(10)


class Workers(list[psutil.Process]):
    """The processes, with a way to replace the dead."""

    def __init__(self, started: list[psutil.Process], start: Any) -> None:
        super().__init__(started)
        self._started, self._start = started, start

    def revive(self) -> None:
        for each in list(self):
            if not each.is_running() or each.status() == psutil.STATUS_ZOMBIE:
                with suppress(psutil.Error, subprocess.SubprocessError):
                    each.wait(1)
                self.remove(each)
                self._start()
                self.append(self._started[-1])


def change_something(demo: Demo, chance: random.Random, made: dict[int, list[str]]) -> None:
    """One call at Stripe that the gateway learns of by events alone: most are changes of the same few objects."""
    number = chance.randrange(3)
    account = demo.tenant(number)["account"]
    customers = made[number]
    roll = chance.random()
    with suppress(httpx.TransportError, ValueError):
        if roll < 0.15 or not customers:
            found = demo.stripe("POST", "/v1/customers", account, name=f"storm {chance.random()}")
            if "id" in found:
                customers.append(found["id"])
        elif roll < 0.85:
            # back and forth between few states, several times a second
            customer = chance.choice(customers[-5:])
            demo.stripe("POST", f"/v1/customers/{customer}", account, name=chance.choice("abc"))
        elif roll < 0.9:
            demo.stripe("DELETE", f"/v1/customers/{customers.pop(chance.randrange(len(customers)))}", account)
        else:
            coupon = f"C{chance.randrange(5)}"
            if chance.random() < 0.5:
                demo.stripe("POST", "/v1/coupons", account, id=coupon, percent_off="10", duration="once")
            else:
                demo.stripe("DELETE", f"/v1/coupons/{coupon}", account)


def test_the_mirror_ends_right_after_a_storm(stormy: tuple[Demo, Path]) -> None:
    demo, points = stormy
    chance = random.Random(11)
    made: dict[int, list[str]] = {0: [], 1: [], 2: []}
    control(demo, "chaos", seed=5, duplicate=0.2, delay=3)
    for effect in ({"effect": "status", "status": 503}, {"effect": "status", "status": 429}, {"effect": "drop_answer"}):
        control(demo, "faults", match={"method": "GET"}, share=0.07, times=1_000_000, **effect)
    killed: Counter[str] = Counter()
    armed = [*POINTS, *POINTS]
    with more_workers(demo) as workers, ThreadPoolExecutor(4) as pool:
        assert isinstance(workers, Workers)
        for step in range(KILLS):
            work = [pool.submit(change_something, demo, chance, made) for _ in range(EVENTS // KILLS)]
            if armed:
                (points / armed.pop()).touch()
            victims = [*demo.pids("worker"), *demo.pids("sidecar"), *demo.pids("serve")]
            victims += [each.pid for each in workers]
            with suppress(ProcessLookupError):
                os.kill(victims[step % len(victims)], signal.SIGKILL)
                killed["random"] += 1
            for one in work:
                one.result()
            workers.revive()
        for point in POINTS:
            # what is still armed dies of the next event
            for _ in range(200):
                if not (points / point).exists():
                    break
                change_something(demo, chance, made)
                workers.revive()
                eventually(lambda point=point: not (points / point).exists(), within=0.3)
            killed[point] += not (points / point).exists()
        httpx.delete(demo.told["sandbox"] + "/_sandbox/faults").raise_for_status()
        control(demo, "chaos")
        workers.revive()
        settle(demo, workers)
    assert all(killed[point] for point in POINTS), killed
    print(f"storm: {tally(demo)}, killed {dict(killed)}: 0 differ")


def settle(demo: Demo, workers: Workers) -> None:
    """Wait until nothing is left to do, and compare every field of every object."""
    assert eventually(lambda: drained(demo), within=120), "deliveries are still waiting"
    left: list[str] = ["not compared"]
    for _ in range(150):
        workers.revive()
        left = compare(demo)
        if not left:
            return
        eventually(lambda: False, within=0.4)
    assert left == []


def compare(demo: Demo) -> list[str]:
    mirrored = asyncio.run(mirror_rows(demo))
    found: list[str] = []
    for tenant in demo.told["tenants"]:
        for table, listed in listed_at_stripe(demo, tenant["account"]):
            found += differences(mirrored.get((tenant["account"], table), {}), listed)
    return found


def tally(demo: Demo) -> dict[str, int]:
    """What became of the events; a dead letter fails the test."""

    async def ask() -> dict[str, int]:
        connection = await connected(demo)
        try:
            rows = await connection.fetch(
                "select coalesce(outcome, state) as word, count(*) as n from inbox group by 1"
            )
            return {row["word"]: row["n"] for row in rows}
        finally:
            await connection.close()

    found = asyncio.run(ask())
    assert "dead" not in found, found
    assert eventually(lambda: asyncio.run(effects(demo)).keys() <= {"done"}, within=30), "effects are waiting or dead"
    return found | {f"effects {state}": count for state, count in asyncio.run(effects(demo)).items()}


async def effects(demo: Demo) -> dict[str, int]:
    """How many effects there are in each state; a transition has one row, so none can have run twice."""
    connection = await connected(demo)
    try:
        rows = await connection.fetch("select state, count(*) as n from effects group by state")
        return {row["state"]: row["n"] for row in rows}
    finally:
        await connection.close()
