"""From a bearer token to a verified caller: the tenant comes from the token alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from storage import revisions
from storage.binding import bind_tenant
from storage.buckets import Rate, Store
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants import tokens
from tenants.context import CLOSED, ROLE_SCOPES, Caller, Role, TenantInfo, scopes
from tenants.last_used import LastUsed
from tenants.models import Tenant
from tenants.providers import Providers, unverified_issuer
from tenants.sessions import ISSUER, ExpiredSessionError, InvalidSessionError, Session, SessionKeys

# Unknown but well-formed keys from one address: so many at once, and so many a second after that.
GUESSES = Rate(100, 5)


class Refusal(StrEnum):
    """Why a caller is not let in; the codes of the API."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    TOKEN_MALFORMED = "TOKEN_MALFORMED"  # noqa: S105 (a code, not a secret)
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105
    TENANT_REQUIRED = "TENANT_REQUIRED"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"


_MESSAGES = {
    Refusal.UNAUTHENTICATED: "The token is unknown or was revoked.",
    Refusal.TOKEN_MALFORMED: "The token is mistyped: its checksum or form is wrong.",
    Refusal.TOKEN_EXPIRED: "The token has expired.",
    Refusal.TOO_MANY_ATTEMPTS: "Too many unknown tokens came from your address. Try again later.",
    Refusal.TENANT_REQUIRED: "A platform key names the tenant to act for in the Billing-Tenant header.",
}


