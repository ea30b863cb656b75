"""`gateway run` for real: it starts, survives the death of each part, and leaves nothing behind."""

import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.local_ports import WantedPort, claim
from gateway.private_file import read_json
from gateway.process_record import ProcessRecord
from storage.embedded_leftovers import end_leftovers, processes_of

PATIENCE = 60.0
PARTS = ("gateway", "sidecar", "worker", "sandbox")


@dataclass
class Run:
    """A `gateway run` in a folder of its own, which a test may start, kill and start again."""

    folder: Path
    ports: dict[str, int]
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def demo(self) -> Path:
        return self.folder / "demo.json"

    @property
    def variables(self) -> Path:
        return self.folder / "gateway.env"

    def start(self) -> subprocess.Popen[bytes]:
        self.lines.clear()
        options = ["--data", str(self.data), "--run-folder", str(self.folder), "--port", str(self.ports["gateway"])]
        options += ["--sidecar-port", str(self.ports["sidecar"]), "--sandbox-port", str(self.ports["sandbox"])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        return self.process

    def until_said(self, text: str) -> str:
        """Read on until a line matches, and return it."""
        assert self.process
        assert self.process.stdout
        deadline = time.monotonic() + PATIENCE
        pipe, rest = self.process.stdout, b""
        while time.monotonic() < deadline:
            if not select.select([pipe], [], [], 1)[0]:
                continue
            chunk = os.read(pipe.fileno(), 65_536)
            *lines, rest = (rest + chunk).split(b"\n")
            self.lines += [line.decode() for line in lines]
            if found := [line for line in self.lines if re.search(text, line)]:
                return found[-1]
            if not chunk:
                break
        raise AssertionError(f"never said {text!r}: {self.lines}")

    def until_ready(self) -> str:
        line = self.until_said(r"^ready in ")
        eventually(self.demo.exists)
        return line

    def end(self) -> int:
        """Ask it to stop; its exit code. Reads to the end, so that a full pipe can't hinder it."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.lines += rest.decode().splitlines()
        return self.process.returncode

    def process_ids(self) -> dict[str, int]:
        return {name: entry[0] for name, entry in read_json(self.data / "processes.json").items()}

    def postmaster(self) -> int:
        return int((self.data / "postgresql" / "postgres" / "postmaster.pid").read_text().split("\n")[0])

    def kill_and_see_restarted(self, name: str) -> None:
        killed = self.process_ids()[name]
        os.kill(killed, signal.SIGKILL)
        self.until_said(rf"{name} +\| was killed by SIGKILL unexpectedly")
        eventually(lambda: self.process_ids().get(name, killed) != killed)

    def answers(self, name: str, path: str = "/readyz") -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().split(") ")[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def run() -> Iterator[Run]:
    folder = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    run = Run(folder, claim({name: WantedPort(0, name, "--x") for name in ("gateway", "sidecar", "sandbox")}))
    yield run
    if run.process:
        with run.process:
            run.process.kill()
    ProcessRecord(run.data / "processes.json").end_leftovers()
    end_leftovers(run.data / "postgresql" / "postgres")
    shutil.rmtree(folder)


def secrets_of(run: Run) -> dict[str, Any]:
    return dict(json.loads((run.data / "secrets.json").read_text()))


COMMANDS = 'set -a; . "$0"; set +a; python="$1"; shift; exec "$python" -m gateway "$@"'


def command(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An operator's command, as README.md says it, in a shell that knows nothing else."""
    return subprocess.run(
        ["/bin/sh", "-c", COMMANDS, str(run.variables), sys.executable, *arguments],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_commands_find_their_settings_in_a_file_of_the_run(run: Run) -> None:
    run.variables.parent.mkdir(exist_ok=True)
    run.variables.write_text("LEFT=over\n")
    run.start()
    run.until_ready()
    assert stat.S_IMODE(run.variables.stat().st_mode) == 0o600
    assert "LEFT" not in run.variables.read_text()
    listed = command(run, "tenants", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split("\t")[:2] for line in listed.stdout.splitlines()] == [
        ["brightdesk", "active"],
        ["mercy-health", "active"],
        ["northfield", "active"],
    ]
    minted = command(
        run,
        "tokens",
        "session",
        "--tenant",
        "mercy-health",
        "--customer",
        json.loads(run.demo.read_text())["tenants"][0]["customer"],
    )  # with the key that signs, whose text has lines
    assert (minted.returncode, minted.stdout.count(".")) == (0, 2)
    assert run.end() == 0
    assert not run.variables.exists()


@pytest.mark.slow
def test_it_starts_stops_and_starts_again_with_the_same_secrets(run: Run) -> None:
    run.start()
    assert re.search(r"PostgreSQL \d.*sandbox|sandbox \d.*PostgreSQL", run.until_ready())
    assert stat.S_IMODE(run.demo.stat().st_mode) == 0o600
    assert run.answers("gateway")
    assert run.answers("sidecar")
    before, processes = secrets_of(run), run.process_ids()
    assert set(processes) == set(PARTS)

    assert run.end() == 0
    assert run.lines[-1] == "stopped"
    assert not run.demo.exists()
    assert not run.variables.exists()
    assert not (run.data / "processes.json").exists()
    assert [name for name, process_id in processes.items() if alive(process_id)] == []
    assert processes_of(run.data / "postgresql" / "postgres") == []

    run.start()
    run.until_ready()
    assert secrets_of(run) == before
    platform = [line.split("\t")[1] for line in command(run, "tokens", "list", "--platform").stdout.splitlines()]
    assert platform == ["revoked", "valid"]  # each start has a fresh key, and ends the last one's
    assert run.end() == 0


@pytest.mark.slow
def test_each_part_that_is_killed_is_started_again(run: Run) -> None:
    run.start()
    run.until_ready()
    for name in PARTS:
        run.kill_and_see_restarted(name)
    killed = run.postmaster()
    os.kill(killed, signal.SIGKILL)
    run.until_said(r"postgres \| ended unexpectedly")
    eventually(lambda: run.answers("gateway") and run.answers("sidecar") and run.answers("sandbox", "/_sandbox/health"))
    assert run.postmaster() != killed
    assert run.end() == 0


@pytest.mark.slow
def test_what_a_killed_supervisor_leaves_ends_by_itself_or_at_the_next_start(run: Run) -> None:
    first = run.start()
    run.until_ready()
    processes, server = run.process_ids(), run.postmaster()
    first.kill()
    first.wait(10)
    assert run.demo.exists()
    assert first.stdout
    first.stdout.close()
    eventually(lambda: not any(alive(process_id) for process_id in processes.values()))

    run.start()
    run.until_ready()
    assert run.postmaster() != server
    assert not alive(server)
    assert run.end() == 0


def test_a_port_in_use_stops_it_before_anything_is_started(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", run.ports["sidecar"]))
        taken.listen(1)
        output, _ = run.start().communicate(timeout=PATIENCE)
    assert run.process
    assert run.process.returncode == 2
    assert output.decode() == (
        f"gateway: port {run.ports['sidecar']}, meant for Stripe's webhooks (the sidecar), can't be used "
        "(Address already in use): stop what uses it, or choose another one with --sidecar-port\n"
    )
    assert not (run.data / "postgresql").exists()
    assert not run.demo.exists()
