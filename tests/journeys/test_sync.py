"""An administrator sees how the mirror stands, has it checked, and looks after the inbox from the command line."""

import getpass
import json
import subprocess
import sys
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.demo import ROOT, Demo, eventually
from tests.support.drift import STATUS, reconciled, untold_customer

pytestmark = pytest.mark.slow

_SEEN = "query($id: ID!) { customer(id: $id) { name } }"


def command(demo: Demo, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line with the settings of the running worker."""
    environment = psutil.Process(demo.pids("worker")[0]).environ() | {"GATEWAY_SUPERVISED": ""}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def told(demo: Demo, *arguments: str) -> Any:
    done = command(demo, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_no_event_told_of_is_found_named_and_repaired(demo: Demo) -> None:
    tenant = demo.tenant()
    customer = untold_customer(demo)
    assert demo.ask(tenant["admin_key"], _SEEN, {"id": customer})["customer"] is None
    job = reconciled(demo)
    assert {"object": "customer", "stripeId": customer, "kind": "MISSING", "fields": []} in job["differences"]
    assert demo.ask(tenant["admin_key"], _SEEN, {"id": customer})["customer"]["name"].startswith("Untold")


def test_only_administrators_see_or_start_it(demo: Demo) -> None:
    tenant = demo.tenant()
    for token in (tenant["partner_key"], tenant["customer_token"]):
        for query in (STATUS, "mutation { reconcileStart(input: {}) { started errors { code } } }"):
            body = demo.send(token, query).json()
            assert "data" not in body
            assert {error["extensions"]["code"] for error in body["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


def test_the_command_line_tells_finds_and_repairs_a_difference(demo: Demo) -> None:
    customer = untold_customer(demo)
    slug = demo.tenant()["slug"]
    found = command(demo, "mirror", "diff", "--tenant", slug, "--json")
    assert found.returncode == 1
    missing = {"object": "customer", "id": customer, "kind": "missing", "fields": []}
    assert missing in json.loads(found.stdout)["differences"]
    assert missing in told(demo, "mirror", "reconcile", "--tenant", slug)["differences"]
    assert told(demo, "mirror", "diff", "--tenant", slug)["differences"] == []
    dumped = command(demo, "mirror", "dump", "--tenant", slug, "--type", "customer")
    ids = [json.loads(line)["id"] for line in dumped.stdout.splitlines()]
    assert customer in ids
    others = {one["customer"] for one in demo.told["tenants"][1:]}
    assert not others & set(ids)


def test_the_command_line_shows_and_replays_events(demo: Demo) -> None:
    account = demo.tenant()["account"]
    demo.stripe("POST", "/v1/customers", account, name="Replayed")
    event = demo.stripe("GET", "/v1/events", account, type="customer.created", limit="1")["data"][0]["id"]

    def done() -> dict[str, Any] | None:
        shown: dict[str, Any] = json.loads(command(demo, "inbox", "show", event, "--json").stdout or "{}")
        return shown if shown.get("state") == "done" else None

    settled = eventually(done, within=30)
    assert settled["outcome"] in {"applied", "same", "reread"}
    assert "Replayed" not in json.dumps(settled)
    assert command(demo, "inbox", "replay", event).stdout == "1 events wait again\n"
    again = eventually(done, within=30)
    assert again["outcome"] in {"same", "stale"}
    status = told(demo, "inbox", "status")
    assert status["dead"] == 0
    assert sum(status["settled_last_hour"].values()) > 0
    assert command(demo, "inbox", "drain").returncode == 0


def test_what_an_operator_does_stands_in_the_audit_log(demo: Demo) -> None:
    slug = demo.tenant()["slug"]
    issued = command(demo, "tokens", "issue", "--tenant", slug, "--name", "audited").stdout.strip()
    public_id = issued.split("_")[2]
    assert command(demo, "tokens", "revoke", public_id).returncode == 0
    lines = [line.split("\t") for line in command(demo, "audit", "list", slug, "--limit", "2").stdout.splitlines()]
    who = f"operator:{getpass.getuser()}"
    assert [line[1:5] for line in lines] == [
        [who, "apiTokenRevoke", public_id, "ok"],
        [who, "apiTokenIssue", public_id, "ok"],
    ]
    assert issued not in str(lines)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("inbox", "show", "evt_nothing"), "there is no event evt_nothing"),
        (("inbox", "replay"), "name an event, or --dead"),
        (("mirror", "diff", "--tenant", "nobody"), "there is no tenant nobody"),
    ],
)
def test_what_the_command_line_cannot_do_it_says_in_one_line(
    demo: Demo, arguments: tuple[str, ...], complaint: str
) -> None:
    done = command(demo, *arguments)
    assert (done.returncode, done.stderr.strip()) == (2, f"gateway: {complaint}")
