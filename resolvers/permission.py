"""Who may do what: declared beside each field, judged in one place, refused as a payload's error."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

from billing.errors import BillingError, Code, not_found
from schema import ids
from schema.access import Access, access
from schema.context import Info
from schema.errors import shown
from schema.inputs import Payload
from tenants import audit
from tenants.context import Feature, Scope

T = TypeVar("T", bound=Payload)
R = TypeVar("R")


def mutates(
    payload: type[T],
    scope: Scope,
    *,
    own: bool = False,
    feature: Feature | None = None,
    own_feature: Feature | None = None,
) -> Callable[[Callable[..., Awaitable[T]]], Callable[..., Awaitable[T]]]:
    """Ask for a scope, and turn a refusal into the payload's `errors`.

    `own` lets a customer's token through as well: the resolver then works on that customer alone. Who may not use the
    mutation has no such field in its schema; it is judged here again, should the tenant's settings have changed since.
    """
    declared = Access(scope, own, feature, own_feature)

    def wrap(resolve: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        @wraps(resolve)
        async def guarded(info: Info, *args: Any, **kwargs: Any) -> T:
            caller = info.context.caller
            try:
                if not declared.allows_caller(caller):
                    raise BillingError(Code.FORBIDDEN, f"The token lacks the scope {scope}.")
                if caller.tenant.account is None or caller.tenant.status == "disconnected":
                    raise BillingError(Code.TENANT_NOT_READY, "The tenant is not connected to Stripe.")
                return await resolve(info, *args, **kwargs)
            except BillingError as error:
                return payload(errors=[shown(error)])

        return access(declared)(guarded)

    return wrap


def inspects(resolve: Callable[..., Awaitable[R]]) -> Callable[..., Awaitable[R]]:
    """A read for administrators: it needs their scope, and leaves an audit entry."""

    @wraps(resolve)
    async def noted(info: Info, *args: Any, **kwargs: Any) -> R:
        context = info.context
        await audit.record(
            context.database.app, context.caller.tenant.id, context.author, action=info.field_name, outcome="read"
        )
        return await resolve(info, *args, **kwargs)

    return access(Access(scope=Scope.TENANT_ADMIN))(noted)


def whose(info: Info, given: str | None) -> str:
    """The customer that a mutation is about: a customer's token names its own, or nobody's."""
    own = info.context.caller.customer
    asked = ids.stripe_id(given, "Customer") if given else own
    if asked is None and given is None:
        raise BillingError(Code.INVALID_INPUT, "Name the customer.", field="customer")
    if asked is None or (own is not None and asked != own):
        raise not_found("customer", "customer")
    return asked


async def visible(info: Info, table: str, type_: str, given: str, field: str) -> Any:
    """The mirror's row behind an id, or the one refusal for foreign and missing ids alike."""
    asked = ids.stripe_id(given, type_)
    row = await info.context.one(table, asked) if asked else None
    if row is None:
        raise not_found(type_.lower(), field)
    return row
