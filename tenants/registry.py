"""Where tenants and keys are written: each write raises the tenant's settings revision, in its transaction."""

from collections.abc import Collection
from datetime import UTC, datetime

from storage import revisions
from storage.database import Connection, Database
from storage.feed import announce
from tenants import tokens
from tenants.context import ROLE_SCOPES, Role, Scope
from tenants.models import ApiToken, PlatformToken, Tenant


class UnknownTokenError(LookupError):
    """No such key."""


async def _settings_changed(connection: Connection, tenant_id: int) -> int:
    return await revisions.bump(connection, {(tenant_id, revisions.SETTINGS)})


async def save_tenant(database: Database, tenant: Tenant) -> Tenant:
    """Insert or update a tenant, as the system."""
    async with database.system_transaction() as connection:
        await tenant.save(using_db=connection)  # type: ignore[arg-type]  # Tortoise's client by its protocol
        number = await _settings_changed(connection, tenant.id)
    await announce(database.system, {(tenant.id, revisions.SETTINGS)}, number)
    return tenant


async def connection_changed(database: Database, tenant_id: int, *, status: str, at: datetime) -> bool:
    """Stripe said that we may act for the tenant's account, or no longer may; False where something newer was said."""
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "update tenants set status = $2, connection_told = $3 where id = $1"
            " and coalesce(connection_told, '-infinity') < $3 returning id",
            [tenant_id, status, at],
        )
        if not rows:
            return False
        number = await _settings_changed(connection, tenant_id)
    await announce(database.system, {(tenant_id, revisions.SETTINGS)}, number)
    return True


async def issue_key(
    database: Database,
    tenant: Tenant,
    *,
    role: Role,
    name: str,
    scopes: Collection[Scope] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Make an API key and return its text, which is stored nowhere."""
    text, key = tokens.generate(livemode=tenant.livemode)
    granted = sorted(ROLE_SCOPES[role] if scopes is None else ROLE_SCOPES[role] & frozenset(scopes))
    async with database.system_transaction() as connection:
        await ApiToken.create(
            using_db=connection,  # type: ignore[arg-type]  # Tortoise's client by its protocol
            tenant_id=tenant.id,
            public_id=key.public_id,
            secret_hash=key.secret_hash,
            name=name,
            role=role.value,
            scopes=[scope.value for scope in granted],
            livemode=tenant.livemode,
            expires_at=expires_at,
        )
        number = await _settings_changed(connection, tenant.id)
    await announce(database.system, {(tenant.id, revisions.SETTINGS)}, number)
    return text


async def issue_platform_key(database: Database, *, name: str, livemode: bool) -> str:
    """Make a key of the platform's own administrators."""
    text, key = tokens.generate(livemode=livemode)
    await PlatformToken.create(
        using_db=database.system,  # type: ignore[arg-type]  # Tortoise's client by its protocol
        public_id=key.public_id,
        secret_hash=key.secret_hash,
        name=name,
        livemode=livemode,
    )
    return text


async def revoke_key(database: Database, public_id: str) -> None:
    """End a key now; raises UnknownTokenError."""
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "update api_tokens set revoked_at = coalesce(revoked_at, $2) where public_id = $1 returning tenant_id",
            [public_id, datetime.now(UTC)],
        )
        if not rows:
            raise UnknownTokenError(public_id)
        tenant_id = int(rows[0]["tenant_id"])
        number = await _settings_changed(connection, tenant_id)
    await announce(database.system, {(tenant_id, revisions.SETTINGS)}, number)
