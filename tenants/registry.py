"""Where tenants and keys are written: each write raises the tenant's settings revision, in its transaction.

So does its entry in the audit log; `by` is who does it.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from observability import logs
from storage import revisions
from storage.database import Connection, Database
from storage.feed import announce
from tenants import audit, tokens
from tenants.audit import SYSTEM, Author
from tenants.context import ROLE_SCOPES, Role, Scope
from tenants.models import ApiToken, PlatformToken, Tenant

log = logs.logger(__name__)


class UnknownTokenError(LookupError):
    """No such key."""


class ReplacedTokenError(UnknownTokenError):
    """The key was rotated before: only the one in its place can be."""

    def __init__(self, public_id: str, by: str) -> None:
        super().__init__(f"{public_id} was already replaced by {by}")
        self.by = by


class ScopesError(ValueError):
    """These scopes can't be a key's: the role can't have them, or there are none. The text is for people."""


async def _settings_changed(connection: Connection, tenant_id: int) -> None:
    """Raise the revision and tell it with the commit: who dies right after it must not leave a key alive elsewhere."""
    changed = {(tenant_id, revisions.SETTINGS)}
    await announce(connection, changed, await revisions.bump(connection, changed))


async def save_tenant(database: Database, tenant: Tenant, *, by: Author = SYSTEM) -> Tenant:
    """Insert or update a tenant, as the system."""
    action = "tenantUpdate" if tenant.pk else "tenantCreate"
    async with database.system_transaction() as connection:
        await tenant.save(using_db=connection)  # type: ignore[arg-type]  # Tortoise's client by its protocol
        await audit.record(connection, tenant.id, by, action=action, target=tenant.account_id)
        await _settings_changed(connection, tenant.id)
    return tenant


async def close_tenant(database: Database, tenant_id: int, *, by: Author = SYSTEM) -> bool:
    """Close a tenant that never had an account at Stripe: its keys end, and nobody is let in; False for any other."""
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "update tenants set status = 'closed' where id = $1 and status = 'pending' and account_id is null"
            " returning id",
            [tenant_id],
        )
        if not rows:
            return False
        await connection.execute_query(
            "update api_tokens set revoked_at = $2 where tenant_id = $1 and revoked_at is null",
            [tenant_id, datetime.now(UTC)],
        )
        await audit.record(connection, tenant_id, by, action="tenantClose")
        await _settings_changed(connection, tenant_id)
    return True


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
        await _settings_changed(connection, tenant_id)
    return True


async def issue_key(
    database: Database,
    tenant: Tenant,
    *,
    role: Role,
    name: str,
    scopes: Collection[Scope] | None = None,
    expires_at: datetime | None = None,
    by: Author = SYSTEM,
) -> str:
    """Make an API key and return its text, which is stored nowhere. Without `scopes` it has all that its role may have.

    Raises ScopesError for scopes beyond the role's, and for none: such a key would be of no use.
    """
    granted = sorted(_granted(role, scopes))
    text, key = tokens.generate(livemode=tenant.livemode)
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
        await audit.record(connection, tenant.id, by, action="apiTokenIssue", target=key.public_id)
        await _settings_changed(connection, tenant.id)
    return text


def _granted(role: Role, scopes: Collection[Scope] | None) -> Collection[Scope]:
    allowed = ROLE_SCOPES[role]
    if scopes is None:
        return allowed
    if beyond := frozenset(scopes) - allowed:
        raise ScopesError(
            f"a {role} key can't have {', '.join(sorted(beyond))}; it may have {', '.join(sorted(allowed))}"
        )
    if not scopes:
        raise ScopesError(f"a key needs a scope; a {role} key may have {', '.join(sorted(allowed))}")
    return frozenset(scopes)


async def issue_platform_key(
    database: Database, *, name: str, livemode: bool, expires_at: datetime | None = None, by: Author = SYSTEM
) -> str:
    """Make a key of the platform's own administrators; returns its text, which is stored nowhere."""
    text, key = tokens.generate(livemode=livemode)
    async with database.system_transaction() as connection:
        await PlatformToken.create(
            using_db=connection,  # type: ignore[arg-type]  # Tortoise's client by its protocol
            public_id=key.public_id,
            secret_hash=key.secret_hash,
            name=name,
            livemode=livemode,
            expires_at=expires_at,
        )
        await _platform_recorded(connection, by, "issue", key.public_id)
    _platform_told(by, "issue", key.public_id)
    return text


