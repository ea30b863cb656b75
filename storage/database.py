"""Opens the database as its two roles: the application's (bound to a tenant) and the system's (sees every tenant)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.client import TransactionContextPooled
from tortoise.connection import get_connection, get_connections
from tortoise.exceptions import DBConnectionError
from tortoise.transactions import in_transaction

APP, SYSTEM, OWNER = "app", "system", "owner"
APP_ROLE, SYSTEM_ROLE = "gateway_app", "gateway_system"


class Connection(Protocol):
    """What rooms use of a database client or of an open transaction."""

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[dict[str, Any]]]: ...

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]: ...


class InvalidDatabaseUrlError(ValueError):
    """DATABASE_URL is not a PostgreSQL URL; the message names the fault, never the password."""


def is_away(error: BaseException | None) -> bool:
    """Whether an error says that the database can't be reached now, rather than that a query is wrong."""
    return isinstance(
        error,
        (
            asyncpg.PostgresConnectionError,
            asyncpg.CannotConnectNowError,
            asyncpg.OperatorInterventionError,
            asyncpg.TooManyConnectionsError,
            asyncpg.InvalidAuthorizationSpecificationError,  # its password was changed, and ours will be
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            DBConnectionError,
            OSError,  # a time-out is one too
        ),
    )


def holds(text: str) -> bool:
    """Whether PostgreSQL's text can hold it: no NUL, and no half of a character."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where PostgreSQL listens, and as whom to log in."""

    host: str
    port: int
    database: str
    user: str | None = None
    password: str | None = None
    ssl: str | None = None

    @classmethod
    def parse(cls, url: str) -> "DatabaseUrl":
        """Read `postgresql://user:password@host:port/database?sslmode=…` (a socket folder may stand in `host=`)."""
        parts = urlsplit(url)
        if parts.scheme not in {"postgres", "postgresql"}:
            raise InvalidDatabaseUrlError("the database URL must start with postgresql://")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := set(options) - {"sslmode", "host"}:
            raise InvalidDatabaseUrlError(f"unknown option in the database URL: {', '.join(sorted(unknown))}")
        database = unquote(parts.path.lstrip("/"))
        if not database:
            raise InvalidDatabaseUrlError("the database URL names no database")
        return cls(
            host=options.get("host") or parts.hostname or "127.0.0.1",
            port=parts.port or 5432,
            database=database,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            ssl=options.get("sslmode"),
        )

    def as_role(self, role: str, password: str | None) -> "DatabaseUrl":
        """The same database, logged in as one of the gateway's own roles."""
        return replace(self, user=role, password=password or self.password)

    def credentials(self) -> dict[str, Any]:
        """What asyncpg takes as keyword arguments."""
        found: dict[str, Any] = {"host": self.host, "port": self.port, "database": self.database}
        found |= {"user": self.user, "password": self.password}
        return found | ({"ssl": self.ssl} if self.ssl else {})


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections each client may hold open, and how long a statement may take (seconds)."""

    app: int = 10
    system: int = 10
    statement_timeout: float = 15.0


def connection_config(url: DatabaseUrl, *, engine: str, pool: int, statement_timeout: float) -> dict[str, Any]:
    """Tortoise's description of one pool of connections."""
    return {
        "engine": engine,
        "credentials": url.credentials()
        | {
            "minsize": 1,
            "maxsize": pool,
            "timeout": 5.0,
            "command_timeout": statement_timeout,
            "server_settings": {"application_name": url.user or "gateway", "timezone": "UTC"},
        },
    }


@asynccontextmanager
async def open_database(
    *, app: DatabaseUrl, system: DatabaseUrl, models: Sequence[str], limits: PoolLimits | None = None
) -> AsyncIterator["Database"]:
    """Open both clients for the whole process, and close them when the block ends.

    `models` are the dotted names of the modules that declare Tortoise models; they read through the application's
    client unless told otherwise, so that a forgotten choice sees one tenant at the most.
    """
    limits = limits or PoolLimits()
    timeout = limits.statement_timeout
    await Tortoise.init(
        config={
            "connections": {
                APP: connection_config(app, engine="storage.tenant_client", pool=limits.app, statement_timeout=timeout),
                SYSTEM: connection_config(
                    system,
                    engine="tortoise.backends.asyncpg",
                    pool=limits.system,
                    statement_timeout=timeout,
                ),
            },
            "apps": {"models": {"models": list(models), "default_connection": APP}},
            "use_tz": True,
            "timezone": "UTC",
        },
        _enable_global_fallback=True,
    )
    try:
        yield Database(system_url=system)
    finally:
        await Tortoise.close_connections()


@dataclass(frozen=True, slots=True)
class Database:
    """The two doors to PostgreSQL. Hold `system` only where every tenant must be seen (a test says where)."""

    system_url: DatabaseUrl

    @property
    def app(self) -> Connection:
        """The application's client: without a bound tenant it sees no row."""
        return cast(Connection, get_connection(APP))

    @property
    def system(self) -> Connection:
        """The system's client: sees all tenants."""
        return cast(Connection, get_connection(SYSTEM))

    def app_transaction(self) -> AbstractAsyncContextManager[Connection]:
        """One transaction for the tenant that is bound now."""
        return _transaction(APP)

    def system_transaction(self) -> AbstractAsyncContextManager[Connection]:
        """One transaction that may touch several tenants."""
        return _transaction(SYSTEM)


@asynccontextmanager
async def _transaction(name: str) -> AsyncIterator[Connection]:
    """Tortoise's transaction, made safe for a server that dies under it.

    Where `begin` fails Tortoise keeps the connection, and where giving it back fails the task goes on with a dead one:
    a worker would never recover. Here the task has its own client again in either case.
    """
    outer = get_connection(name)
    context = in_transaction(name)
    try:
        client = await context.__aenter__()
    except BaseException:
        await _give_back(context)
        get_connections().set(name, outer)
        raise
    try:
        yield cast(Connection, client)
    except BaseException as error:
        try:
            await context.__aexit__(type(error), error, error.__traceback__)
        finally:
            get_connections().set(name, outer)
        raise
    try:
        await context.__aexit__(None, None, None)
    finally:
        get_connections().set(name, outer)


async def _give_back(context: Any) -> None:
    """The connection of a transaction that never began; one within another has none of its own."""
    if not isinstance(context, TransactionContextPooled):
        return
    client: Any = context.client
    pool, held = client._parent._pool, client._connection  # noqa: SLF001 (Tortoise tells them nowhere else)
    if pool and held:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            await pool.release(held)
