"""How long a change at Stripe takes to be seen in GraphQL, through sidecar and worker, each a process of its own.

    python -m bench.visible [CHANGES]

The clock starts when the sandbox has answered the change, before it delivers the event; it ends when a query shows it.
Beside it, as the floor: how long such a query itself takes.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

_READY_WITHIN = 90.0
_SEEN_WITHIN = 30.0
_APART = 2.5
_NAME = "query($id: ID!) { customer(id: $id) { name } }"
_SOME = "{ customers(first: 50) { nodes { id stripeId } } }"


@contextmanager
def product() -> Iterator[dict[str, Any]]:
    """All of it as `gateway run` starts it; yields what demo.json tells."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = ["--data", str(folder / "data"), "--run-folder", str(folder)]
        ports = ["--port", "0", "--sidecar-port", "0", "--sandbox-port", "0"]
        command = [sys.executable, "-m", "gateway", "run", *places, *ports]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 (ours)
        try:
            deadline = time.monotonic() + _READY_WITHIN
            while not (folder / "demo.json").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the gateway did not start; see what `gateway run` says")
                time.sleep(0.05)
            yield json.loads((folder / "demo.json").read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def measure(told: dict[str, Any], changes: int) -> None:
    """Print the delays of so many changes, one after another."""
    tenant = told["tenants"][0]
    with httpx.Client(timeout=30) as http:

        def ask(query: str, **variables: str) -> Any:
            sent = {"query": query, "variables": variables}
            answer = http.post(told["graphql"], json=sent, headers={"Authorization": f"Bearer {tenant['partner_key']}"})
            return answer.json()["data"]

        customers = ask(_SOME)["customers"]["nodes"]
        changed: dict[str, float] = {}
        floor, delays = [], []
        for number in range(changes):
            customer, name = customers[number % len(customers)], f"Seen {number}"
            # an object that changes twice within a second is read again three seconds later: that is another figure
            time.sleep(max(changed.get(customer["id"], 0) + _APART - time.monotonic(), 0))
            changed[customer["id"]] = time.monotonic()
            http.post(
                f"{told['sandbox']}/v1/customers/{customer['stripeId']}",
                data={"name": name},
                auth=(told["sandbox_key"], ""),
                headers={"Stripe-Account": tenant["account"]},
            ).raise_for_status()
            begun = time.perf_counter()
            while True:
                asked = time.perf_counter()
                found = ask(_NAME, id=customer["id"])["customer"]["name"]
                floor.append(time.perf_counter() - asked)
                if found == name:
                    break
                if asked - begun > _SEEN_WITHIN:
                    raise SystemExit(f"change {number} was not seen within {_SEEN_WITHIN:.0f} s")
            delays.append(time.perf_counter() - begun)
    centiles = quantiles(delays, n=100)
    print(f"visible: {changes} changes at Stripe seen in GraphQL after p50 {median(delays) * 1000:.0f} ms, p99 "
          f"{centiles[98] * 1000:.0f} ms; one query p50 {median(floor) * 1000:.1f} ms; "
          f"ratio {median(delays) / median(floor):.1f}")  # fmt: skip


def main() -> None:
    """The command line."""
    with product() as told:
        measure(told, int(sys.argv[1]) if len(sys.argv) > 1 else 100)


if __name__ == "__main__":
    main()
