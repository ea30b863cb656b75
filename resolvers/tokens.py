"""API keys and session tokens, for the tenant's administrators."""

from datetime import UTC, datetime, timedelta
from typing import Any

from billing.errors import BillingError, Code
from resolvers.permission import inspects, mutates, visible
from schema.context import Info
from schema.inputs import Input
from schema.tokens import (
    ApiToken,
    ApiTokenIssueInput,
    ApiTokenPayload,
    ApiTokenRevokeInput,
    ApiTokenRotateInput,
    CustomerSessionsEndInput,
    SessionsPayload,
    api_token,
)
from tenants import models, registry, tokens
from tenants.context import ROLE_SCOPES, Caller, Role, Scope

_MOST_LISTED = 500
_COLUMNS = "public_id, name, role, scopes, created, last_used_at, expires_at, revoked_at, replaced_by"


@inspects
async def api_tokens(info: Info) -> list[ApiToken]:
    rows = await info.context.read.execute_query_dict(
        f"select {_COLUMNS} from api_tokens where tenant_id = $1 order by id desc limit {_MOST_LISTED}",  # noqa: S608
        [info.context.caller.tenant.id],
    )
    return [api_token(row) for row in info.context.unpaged(rows)]


@mutates(ApiTokenPayload, Scope.TENANT_ADMIN)
async def api_token_issue(info: Info, input: Input[ApiTokenIssueInput]) -> ApiTokenPayload:  # noqa: A002 (the API's word)
    if not 1 <= len(input.name) <= 100 or "\0" in input.name:
        raise BillingError(Code.INVALID_INPUT, "A name has 1 to 100 characters.", field="name")
    days = input.expires_in_days
    if days is not None and not 1 <= days <= 3650:
        raise BillingError(Code.INVALID_INPUT, "expiresInDays takes 1 to 3650.", field="expiresInDays")
    caller, role = info.context.caller, Role(input.role)
    wanted = ROLE_SCOPES[role] & caller.scopes if input.scopes is None else frozenset(input.scopes)
    _within(wanted, caller)
    tenant = await models.Tenant.get(id=caller.tenant.id)
    try:
        text = await registry.issue_key(
            info.context.database,
            tenant,
            role=role,
            name=input.name,
            scopes=sorted(wanted),
            expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
            by=info.context.author,
        )
    except registry.ScopesError as error:
        raise BillingError(Code.INVALID_INPUT, str(error), field="scopes") from None
    return await _made(info, text)


@mutates(ApiTokenPayload, Scope.TENANT_ADMIN)
async def api_token_rotate(info: Info, input: Input[ApiTokenRotateInput]) -> ApiTokenPayload:  # noqa: A002
    if not 0 <= input.overlap_seconds <= 30 * 86_400:
        raise BillingError(Code.INVALID_INPUT, "overlapSeconds takes 0 to 2592000.", field="overlapSeconds")
    old = await _listed(info, _public_id(input.public_id))
    if old is None:
        raise _unknown()
    _within(frozenset(old.scopes), info.context.caller)
    try:
        text = await registry.rotate_key(
            info.context.database,
            old.public_id,
            overlap=timedelta(seconds=input.overlap_seconds),
            tenant_id=info.context.caller.tenant.id,
            by=info.context.author,
        )
    except registry.ReplacedTokenError as error:
        message = f"The key was replaced before, by {error.by}: that one can be rotated."
        raise BillingError(Code.INVALID_INPUT, message, field="publicId") from None
    except registry.UnknownTokenError:
        raise _unknown() from None
    return await _made(info, text)


@mutates(ApiTokenPayload, Scope.TENANT_ADMIN)
async def api_token_revoke(info: Info, input: Input[ApiTokenRevokeInput]) -> ApiTokenPayload:  # noqa: A002
    public_id = _public_id(input.public_id)
    context = info.context
    try:
        await registry.revoke_key(context.database, public_id, tenant_id=context.caller.tenant.id, by=context.author)
    except registry.UnknownTokenError:
        raise _unknown() from None
    return ApiTokenPayload(api_token=await _listed(info, public_id), revision=str(await context.settings_changed()))


@mutates(SessionsPayload, Scope.TENANT_ADMIN)
async def customer_sessions_end(info: Info, input: Input[CustomerSessionsEndInput]) -> SessionsPayload:  # noqa: A002
    customer = None
    if input.customer is not None:
        customer = (await visible(info, "customers", "Customer", input.customer, "customer"))["stripe_id"]
    context = info.context
    ended = await registry.end_sessions(context.database, context.caller.tenant.id, customer, by=context.author)
    return SessionsPayload(ended_at=ended, revision=str(await context.settings_changed()))


def _within(wanted: frozenset[Scope], caller: Caller) -> None:
    """Nobody makes a key that may do what its maker may not."""
    if not wanted or not wanted <= caller.scopes:
        lacking = ", ".join(sorted(wanted - caller.scopes)) or "any"
        raise BillingError(Code.FORBIDDEN, f"Your token lacks scopes of the key: {lacking}.", field="scopes")


async def _made(info: Info, text: str) -> ApiTokenPayload:
    listed = await _listed(info, tokens.parse(text).public_id)
    return ApiTokenPayload(token=text, api_token=listed, revision=str(await info.context.settings_changed()))


async def _listed(info: Info, public_id: str) -> ApiToken | None:
    rows = await info.context.read.execute_query_dict(
        f"select {_COLUMNS} from api_tokens where tenant_id = $1 and public_id = $2",  # noqa: S608
        [info.context.caller.tenant.id, public_id],
    )
    return api_token(rows[0]) if rows else None


def _public_id(text: str) -> str:
    if "\0" in text or len(text) > 100:
        raise _unknown()
    return text


def _unknown() -> Any:
    return BillingError(Code.NOT_FOUND, "There is no such key.", field="publicId")
