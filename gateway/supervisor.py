"""`gateway run`: one process that starts PostgreSQL, the sandbox and the gateway's processes, and ends them all."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.child import Child
from gateway.database_keeper import DatabaseKeeper
from gateway.local_ports import WantedPort, claim
from gateway.private_file import write_private_json, write_private_shell
from gateway.process_record import ProcessRecord
from gateway.readiness import wait_until_ready
from gateway.run_secrets import RunSecrets, load_or_make
from gateway.sandbox_endpoints import ensure_endpoints
from gateway.settings import Settings, environment_for
from gateway.user_error import UserError
from storage.database import DatabaseUrl
from storage.folder_lock import FolderInUseError, FolderLock

READY_TIMEOUT: Final = 55.0
_HOST: Final = "127.0.0.1"
_FOR_COMMANDS: Final = (
    "DATABASE_URL",
    "GATEWAY_APP_PASSWORD",
    "GATEWAY_SYSTEM_PASSWORD",
    "STRIPE_API_KEY",
    "STRIPE_API_BASE",
    "GATEWAY_SESSION_KEY",
)
_NOT_FOR_SIDECAR: Final = {"STRIPE_API_KEY", "STRIPE_API_BASE", "GATEWAY_SESSION_KEY", "GATEWAY_APP_PASSWORD"}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where `gateway run` keeps its data, where it writes demo.json and gateway.env, and which ports it takes.

    Port 0 is any free one.
    """

    data: Path
    run_folder: Path
    port: int = 8000
    sidecar_port: int = 8001
    sandbox_port: int = 12111

    def wanted_ports(self) -> dict[str, WantedPort]:
        """Each port with the option that changes it."""
        return {
            "gateway": WantedPort(self.port, "the gateway", "--port"),
            "sidecar": WantedPort(self.sidecar_port, "Stripe's webhooks (the sidecar)", "--sidecar-port"),
            "sandbox": WantedPort(self.sandbox_port, "the Stripe sandbox", "--sandbox-port"),
        }


def say(name: str, line: str) -> None:
    """Show a line of one of the processes."""
    print(f"{name:<8} | {line}", flush=True)