async def rotate_platform_key(database: Database, public_id: str, *, overlap: timedelta, by: Author = SYSTEM) -> str:
    """As `rotate_key`, for a key of the platform's: no process keeps those, so each reads the change at once."""
    now = datetime.now(UTC)
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "select * from platform_tokens where public_id = $1 and revoked_at is null"
            " and (expires_at is null or expires_at > $2) for update",
            [public_id, now],
        )
        old = _rotatable(rows, public_id)
        text, key = tokens.generate(livemode=old["livemode"])
        await connection.execute_query(
            "insert into platform_tokens (public_id, secret_hash, name, livemode, expires_at)"
            " values ($1, $2, $3, $4, $5)",
            [key.public_id, key.secret_hash, old["name"], old["livemode"], old["expires_at"]],
        )
        await connection.execute_query(
            "update platform_tokens set expires_at = least(expires_at, $2), replaced_by = $3 where public_id = $1",
            [public_id, now + overlap, key.public_id],
        )
        await _platform_recorded(connection, by, "rotate", key.public_id)
    _platform_told(by, "rotate", key.public_id)
    return text


async def revoke_platform_key(database: Database, public_id: str, *, by: Author = SYSTEM) -> None:
    """End a key of the platform's now; raises UnknownTokenError."""
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "update platform_tokens set revoked_at = coalesce(revoked_at, $2) where public_id = $1 returning public_id",
            [public_id, datetime.now(UTC)],
        )
        if not rows:
            raise UnknownTokenError(public_id)
        await _platform_recorded(connection, by, "revoke", public_id)
    _platform_told(by, "revoke", public_id)


async def _platform_recorded(connection: Connection, by: Author, action: str, public_id: str) -> None:
    await connection.execute_query(
        "insert into platform_entries (actor, action, target) values ($1, $2, $3)", [by.actor, action, public_id]
    )


def _platform_told(by: Author, action: str, public_id: str) -> None:
    log.info("platform.key", action=action, key=public_id, actor=by.actor)


def _rotatable(rows: list[dict[str, Any]], public_id: str) -> dict[str, Any]:
    if not rows:
        raise UnknownTokenError(public_id)
    if rows[0]["replaced_by"]:
        raise ReplacedTokenError(public_id, rows[0]["replaced_by"])
    return rows[0]


async def rotate_key(
    database: Database, public_id: str, *, overlap: timedelta, tenant_id: int | None = None, by: Author = SYSTEM
) -> str:
    """A new key with the rights of an old one, which goes on for the overlap; returns the new key's text.

    `tenant_id` limits it to that tenant's keys. Raises UnknownTokenError for a key that is not there or has ended,
    ReplacedTokenError for one that was rotated before: two keys in the place of one would be one too many to end.
    """
    now = datetime.now(UTC)
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "select * from api_tokens where public_id = $1 and revoked_at is null"
            " and ($2::bigint is null or tenant_id = $2) and (expires_at is null or expires_at > $3) for update",
            [public_id, tenant_id, now],
        )
        old = _rotatable(rows, public_id)
        text, key = tokens.generate(livemode=old["livemode"])
        await connection.execute_query(
            "insert into api_tokens (tenant_id, public_id, secret_hash, name, role, scopes, livemode, expires_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8)",
            [old["tenant_id"], key.public_id, key.secret_hash, old["name"], old["role"], old["scopes"],
             old["livemode"], old["expires_at"]],
        )  # fmt: skip
        await connection.execute_query(
            "update api_tokens set expires_at = least(expires_at, $2), replaced_by = $3 where public_id = $1",
            [public_id, now + overlap, key.public_id],
        )
        await audit.record(connection, old["tenant_id"], by, action="apiTokenRotate", target=key.public_id)
        await _settings_changed(connection, old["tenant_id"])
    return text


