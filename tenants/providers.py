"""Tokens of tenants' own identity providers: keys are fetched with care, and what a token says is believed little."""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from storage.binding import bind_tenant
from storage.database import Database, holds
from tenants.sessions import ExpiredSessionError, InvalidSessionError

# Signatures by a key that the issuer alone has: a shared secret would let whoever verifies also sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LONGEST_TOKEN = 8_192
LONGEST_LIFE = 24 * 3600  # seconds from issue to expiry that are believed
LEEWAY = 30  # seconds between the issuer's clock and ours
KEYS_LIVE = 600.0  # seconds
KEYS_LAST = 24 * 3600.0  # seconds for which keys are believed while no newer ones can be fetched
RETRY_UNKNOWN = 30.0  # seconds between two fetches for keys that were not there
RETRY_FAILED = 5.0  # seconds between two fetches where there are no keys yet
_MOST_KEYS = 20

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a provider's token speaks for; `customer` is Stripe's id."""

    tenant_id: int
    customer: str
    expires: datetime
    issued: datetime


@dataclass(slots=True)
class _Keys:
    keys: KeySet
    fetched: float
    good: float


@dataclass(slots=True)
class Providers:
    """Verifies tokens of registered issuers. `fetch` gets a key set's bytes, from public addresses only."""

    database: Database
    fetch: Fetch
    _kept: dict[str, _Keys] = field(default_factory=dict)
    _failed: dict[str, float] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def verify(self, text: str, *, now: datetime) -> Known:
        """Raises InvalidSessionError for anything that a registered issuer did not sign for the tenant's audience."""
        claimed = unverified_claims(text)
        audience = claimed.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        issuer = claimed.get("iss")
        if len(audiences) > 10 or not all(isinstance(each, str) and holds(each) for each in (issuer, *audiences)):
            raise InvalidSessionError
        rows = await self.database.app.execute_query_dict(
            "select * from provider_by($1, $2::text[])", [issuer, audiences]
        )
        if len(rows) != 1:  # none, or a token that is meant for two tenants at once
            raise InvalidSessionError
        provider = rows[0]
        claims = await self._decoded(text, provider)
        if claims.get("iss") != issuer or claims.get("aud") != audience:
            raise InvalidSessionError
        issued, expires = _times(claims, now)
        customer = await self._customer(provider["tenant_id"], claims.get(provider["claim"]))
        return Known(provider["tenant_id"], customer, expires, issued)

    async def _decoded(self, text: str, provider: Mapping[str, Any]) -> Mapping[str, Any]:
        allowed = [name for name in provider["algorithms"] if name in ALGORITHMS]
        for fresh in (False, True):
            keys = await self._keys(provider["jwks_url"], again=fresh)
            try:
                return jwt.decode(text, keys, algorithms=allowed).claims
            except Exception as error:  # a stranger's bytes make the library stumble in many ways
                if fresh:
                    raise InvalidSessionError from error
        raise InvalidSessionError

    async def _keys(self, url: str, *, again: bool) -> KeySet:
        """The issuer's keys; asked for again where a token was not signed by any that we know, but not often."""
        async with self._locks.setdefault(url, asyncio.Lock()):
            kept = self._kept.get(url)
            age = monotonic() - kept.fetched if kept else KEYS_LIVE
            if kept is not None and age < (RETRY_UNKNOWN if again else KEYS_LIVE):
                return kept.keys
            if monotonic() - self._failed.get(url, -KEYS_LAST) < RETRY_FAILED:
                raise InvalidSessionError  # those who waited here meanwhile need not each wait for the same
            try:
                keys = key_set(await self.fetch(url))
            except Exception as error:
                if kept is not None and monotonic() - kept.good < KEYS_LAST:
                    kept.fetched = monotonic()  # what was good a while ago is better than nothing
                    return kept.keys
                self._failed[url] = monotonic()
                raise InvalidSessionError from error
            self._kept[url] = _Keys(keys, monotonic(), monotonic())
            return keys

    async def _customer(self, tenant_id: int, external: Any) -> str:
        if not isinstance(external, str) or not 1 <= len(external) <= 255 or not holds(external):
            raise InvalidSessionError
        with bind_tenant(tenant_id):
            rows = await self.database.app.execute_query_dict(
                "select stripe_id from customers where tenant_id = $1 and external_id = $2 and not deleted limit 2",
                [tenant_id, external],
            )
        if len(rows) != 1:
            raise InvalidSessionError
        return str(rows[0]["stripe_id"])


def key_set(content: bytes) -> KeySet:
    """Public signature keys from a JWKS document; others in it are left out."""
    found = json.loads(content)["keys"]
    asymmetric = [key for key in found[:_MOST_KEYS] if key.get("kty") in {"RSA", "EC", "OKP"}]
    signing = [key for key in asymmetric if key.get("use", "sig") == "sig" and "d" not in key]
    if not signing:
        raise ValueError("no public key for signatures")
    return KeySet.import_key_set({"keys": signing})


def unverified_claims(text: str) -> dict[str, Any]:
    """The claims as anybody may have written them: they only say where to look for the key."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > LONGEST_TOKEN:
        raise InvalidSessionError
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidSessionError from error
    if not isinstance(found, dict):
        raise InvalidSessionError
    return found


def unverified_issuer(text: str) -> str | None:
    """Who is said to have issued a token; nothing where it can't be read, which our own check then says."""
    try:
        issuer = unverified_claims(text).get("iss")
    except InvalidSessionError:
        return None
    return issuer if isinstance(issuer, str) else None


def _times(claims: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    issued, expires, begins = (claims.get(name) for name in ("iat", "exp", "nbf"))
    for at in (issued, expires, *([begins] if begins is not None else [])):
        if not isinstance(at, int | float) or isinstance(at, bool) or not 0 < at < 10**11:
            raise InvalidSessionError
    assert issued is not None and expires is not None  # noqa: PT018 (checked above)
    seconds = now.timestamp()
    if issued > seconds + LEEWAY or (begins or 0) > seconds + LEEWAY or expires - issued > LONGEST_LIFE:
        raise InvalidSessionError
    if expires <= seconds - LEEWAY:
        raise ExpiredSessionError
    return datetime.fromtimestamp(issued, now.tzinfo), datetime.fromtimestamp(expires, now.tzinfo)
