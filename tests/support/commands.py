"""Runs the operators' commands in this process against a test's own database, and looks at what they left there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import pytest
import structlog
from click.testing import CliRunner

from gateway.cli import cli
from gateway.models import MODELS
from gateway.settings import Settings
from storage.database import Database, DatabaseUrl, open_database
from tests.support.databases import APP_PASSWORD, SYSTEM_PASSWORD, as_app, as_system
from tests.support.tenants import Two, two_tenants

T = TypeVar("T")


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one line of a refusal; that it is one, and that nothing else was said, is asserted."""
        assert self.out == ""
        assert self.code == 2, self
        (line,) = self.err.splitlines()
        assert line.startswith("gateway: ")
        return line.removeprefix("gateway: ")


@dataclass(frozen=True)
class Operators:
    """The command line with exactly the settings given, and the database behind it."""

    database: DatabaseUrl
    environment: pytest.MonkeyPatch

    def __call__(self, *arguments: str) -> Said:
        with _logs_as_before():
            result = CliRunner().invoke(cli, arguments, catch_exceptions=True)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def set(self, **settings: str) -> None:
        for name, value in settings.items():
            self.environment.setenv(name.upper(), value)

    def ask(self, query: str, *values: Any) -> list[Any]:
        """Rows of the database, as its owner sees them."""

        async def work() -> list[Any]:
            connection = await asyncpg.connect(**self.database.credentials())
            try:
                return [tuple(row.values()) for row in await connection.fetch(query, *values)]
            finally:
                await connection.close()

        return asyncio.run(work())

    def state(self) -> list[Any]:
        """All that commands may change, as text: a refusal leaves it as it was."""
        tables = ("tenants", "api_tokens", "platform_tokens", "trusted_documents", "audit_entries", "platform_entries")
        return [(table, self.ask(f"select t::text from {table} t order by 1")) for table in tables]

    def two_tenants(self) -> Two:
        async def work(database: Database) -> Two:
            return await two_tenants(database)

        return self.with_database(work)

    def with_database(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """What `work(database)` answers."""

        async def run() -> T:
            async with open_database(
                app=as_app(self.database), system=as_system(self.database), models=MODELS
            ) as database:
                return await work(database)

        return asyncio.run(run())


def operators_of(database: DatabaseUrl, environment: pytest.MonkeyPatch) -> Operators:
    """The commands with the settings of the database alone: no key of Stripe's, and none that signs tokens."""
    for name in Settings.model_fields:
        environment.delenv(name.upper(), raising=False)
    made = Operators(database, environment)
    owner = f"postgresql://{database.user}:{database.password}@{database.host}:{database.port}/{database.database}"
    made.set(database_url=owner, gateway_app_password=APP_PASSWORD, gateway_system_password=SYSTEM_PASSWORD)
    return made


@contextmanager
def _logs_as_before() -> Iterator[None]:
    """Commands set up the logs of their process; this one is the tests'."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    try:
        yield
    finally:
        structlog.configure(**before)
        root.handlers, root.level = handlers, level
