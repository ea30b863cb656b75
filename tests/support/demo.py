"""The whole product as `make run` starts it, on free ports, and a client for its API."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parent.parent.parent
_READY_WITHIN = 60.0


@dataclass(frozen=True)
class Demo:
    """A running gateway: `process` is the supervisor, `told` what demo.json says."""

    process: subprocess.Popen[bytes]
    folder: Path
    told: dict[str, Any]

    def tenant(self, number: int = 0) -> dict[str, str]:
        found: dict[str, str] = self.told["tenants"][number]
        return found

    def send(self, token: str, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """One GraphQL request, whatever its answer."""
        return httpx.post(
            self.told["graphql"],
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"} | headers,
            timeout=30,
        )

    def ask(self, token: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of a request that must succeed."""
        answer = self.send(token, query, variables)
        body = answer.json()
        assert answer.status_code == 200, body
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def stripe(self, method: str, path: str, account: str, **params: Any) -> dict[str, Any]:
        """What the sandbox itself answers, by plain HTTP: a code path that shares nothing with the gateway's."""
        answer = httpx.request(
            method,
            self.told["sandbox"] + path,
            params=params if method == "GET" else None,
            data=params if method == "POST" else None,
            auth=(self.told["sandbox_key"], ""),
            headers={"Stripe-Account": account},
        )
        found: dict[str, Any] = answer.json()
        return found

    def stripe_list(self, path: str, account: str, **params: Any) -> list[dict[str, Any]]:
        """All objects of a list of the sandbox's, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = self.stripe("GET", path, account, limit=100, **params, **after)
            found += page["data"]
            if not page["has_more"]:
                return found

    def stripe_requests(self) -> int:
        """How many API requests the sandbox has seen."""
        return int(httpx.get(self.told["sandbox"] + "/_sandbox/requests").json()["total"])

    def pids(self, part: str) -> list[int]:
        """The processes of one part (serve, sidecar, worker, sandbox, postgres) that this supervisor started."""
        children = psutil.Process(self.process.pid).children()
        return [child.pid for child in children if _is(child, part)]


def _is(child: psutil.Process, part: str) -> bool:
    try:
        return part in child.cmdline() or child.name() == part
    except psutil.NoSuchProcess:  # it has ended, and waits to be reaped
        return False


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Demo]:
    """Start everything in a folder of its own; at the end it must stop cleanly and leave nothing behind."""
    arguments = ["--data", str(folder / "data"), "--run-folder", str(folder)]
    arguments += ["--port", "0", "--sidecar-port", "0", "--sandbox-port", "0"]
    told = folder / "demo.json"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", *arguments],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=os.environ | environment,
        )
        try:
            deadline = time.monotonic() + _READY_WITHIN
            while not told.exists():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            yield Demo(process, folder, json.loads(told.read_text()))
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, (folder / "log").read_text()
    assert not told.exists()


def eventually(check: Any, *, within: float = 10.0) -> Any:
    """Ask again until the answer is true, for a bounded time: webhooks take their own."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)
