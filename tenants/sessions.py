"""Customers' session tokens: signed, short-lived, minted by the tenant's back end for one customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

ISSUER = "billing-gateway"
AUDIENCE = "billing-gateway/graphql"
LONGEST = timedelta(hours=1)
_ALGORITHM = "Ed25519"
_TYPE = "session+jwt"


class InvalidSessionError(ValueError):
    """The token is not ours, was changed, or is not valid now."""


class ExpiredSessionError(InvalidSessionError):
    """The token was ours; its time is over."""


@dataclass(frozen=True, slots=True)
class Session:
    """Whom a token speaks for. `tenant` is the slug, `customer` Stripe's id."""

    tenant: str
    customer: str
    livemode: bool
    expires: datetime
    issued: datetime


class SessionKeys:
    """Signs with the first key and verifies with any, so that keys can be rolled without a failed request."""

    def __init__(self, private_keys: list[str]) -> None:
        """`private_keys` are Ed25519 keys in PEM form, newest first."""
        keys = [OKPKey.import_key(pem) for pem in private_keys]
        for key in keys:
            key.ensure_kid()
        self._signing = keys[0]
        self._known = KeySet(list(keys))

    def mint(self, *, tenant: str, customer: str, livemode: bool, now: datetime, lifetime: timedelta) -> str:
        """A token for one customer of one tenant; `lifetime` is an hour at the most."""
        if not timedelta(0) < lifetime <= LONGEST:
            raise ValueError("a session token lives at most one hour")
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": customer,
            "tenant": tenant,
            "livemode": livemode,
            "iat": round(now.timestamp(), 3),  # a revocation must tell tokens of one second apart
            "exp": int((now + lifetime).timestamp()),
        }
        header = {"alg": _ALGORITHM, "typ": _TYPE, "kid": self._signing.kid}
        return jwt.encode(header, claims, self._signing, algorithms=[_ALGORITHM])

    def verify(self, token: str, *, now: datetime) -> Session:
        """Check signature, issuer, audience, type and time."""
        try:
            decoded = jwt.decode(token, self._known, algorithms=[_ALGORITHM])
        except Exception as error:  # a stranger's bytes make the library stumble in many ways
            raise InvalidSessionError from error
        claims: Mapping[str, Any] = decoded.claims
        if decoded.header.get("typ") != _TYPE or claims.get("iss") != ISSUER or claims.get("aud") != AUDIENCE:
            raise InvalidSessionError
        session = _session(claims, now)
        if now >= session.expires:
            raise ExpiredSessionError
        return session


def _session(claims: Mapping[str, Any], now: datetime) -> Session:
    tenant, customer, livemode, expires = (claims.get(name) for name in ("tenant", "sub", "livemode", "exp"))
    issued = claims.get("iat")
    well_formed = isinstance(tenant, str) and isinstance(customer, str) and isinstance(livemode, bool)
    if not well_formed or not isinstance(expires, int) or not isinstance(issued, int | float):
        raise InvalidSessionError
    if issued > now.timestamp() + 60 or expires - issued > LONGEST.total_seconds() + 1:
        raise InvalidSessionError
    end, begin = (datetime.fromtimestamp(float(at), now.tzinfo) for at in (expires, issued))
    return Session(str(tenant), str(customer), bool(livemode), end, begin)