async def end_sessions(database: Database, tenant_id: int, customer: str | None, *, by: Author = SYSTEM) -> datetime:
    """End every session token of a customer, or of all, that was issued until now; returns that moment."""
    now = datetime.now(UTC)
    async with database.system_transaction() as connection:
        if customer is None:
            await connection.execute_query("update tenants set sessions_from = $2 where id = $1", [tenant_id, now])
        else:
            await connection.execute_query(
                "insert into session_revocations (tenant_id, customer_id, valid_from) values ($1, $2, $3)"
                " on conflict (tenant_id, customer_id) do update set valid_from = excluded.valid_from",
                [tenant_id, customer, now],
            )
        await audit.record(connection, tenant_id, by, action="customerSessionsEnd", target=customer)
        await _settings_changed(connection, tenant_id)
    return now


async def add_provider(
    database: Database,
    tenant: Tenant,
    *,
    issuer: str,
    jwks_url: str,
    claim: str,
    algorithms: Collection[str],
    by: Author = SYSTEM,
) -> str:
    """Register an identity provider; returns the audience that its tokens for us must name."""
    audience = f"billing-gateway:{tenant.slug}:{secrets.token_hex(8)}"
    async with database.system_transaction() as connection:
        await connection.execute_query(
            "insert into identity_providers (tenant_id, issuer, audience, jwks_url, claim, algorithms)"
            " values ($1, $2, $3, $4, $5, $6)",
            [tenant.id, issuer, audience, jwks_url, claim, sorted(algorithms)],
        )
        await audit.record(connection, tenant.id, by, action="providerAdd", target=audience)
    return audience


async def remove_provider(database: Database, tenant_id: int, audience: str, *, by: Author = SYSTEM) -> bool:
    """Forget an identity provider: its tokens are refused from now on."""
    async with database.system_transaction() as connection:
        removed = await connection.execute_query_dict(
            "delete from identity_providers where tenant_id = $1 and audience = $2 returning id", [tenant_id, audience]
        )
        if removed:
            await audit.record(connection, tenant_id, by, action="providerRemove", target=audience)
    return bool(removed)


async def trust_documents(
    database: Database, tenant_id: int, documents: Mapping[str, tuple[str, str]], *, by: Author = SYSTEM
) -> None:
    """Register documents by their hashes, each as (name, text)."""
    async with database.system_transaction() as connection:
        for hash_, (name, document) in documents.items():
            await connection.execute_query(
                "insert into trusted_documents (tenant_id, hash, name, document) values ($1, $2, $3, $4)"
                " on conflict (tenant_id, hash) do update set name = excluded.name",
                [tenant_id, hash_, name, document],
            )
            await audit.record(connection, tenant_id, by, action="documentTrust", target=hash_)
        await _settings_changed(connection, tenant_id)


async def forget_document(database: Database, tenant_id: int, hash_: str, *, by: Author = SYSTEM) -> bool:
    """Take a document out of the list."""
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "delete from trusted_documents where tenant_id = $1 and hash = $2 returning hash", [tenant_id, hash_]
        )
        if not rows:
            return False
        await audit.record(connection, tenant_id, by, action="documentForget", target=hash_)
        await _settings_changed(connection, tenant_id)
    return True


async def revoke_key(database: Database, public_id: str, *, tenant_id: int | None = None, by: Author = SYSTEM) -> None:
    """End a key now; raises UnknownTokenError. `tenant_id` limits it to that tenant's keys."""
    async with database.system_transaction() as connection:
        rows = await connection.execute_query_dict(
            "update api_tokens set revoked_at = coalesce(revoked_at, $2) where public_id = $1"
            " and ($3::bigint is null or tenant_id = $3) returning tenant_id",
            [public_id, datetime.now(UTC), tenant_id],
        )
        if not rows:
            raise UnknownTokenError(public_id)
        tenant_id = int(rows[0]["tenant_id"])
        await audit.record(connection, tenant_id, by, action="apiTokenRevoke", target=public_id)
        await _settings_changed(connection, tenant_id)
