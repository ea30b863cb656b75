"""Who is asking, and what they may do: the value that every rule and query of a request starts from."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The audiences of the API; the token decides which one a caller belongs to."""

    CUSTOMER = "customer"
    PARTNER = "partner"
    ADMIN = "admin"
    SUPPORT = "support"
    PLATFORM = "platform"


class Scope(StrEnum):
    """What a token allows beyond being known."""

    READ = "read"
    CUSTOMERS_WRITE = "customers:write"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    PAYMENTS_WRITE = "payments:write"
    SESSIONS_WRITE = "sessions:write"
    TENANT_ADMIN = "tenant:admin"


class Feature(StrEnum):
    """What a tenant may switch on and off; what is off is not in its schemas."""

    CHECKOUT = "checkout"
    PORTAL = "portal"
    PROMOTION_CODES = "promotion_codes"
    CUSTOMER_CHANGES = "customer_changes"


DEFAULT_FEATURES = (Feature.CHECKOUT, Feature.PORTAL, Feature.PROMOTION_CODES)
WRITES = frozenset({Scope.CUSTOMERS_WRITE, Scope.SUBSCRIPTIONS_WRITE, Scope.PAYMENTS_WRITE, Scope.SESSIONS_WRITE})
PARTNER_SCOPES = frozenset({Scope.READ}) | WRITES
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.CUSTOMER: frozenset({Scope.READ}),
    Role.PARTNER: PARTNER_SCOPES,
    Role.ADMIN: PARTNER_SCOPES | {Scope.TENANT_ADMIN},
    Role.SUPPORT: frozenset({Scope.READ}),
    Role.PLATFORM: frozenset({Scope.READ, Scope.TENANT_ADMIN}),
}


CLOSED = "closed"  # the status of a tenant that was removed: nobody is let in


@dataclass(frozen=True, slots=True)
class TenantInfo:
    """What a request needs to know of its tenant. `account` is the connected account's id at Stripe."""

    id: int
    slug: str
    name: str
    industry: str
    account: str | None
    livemode: bool
    status: str
    default_currency: str
    features: frozenset[str]
    cors_origins: frozenset[str] = frozenset()
    sessions_from: datetime | None = None
    trusted_only: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. `customer` is set for customer tokens only: then nothing else of the tenant is theirs."""

    tenant: TenantInfo
    role: Role
    scopes: frozenset[Scope]
    token: str
    customer: str | None = None

    @property
    def livemode(self) -> bool:
        return self.tenant.livemode

    @property
    def purse(self) -> str:
        """What the cost of the caller's operations is charged to, within the tenant."""
        return self.customer or self.token

    @property
    def actor(self) -> str:
        """How the audit log names the caller: the role and the public id of the token, never a person."""
        return f"{self.role}:{self.customer or self.token}"

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


def scopes(names: Collection[str]) -> frozenset[Scope]:
    """Stored names as scopes; a name that this version does not know grants nothing."""
    return frozenset(scope for scope in Scope if scope.value in names)
