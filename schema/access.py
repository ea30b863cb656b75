"""Who may use a field: declared beside it, read when a caller's schema is built and again when it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tenants.context import Caller, Feature, Role, Scope

F = TypeVar("F", bound=Callable[..., Any])
_NAME = "__access__"


@dataclass(frozen=True, slots=True)
class Access:
    """What a field asks for.

    `scope`: the token must have it. `own`: a customer's token may too, for itself, where the tenant has
    `own_feature` (if any). `feature`: the tenant must have it, whoever asks.
    """

    scope: Scope | None = None
    own: bool = False
    feature: Feature | None = None
    own_feature: Feature | None = None

    def allows(self, role: Role, scopes: frozenset[Scope], features: frozenset[str]) -> bool:
        """Whether such a token of such a tenant may use the field."""
        if self.feature is not None and self.feature not in features:
            return False
        if self.scope is None or self.scope in scopes:
            return True
        return self.own and role is Role.CUSTOMER and (self.own_feature is None or self.own_feature in features)

    def allows_caller(self, caller: Caller) -> bool:
        return self.allows(caller.role, caller.scopes, caller.tenant.features)


EVERYBODY = Access()
READERS = Access(scope=Scope.READ)


def access(declared: Access) -> Callable[[F], F]:
    """Declares who may use the field that this resolver answers."""

    def mark(resolve: F) -> F:
        setattr(resolve, _NAME, declared)
        return resolve

    return mark


def access_of(field: Any) -> Access:
    """What a strawberry field asks for: declared in its metadata, or by its resolver."""
    declared = field.metadata.get("access")
    if declared is None and field.base_resolver is not None:
        declared = getattr(field.base_resolver.wrapped_func, _NAME, None)
    return declared if isinstance(declared, Access) else EVERYBODY