class AuthenticationError(Exception):
    """The caller is not known."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(_MESSAGES[refusal])
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Verifies tokens. What is kept of a tenant is kept under its settings revision."""

    database: Database
    book: RevisionBook
    cache: LookupCache
    sessions: SessionKeys
    guesses: Store
    used: LastUsed
    providers: Providers

    async def authenticate(self, bearer: str, *, acting_for: str | None = None, peer: str = "") -> Caller:
        """The caller behind a token; `acting_for` is the tenant's slug and counts for platform keys only.

        `peer` is where the request came from: addresses from which many unknown keys come are held up.
        """
        if tokens.looks_like_key(bearer):
            return await self._by_key(bearer, acting_for, peer)
        if unverified_issuer(bearer) == ISSUER:
            return await self._by_session(bearer)
        return await self._by_provider(bearer, peer)

    async def _by_key(self, text: str, acting_for: str | None, peer: str) -> Caller:
        try:
            key = tokens.parse(text)
        except tokens.MalformedTokenError as error:
            raise AuthenticationError(Refusal.TOKEN_MALFORMED) from error
        row = await self._token_row(key.public_id, peer)
        if row is None or not key.matches(row["secret_hash"]) or row["revoked_at"] or row["livemode"] != key.livemode:
            await self.guesses.take(f"guess:{peer}", GUESSES, 1)
            raise AuthenticationError(Refusal.UNAUTHENTICATED)
        if row["expires_at"] and row["expires_at"] <= datetime.now(UTC):
            raise AuthenticationError(Refusal.TOKEN_EXPIRED)
        self.used.note(key.public_id)
        role = Role(row["role"])
        if role is Role.PLATFORM:
            if acting_for is None:
                raise AuthenticationError(Refusal.TENANT_REQUIRED)
            tenant = await self._tenant_by_slug(acting_for)
        else:
            tenant = await self._tenant(row["tenant_id"])
        if tenant.livemode != key.livemode:
            raise AuthenticationError(Refusal.UNAUTHENTICATED)
        return Caller(tenant, role, scopes(row["scopes"]) & ROLE_SCOPES[role], token=key.public_id)

    async def _by_session(self, text: str) -> Caller:
        try:
            session = self.sessions.verify(text, now=datetime.now(UTC))
        except ExpiredSessionError as error:
            raise AuthenticationError(Refusal.TOKEN_EXPIRED) from error
        except InvalidSessionError as error:
            raise AuthenticationError(Refusal.UNAUTHENTICATED) from error
        tenant = await self._tenant_by_slug(session.tenant)
        if tenant.livemode != session.livemode or await self._revoked(tenant, session):
            raise AuthenticationError(Refusal.UNAUTHENTICATED)
        return Caller(tenant, Role.CUSTOMER, ROLE_SCOPES[Role.CUSTOMER], token="session", customer=session.customer)  # noqa: S106

    async def _revoked(self, tenant: TenantInfo, session: Session) -> bool:
        """Whether the tenant has ended the sessions of the customer, or of all, after this one was issued."""
        if tenant.sessions_from is not None and session.issued < tenant.sessions_from:
            return True
        number = await self._settings(tenant.id)

        async def load() -> dict[str, datetime]:
            with bind_tenant(tenant.id):
                rows = await self.database.app.execute_query_dict(
                    "select customer_id, valid_from from session_revocations where tenant_id = $1", [tenant.id]
                )
            return {row["customer_id"]: row["valid_from"] for row in rows}

        ended = (await self.cache.get("ended sessions", number, str(tenant.id), load)).get(session.customer)
        return ended is not None and session.issued < ended

    async def _by_provider(self, text: str, peer: str) -> Caller:
        """A token of a tenant's own identity provider: the issuer and the audience select the tenant."""
        level = await self.guesses.take(f"guess:{peer}", GUESSES, 0.0001)
        if not level.granted or level.available < 1:
            raise AuthenticationError(Refusal.TOO_MANY_ATTEMPTS)
        try:
            found = await self.providers.verify(text, now=datetime.now(UTC))
        except ExpiredSessionError as error:
            raise AuthenticationError(Refusal.TOKEN_EXPIRED) from error
        except InvalidSessionError as error:
            await self.guesses.take(f"guess:{peer}", GUESSES, 1)
            raise AuthenticationError(Refusal.UNAUTHENTICATED) from error
        tenant = await self._tenant(found.tenant_id)
        session = Session(tenant.slug, found.customer, tenant.livemode, found.expires, found.issued)
        if await self._revoked(tenant, session):
            raise AuthenticationError(Refusal.UNAUTHENTICATED)
        return Caller(tenant, Role.CUSTOMER, ROLE_SCOPES[Role.CUSTOMER], token="provider", customer=found.customer)  # noqa: S106

    async def _token_row(self, public_id: str, peer: str) -> dict[str, Any] | None:
        kept: dict[str, Any] | None = await self.cache.peek("token", public_id)
        if kept is not None and kept["settings"] == await self._settings(kept["tenant_id"]):
            return kept
        level = await self.guesses.take(f"guess:{peer}", GUESSES, 0.0001)
        if kept is None and (not level.granted or level.available < 1):
            raise AuthenticationError(Refusal.TOO_MANY_ATTEMPTS)
        rows = await self.database.app.execute_query_dict("select * from token_by_id($1)", [public_id])
        row = rows[0] if rows else None
        if row is not None and row["tenant_id"] is not None:  # platform keys have no tenant whose revision would tell
            await self.cache.keep("token", public_id, row)
        return row

    async def _settings(self, tenant_id: int) -> int:
        with bind_tenant(tenant_id):
            return (await self.book.numbers(tenant_id, [revisions.SETTINGS]))[revisions.SETTINGS]

    async def _tenant(self, tenant_id: int) -> TenantInfo:
        number = await self._settings(tenant_id)
        with bind_tenant(tenant_id):

            async def load() -> TenantInfo:
                return (await Tenant.get(id=tenant_id)).info()

            found = await self.cache.get("tenant", number, str(tenant_id), load)
        if found.status == CLOSED:
            raise AuthenticationError(Refusal.UNAUTHENTICATED)
        return found

    async def _tenant_by_slug(self, slug: str) -> TenantInfo:
        async def load() -> int:
            rows = await self.database.app.execute_query_dict("select id from tenant_by_slug($1)", [slug])
            if not rows:
                raise AuthenticationError(Refusal.UNAUTHENTICATED)
            return int(rows[0]["id"])

        # a slug never moves to another tenant, so what it names needs no revision
        return await self._tenant(await self.cache.get("slug", 0, slug, load))