class Stopwatch:
    """Measures the parts of the start, some of which run at the same time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._parts: list[str] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._parts.append(f"{name} {time.monotonic() - began:.1f} s")

    def summary(self) -> str:
        return f"ready in {time.monotonic() - self._began:.1f} s ({', '.join(self._parts)})"


async def run(options: RunOptions) -> None:
    """Start everything, then wait for SIGINT or SIGTERM, then stop everything in order. Raises UserError."""
    task = asyncio.create_task(_hold(options))
    asked = asyncio.Event()

    def stop() -> None:
        if not asked.is_set():  # a second Ctrl-C must not break the orderly end, which is bounded in time
            asked.set()
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
        print("stopped", flush=True)


async def _hold(options: RunOptions) -> None:
    for folder in (options.data, options.run_folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(options.data / "run.lock")
    try:
        lock.take()
    except FolderInUseError as error:
        raise UserError(f"{error} with --data") from None
    try:
        async with _Supervisor(options).running():
            await asyncio.Event().wait()
    finally:
        lock.release()


class _Supervisor:
    """The processes of one `gateway run`, in the order in which they are started."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._demo = options.run_folder / "demo.json"
        self._variables = options.run_folder / "gateway.env"
        self._record = ProcessRecord(options.data / "processes.json")
        self._database = DatabaseKeeper(options.data / "postgresql", say=say)
        self._children: dict[str, Child] = {}
        self._watch = Stopwatch()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._forget()
        if ended := self._record.end_leftovers():
            print(f"ended what a killed run had left: {', '.join(ended)}", flush=True)
        ports = claim(self._options.wanted_ports())
        try:
            await self._start(ports)
            yield
        finally:
            self._forget()
            await self._stop()
            self._record.remove()

    def _forget(self) -> None:
        for path in (self._demo, self._variables):
            path.unlink(missing_ok=True)

    async def _start(self, ports: dict[str, int]) -> None:
        path = self._options.data / "secrets.json"
        secrets = load_or_make(path)
        addresses = {name: f"http://{_HOST}:{number}" for name, number in ports.items()}
        self._launch(
            "sandbox",
            ["sandbox", "--port", str(ports["sandbox"]), "--data", str(self._options.data / "sandbox")],
            {"STRIPE_API_KEY": secrets.sandbox_key, "STRIPE_API_BASE": ""},
        )
        try:
            async with asyncio.TaskGroup() as together:
                prepared = together.create_task(self._prepare_database(secrets))
                registered = together.create_task(self._prepare_sandbox(secrets, addresses))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        secrets = registered.result()
        secrets.save(path)
        environment = _environment(prepared.result(), secrets, ports, addresses)
        with self._watch.part("gateway, sidecar and worker"):
            self._launch("gateway", ["serve"], environment)
            self._launch("sidecar", ["sidecar"], {k: v for k, v in environment.items() if k not in _NOT_FOR_SIDECAR})
            self._launch("worker", ["worker"], environment)
            await asyncio.gather(*(self._ready(name, f"{addresses[name]}/readyz") for name in ("gateway", "sidecar")))
        await self._seed(environment)

    async def _prepare_database(self, secrets: RunSecrets) -> str:
        with self._watch.part("PostgreSQL"):
            url = await self._database.start()
        with self._watch.part("migrations"):
            # imported here because it is slow, and PostgreSQL and the sandbox start meanwhile
            from gateway.migrate import migrate

            await migrate(
                DatabaseUrl.parse(url),
                app_password=secrets.app_password,
                system_password=secrets.system_password,
            )
        return url

    async def _prepare_sandbox(self, secrets: RunSecrets, addresses: dict[str, str]) -> RunSecrets:
        with self._watch.part("sandbox"):
            await self._ready("sandbox", f"{addresses['sandbox']}/_sandbox/health")
            return await ensure_endpoints(secrets, sandbox=addresses["sandbox"], sidecar=addresses["sidecar"])

    async def _seed(self, environment: dict[str, str]) -> None:
        from gateway.demo import seed  # slow to import, like the migrations

        with self._watch.part("demo tenants"):
            made = await seed(Settings.of(environment))
        write_private_shell(self._variables, {name: environment[name] for name in _FOR_COMMANDS})
        write_private_json(self._demo, made.as_json())
        print(self._watch.summary(), flush=True)
        for line in (*made.lines(), "", f"Operators' commands find their settings in {self._variables} (README.md)"):
            print(line, flush=True)

    def _launch(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        child = Child(
            name,
            [sys.executable, "-m", "gateway", *command],
            environment_for({**environment, "GATEWAY_SUPERVISED": "true"}),
            say=say,
            changed=self._note,
        )
        self._children[name] = child
        child.start()

    def _note(self) -> None:
        # without PostgreSQL, which looks after its own leftovers, and must not be ended by SIGTERM
        self._record.write({name: child.process_id for name, child in self._children.items()})

    async def _ready(self, name: str, url: str) -> None:
        child = self._children[name]
        await wait_until_ready(name, url, early_deaths=lambda: child.early_deaths, patience=READY_TIMEOUT)

    async def _stop(self) -> None:
        """First who uses the others, last the database: under 10 s also where each needs to be killed."""
        first = [child for name, child in self._children.items() if name != "sandbox"]
        await asyncio.gather(*(child.stop(patience=3.5) for child in first))
        if sandbox := self._children.get("sandbox"):
            await sandbox.stop(patience=1.5)
        await self._database.stop(patience=2.0)


def _environment(
    database: str, secrets: RunSecrets, ports: dict[str, int], addresses: dict[str, str]
) -> dict[str, str]:
    """The settings of the gateway's own processes."""
    endpoints = [endpoint.secret for endpoint in (secrets.connect, secrets.platform) if endpoint]
    return {
        "DATABASE_URL": database,
        "GATEWAY_APP_PASSWORD": secrets.app_password,
        "GATEWAY_SYSTEM_PASSWORD": secrets.system_password,
        "STRIPE_API_KEY": secrets.sandbox_key,
        "STRIPE_API_BASE": addresses["sandbox"],
        "STRIPE_WEBHOOK_SECRETS": ",".join(endpoints),
        "GATEWAY_SESSION_KEY": secrets.session_key,
        "GATEWAY_HOST": _HOST,
        "GATEWAY_PORT": str(ports["gateway"]),
        "GATEWAY_SIDECAR_PORT": str(ports["sidecar"]),
        "GATEWAY_PUBLIC_URL": addresses["gateway"],
    }
