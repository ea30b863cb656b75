"""The small parts of `gateway run`: ports, the record of processes, secrets, and the endpoints at the sandbox."""

import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.child import Child
from gateway.local_ports import WantedPort, claim
from gateway.private_file import read_json, write_private_json
from gateway.process_record import ProcessRecord
from gateway.readiness import wait_until_ready
from gateway.run_secrets import RunSecrets, load_or_make
from gateway.sandbox_endpoints import ensure_endpoints
from gateway.settings import environment_for

SLEEPER = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


def test_a_port_in_use_is_named_with_its_purpose_and_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        number = taken.getsockname()[1]
        expected = f"port {number}, meant for the gateway, can't be used .*another one with --port"
        with pytest.raises(Exception, match=expected):
            claim({"gateway": WantedPort(number, "the gateway", "--port")})
    assert claim({"gateway": WantedPort(number, "the gateway", "--port")}) == {"gateway": number}


def test_one_number_for_two_purposes_is_refused() -> None:
    number = claim({"any": WantedPort(0, "anything", "--any")})["any"]
    with pytest.raises(Exception, match=r"meant for b, .* --second"):
        claim({"a": WantedPort(number, "a", "--first"), "b": WantedPort(number, "b", "--second")})


def test_free_ports_are_chosen_apart() -> None:
    chosen = claim({name: WantedPort(0, name, "--x") for name in "abc"})
    assert len(set(chosen.values())) == 3


def test_a_private_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    path.write_text("{torn")
    path.chmod(0o644)
    assert read_json(path) == {}
    write_private_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_recorded_processes_are_ended_and_forgotten(tmp_path: Path) -> None:
    record = ProcessRecord(tmp_path / "processes.json")
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        record.write({"it": process.pid, "gone": None})
        assert record.end_leftovers() == ["it"]
        assert process.wait(10) == -15
    assert record.end_leftovers() == []


def test_a_process_that_only_has_the_same_number_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    write_private_json(path, {"other": [os.getpid(), 1.0], "torn": ["x"], "odd": 5})
    assert ProcessRecord(path).end_leftovers() == []


def test_secrets_are_made_once_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_make(path)
    assert made.sandbox_key.startswith("sk_test_")
    assert load_or_make(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[tuple[str, RunSecrets]]:
    """A real sandbox with the secrets' key, and its address."""
    secrets = load_or_make(tmp_path / "secrets.json")
    port = claim({"it": WantedPort(0, "the sandbox", "--port")})["it"]
    child = Child(
        "sandbox",
        [sys.executable, "-m", "gateway", "sandbox", "--port", str(port)],
        environment_for({"STRIPE_API_KEY": secrets.sandbox_key, "STRIPE_API_BASE": ""}),
        say=lambda _name, _line: None,
        changed=lambda: None,
    )
    child.start()
    base = f"http://127.0.0.1:{port}"
    health = f"{base}/_sandbox/health"
    await wait_until_ready("sandbox", health, early_deaths=lambda: child.early_deaths, patience=20)
    yield base, secrets
    await child.stop(patience=5)


async def endpoints(base: str, secrets: RunSecrets) -> list[dict[str, object]]:
    headers = {"Authorization": f"Bearer {secrets.sandbox_key}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{base}/v1/webhook_endpoints", headers=headers) as answer,
    ):
        return list((await answer.json())["data"])


async def test_endpoints_are_registered_once_and_anew_when_the_sidecar_moves(
    sandbox: tuple[str, RunSecrets],
) -> None:
    base, secrets = sandbox
    first = await ensure_endpoints(secrets, sandbox=base, sidecar="http://127.0.0.1:9")
    assert first.connect
    assert first.platform
    assert re.fullmatch(r"whsec_\w+", first.connect.secret)
    assert first.connect.secret != first.platform.secret
    assert await ensure_endpoints(first, sandbox=base, sidecar="http://127.0.0.1:9") == first

    # what a kill between creating and saving leaves: endpoints whose secrets nobody has
    again = await ensure_endpoints(secrets, sandbox=base, sidecar="http://127.0.0.1:9")
    assert again.connect != first.connect

    moved = await ensure_endpoints(again, sandbox=base, sidecar="http://127.0.0.1:10")
    assert moved.connect
    assert moved.platform
    assert {str(each["id"]) for each in await endpoints(base, secrets)} == {moved.connect.id, moved.platform.id}
    assert {each["url"] for each in await endpoints(base, secrets)} == {"http://127.0.0.1:10/webhooks/stripe"}
