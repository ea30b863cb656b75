"""The embedded server survives whatever kills it or its owner, and two owners never share a folder."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest

from storage.embedded import EmbeddedPostgres
from storage.embedded_install import EmbeddedPostgresError
from storage.embedded_leftovers import end_leftovers, processes_of

STARTED_AND_KILLED = """
import os, signal, sys
from pathlib import Path
from storage.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.process_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    yield folder
    end_leftovers(folder / "postgres")
    shutil.rmtree(folder)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder, durable=False)
    yield server
    server.stop()


def run(server: EmbeddedPostgres, statement: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(server.owner_url())
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_a_first_start_makes_a_database_that_its_owner_can_use(server: EmbeddedPostgres) -> None:
    server.start()
    assert run(server, "select current_user || ' ' || current_database()") == "gateway_owner gateway"
    assert run(server, "select rolsuper from pg_roles where rolname = current_user") is False
    assert run(server, "show listen_addresses") == "127.0.0.1"


def test_it_can_be_used_from_inside_an_event_loop(server: EmbeddedPostgres) -> None:
    async def within() -> bool:
        server.start()
        return server.running

    assert asyncio.run(within())


def test_passwords_are_readable_by_their_owner_alone(server: EmbeddedPostgres) -> None:
    server.start()
    path = server.folder / "postgres-passwords.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (server.folder / "initdb.password").exists()
    command = " ".join(psutil.Process(server.process_id).cmdline())
    assert not any(word in command for word in path.read_text().split('"') if len(word) > 20)


def test_a_login_without_the_password_is_refused(server: EmbeddedPostgres) -> None:
    server.start()

    async def knock() -> None:
        await asyncpg.connect(server.superuser_url(), password="wrong")

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(knock())


def test_what_was_written_is_there_after_a_restart_on_the_same_port(server: EmbeddedPostgres) -> None:
    server.start()
    port = server.port
    run(server, "create table kept as select 1 as n")
    server.stop()
    assert not server.running
    assert processes_of(server.data) == []
    server.start()
    assert server.port == port
    assert run(server, "select n from kept") == 1


def test_stopping_cuts_open_sessions_and_may_be_repeated(server: EmbeddedPostgres) -> None:
    server.start()

    async def hold_and_stop() -> bool:
        connection = await asyncpg.connect(server.owner_url())
        await asyncio.to_thread(server.stop)
        try:
            await connection.fetchval("select 1")
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, asyncpg.AdminShutdownError):
            return True
        return False

    assert asyncio.run(hold_and_stop())
    server.stop()
    assert processes_of(server.data) == []


def test_a_killed_server_is_noticed_and_started_again_with_what_it_committed(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=True)
    server.start()
    run(server, "create table kept as select 7 as n")
    assert server.process_id
    os.kill(server.process_id, signal.SIGKILL)
    psutil.Process(server.process_id).wait(10)
    assert not server.running
    server.start()
    assert run(server, "select n from kept") == 7
    server.stop()


def test_the_server_of_a_killed_owner_is_ended_before_the_next_start(server: EmbeddedPostgres) -> None:
    owner = subprocess.run(
        [sys.executable, "-c", STARTED_AND_KILLED, str(server.folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert owner.returncode == -signal.SIGKILL, owner.stderr
    leftover = int(owner.stdout)
    assert leftover in {process.pid for process in processes_of(server.data)}
    server.start()
    alive = {process.pid for process in processes_of(server.data)}
    assert server.process_id in alive
    assert leftover not in alive
    assert run(server, "select 1") == 1


@pytest.mark.parametrize("content", ["", "12", "999999999\n/elsewhere\n", f"{os.getpid()}\n/tmp\n1\n5432\n"])
def test_a_stale_or_torn_pid_file_does_not_hinder(server: EmbeddedPostgres, content: str) -> None:
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(content)
    server.start()
    assert run(server, "select 1") == 1


def test_an_interrupted_first_start_is_begun_anew(server: EmbeddedPostgres) -> None:
    half = server.folder / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert run(server, "select 1") == 1
    assert not half.exists()


def test_a_second_owner_of_the_folder_is_refused_and_told_who_has_it(server: EmbeddedPostgres) -> None:
    server.start()
    second = EmbeddedPostgres(server.folder, durable=False)
    with pytest.raises(EmbeddedPostgresError, match=rf"in use by another process \(id {os.getpid()}\)"):
        second.start()
    assert run(server, "select 1") == 1


def test_a_port_that_something_else_holds_gives_the_servers_own_reason(server: EmbeddedPostgres) -> None:
    server.start()
    other_folder = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    other = EmbeddedPostgres(other_folder, port=server.port, durable=False)
    try:
        with pytest.raises(EmbeddedPostgresError, match=str(server.port)):
            other.start()
        assert not other.running
    finally:
        shutil.rmtree(other_folder)


def test_a_database_whose_passwords_are_lost_is_not_overwritten(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.folder / "postgres-passwords.json").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"postgres-passwords\.json is missing"):
        server.start()
    assert (server.data / "PG_VERSION").is_file()
