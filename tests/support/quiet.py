"""Holds still what works beside the gateway, so that every request at Stripe is the gateway's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil  # type: ignore[import-untyped]

from tests.support.demo import Demo, eventually


@contextmanager
def worker_held(demo: Demo) -> Iterator[None]:
    """Stop the worker for the block: it re-reads objects from Stripe whenever it has events."""
    workers = [psutil.Process(pid) for pid in demo.pids("worker")]
    assert workers
    for worker in workers:
        worker.suspend()
    try:
        stopped = lambda: all(one.status() == psutil.STATUS_STOPPED for one in workers)  # noqa: E731
        assert eventually(stopped)
        yield
    finally:
        for worker in workers:
            worker.resume()


def restart_gateway(demo: Demo) -> None:
    """Kill the gateway's process, and wait until the supervisor's next one is ready: nothing is cached in it."""
    (old,) = [psutil.Process(pid) for pid in demo.pids("serve")]
    old.kill()
    old.wait(10)

    def ready() -> bool:
        try:
            return httpx.get(demo.told["gateway"] + "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    assert eventually(ready, within=30)
