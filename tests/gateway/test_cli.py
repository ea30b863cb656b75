"""The command line lists its commands without loading them, and tells a person what is wrong in one line."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway import access_commands, admin_commands, mirror_commands, token_commands
from gateway.cli import cli
from gateway.settings import Settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_help_lists_all_commands_and_loads_none_of_the_heavy_modules() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from gateway.cli import cli;"
        "print(CliRunner().invoke(cli, ['--help']).output);"
        "print(sorted({'tortoise', 'strawberry', 'stripe', 'pydantic', 'uvicorn', 'asyncpg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *shown, loaded = done.stdout.strip().splitlines()
    assert loaded == "[]"
    listed = {line.split()[0] for line in shown if line.startswith("  ") and line.strip()}
    assert listed >= {
        "run", "serve", "sidecar", "worker", "sandbox", "migrate", "tenants", "tokens", "schema"
    }  # fmt: skip


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_part_without_settings_names_them_all_in_one_line(command: str) -> None:
    code, out, err = run(command)
    assert (code, out) == (2, "")
    assert err.startswith("gateway: DATABASE_URL, GATEWAY_APP_PASSWORD, GATEWAY_SYSTEM_PASSWORD, STRIPE_API_KEY")
    assert err.count("\n") == 1


def test_the_sidecar_asks_for_no_key_that_moves_money() -> None:
    code, out, err = run("sidecar")
    assert (code, out) == (2, "")
    assert err.startswith("gateway: DATABASE_URL, GATEWAY_SYSTEM_PASSWORD, STRIPE_WEBHOOK_SECRETS")
    assert "STRIPE_API_KEY" not in err


def test_migrate_needs_no_stripe_key_and_says_when_nothing_listens(empty_environment: pytest.MonkeyPatch) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = reserved.getsockname()[1]
        empty_environment.setenv("DATABASE_URL", f"postgresql://me:hidden@127.0.0.1:{port}/billing")
        empty_environment.setenv("GATEWAY_APP_PASSWORD", "hidden")
        empty_environment.setenv("GATEWAY_SYSTEM_PASSWORD", "hidden")
        code, out, err = run("migrate")
    assert (code, out) == (2, "")
    assert err.startswith(f"gateway: can't reach the database billing on 127.0.0.1:{port}")
    assert err.count("\n") == 1
    assert "hidden" not in err


def test_the_sandbox_takes_no_live_key(empty_environment: pytest.MonkeyPatch) -> None:
    empty_environment.setenv("STRIPE_API_KEY", "sk_live_hidden")
    code, out, err = run("sandbox")
    assert (code, out) == (2, "")
    assert "sk_test_" in err
    assert "hidden" not in err


def test_a_taken_port_is_told_with_the_option_that_changes_it(empty_environment: pytest.MonkeyPatch) -> None:
    empty_environment.setenv("STRIPE_API_KEY", "sk_test_1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        code, _, err = run("sandbox", "--port", str(port))
    assert code == 2
    assert err.startswith(f"gateway: can't listen on 127.0.0.1:{port}")
    assert "--port" in err


def test_the_version_is_the_packages() -> None:
    assert run("--version") == (0, f"billing-gateway {version('billing-gateway')}\n", "")


def commands(group: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, group
    if isinstance(group, click.Group):
        for each, command in group.commands.items():
            yield from commands(command, f"{name} {each}")


GROUPS = [
    *(("audit", access_commands.audit), ("providers", access_commands.providers)),
    *(("documents", access_commands.documents), ("tenants", admin_commands.tenants)),
    *(("schema", admin_commands.schema), ("tokens", token_commands.tokens), ("inbox", mirror_commands.inbox)),
    *(("mirror", mirror_commands.mirror), ("invariants", mirror_commands.invariants)),
]
HELPS = [one for name, group in GROUPS for one in commands(group, name)]


@pytest.mark.parametrize(("name", "command"), HELPS, ids=[name for name, _ in HELPS])
def test_each_command_says_in_its_own_words_what_it_does(name: str, command: click.Command) -> None:
    told = " ".join((command.help or "").split())
    assert told.endswith(".")
    assert len(told) > 20
    assert not told.startswith("The same")
    assert [other for other, each in HELPS if each is not command and each.help == command.help] == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (["recorded"], "usage: make recorded FOLDER=…, a folder with recordings"),
        (["recorded", "FOLDER={empty}"], "no recordings in {empty}"),
        (["example"], "make example needs the gateway: start 'make run' in another terminal"),
    ],
)
def test_a_target_without_what_it_needs_says_so_in_one_line(tmp_path: Path, target: list[str], said: str) -> None:
    root = Path(__file__).parents[2]
    told = [word.format(empty=tmp_path) for word in (*target, said)]
    # beside a folder without .run, with this environment's Python, and nothing to be set up
    given = ["-f", str(root / "Makefile"), "-o", "setup", f"BIN={Path(sys.executable).parent}", f"VENV={tmp_path}"]
    (tmp_path / ".installed").touch()
    done = subprocess.run(
        ["make", "--silent", *given, "-o", str(tmp_path / ".installed"), *told[:-1]],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == told[-1]
    assert "Traceback" not in done.stderr
