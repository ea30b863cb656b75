"""Makes the mirror differ from Stripe as a lost event does, and has it found."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.demo import Demo, eventually

STATUS = """{ syncStatus { waitingEvents oldestWaitingSeconds deadEvents
  jobs { kind state created finished objectsSeen objectsDiffering differences { object stripeId kind fields } } } }"""
_START = "mutation { reconcileStart(input: {}) { started errors { code } } }"


def untold_customer(demo: Demo) -> str:
    """A new customer of the first tenant's of whom no event tells."""
    chaos = demo.told["sandbox"] + "/_sandbox/chaos"
    account = demo.tenant()["account"]
    httpx.post(chaos, json={"never_types": ["customer.created"], "accounts": [account]}).raise_for_status()
    made = demo.stripe("POST", "/v1/customers", account, name=f"Untold {uuid4().hex}")
    httpx.post(chaos, json={}).raise_for_status()
    return str(made["id"])


def reconciled(demo: Demo) -> dict[str, Any]:
    """Ask for a reconcile of the first tenant; the finished job that began after."""
    admin = demo.tenant()["admin_key"]
    before = {one["created"] for one in jobs(demo) if one["state"] == "DONE"}

    def started() -> bool:
        answer = demo.ask(admin, _START)["reconcileStart"]
        assert answer["errors"] == []
        return bool(answer["started"])

    assert eventually(started, within=60)
    found = eventually(lambda: [one for one in jobs(demo) if _done(one) and one["created"] not in before], within=60)
    assert found, "the reconcile did not end"
    job: dict[str, Any] = found[0]
    return job


def jobs(demo: Demo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = demo.ask(demo.tenant()["admin_key"], STATUS)["syncStatus"]["jobs"]
    return found


def _done(job: dict[str, Any]) -> bool:
    return bool(job["kind"] == "RECONCILE" and job["state"] == "DONE")
