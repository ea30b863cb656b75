"""Brings a database to this version: the gateway's two login roles, then the migrations, in one transaction.

One transaction, because Tortoise records a migration only after it has committed it: a process killed in between would
find its tables there and its record missing. The advisory lock makes a second `migrate` wait for the first.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Any, Final

import asyncpg
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from gateway.models import MODELS
from gateway.user_error import UserError
from storage.database import APP_ROLE, OWNER, SYSTEM_ROLE, DatabaseUrl, connection_config

APP_LABEL: Final = "models"
MIGRATIONS: Final = "migrations"
_LOCK: Final = 0x62696C6C  # any number that nobody else takes: "bill"
_LIMITS: Final = "login nocreaterole noinherit"
_MIGRATION_TIMEOUT: Final = 3600.0


class MigrationRefusedError(UserError):
    """The database or its roles are not as the gateway needs them; the message says what to change."""


async def migrate(owner: DatabaseUrl, *, app_password: str, system_password: str) -> list[str]:
    """Create or correct the roles, apply what is missing, and return the names of the migrations applied now."""
    applied: list[str] = []

    def report(event: str, _app: str, name: str) -> None:
        if event == "apply_done":
            applied.append(name)

    config = connection_config(owner, engine="tortoise.backends.asyncpg", pool=1, statement_timeout=_MIGRATION_TIMEOUT)
    apps: dict[str, dict[str, Any]] = {
        APP_LABEL: {"models": list(MODELS), "default_connection": OWNER, "migrations": MIGRATIONS}
    }
    async with TortoiseContext() as context:
        await context.init(config={"connections": {OWNER: config}, "apps": apps, "use_tz": True, "timezone": "UTC"})
        async with in_transaction(OWNER) as connection:
            await connection.execute_query("select pg_advisory_xact_lock($1)", [_LOCK])
            for role, password in ((APP_ROLE, app_password), (SYSTEM_ROLE, system_password)):
                await _ensure_role(connection, role, password)
            # the executor looks for the record before it creates it, which would break our transaction
            await MigrationRecorder(connection).ensure_schema(AsyncpgSchemaEditor(connection, atomic=False))
            await MigrationExecutor(connection, apps).migrate(direction="forward", progress=report)
    return applied


async def migrate_or_explain(owner: DatabaseUrl, *, app_password: str, system_password: str) -> list[str]:
    """The same for a person at a terminal: what commonly stands in the way comes as a UserError."""
    place = f"the database {owner.database} on {owner.host}:{owner.port}"
    try:
        return await migrate(owner, app_password=app_password, system_password=system_password)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise UserError(f"{place} refuses the user of DATABASE_URL: {error}") from None
    except (DBConnectionError, OSError, TimeoutError) as error:
        raise UserError(f"can't reach {place}: {error or 'no answer in time'}") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise UserError(f"the user of DATABASE_URL must own {place} and have CREATEROLE: {error}") from None


async def _ensure_role(connection: Any, role: str, password: str) -> None:
    """A role that can log in and nothing else: what row-level security relies on is checked, not assumed."""
    command = "alter" if await _attributes(connection, role) else "create"
    await connection.execute_script(f"{command} role {role} {_LIMITS} password '{_verifier(password)}'")
    found = await _attributes(connection, role)
    powers = sorted(name for name, held in found.items() if held)
    if powers:
        raise MigrationRefusedError(
            f"the role {role} must not have {', '.join(powers)}: row-level security would not bind it. "
            f"As a superuser run: alter role {role} {' '.join(f'no{power}' for power in powers)}"
        )
    for other in await _memberships(connection, role):
        await connection.execute_script(f"revoke {other} from {role}")
    if left := await _memberships(connection, role):
        raise MigrationRefusedError(
            f"the role {role} may become {', '.join(left)} by SET ROLE: revoke that as a superuser"
        )


async def _attributes(connection: Any, role: str) -> dict[str, bool]:
    rows = await connection.execute_query_dict(
        "select rolsuper superuser, rolbypassrls bypassrls, rolcreaterole createrole, rolcreatedb createdb,"
        " rolreplication replication from pg_roles where rolname = $1",
        [role],
    )
    return dict(rows[0]) if rows else {}


async def _memberships(connection: Any, role: str) -> list[str]:
    rows = await connection.execute_query_dict(
        "select distinct quote_ident(granted.rolname) as name from pg_auth_members m"
        " join pg_roles granted on granted.oid = m.roleid join pg_roles member on member.oid = m.member"
        " where member.rolname = $1 order by 1",
        [role],
    )
    return [row["name"] for row in rows]


def _verifier(password: str) -> str:
    """What PostgreSQL stores for SCRAM (RFC 5802), so that the password itself is in no statement and no log."""
    if not (password and password.isascii() and password.isprintable()):
        raise MigrationRefusedError("the passwords of the gateway's roles must be printable ASCII, and not empty")
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode("ascii") for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{text[0]}${text[1]}:{text[2]}"
