"""API keys as a tenant's administrators see them: never their secrets."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry
from strawberry import ID

from schema.inputs import Payload
from tenants.context import Scope, scopes


@strawberry.enum(description="The roles that a tenant's API key can have.")
class KeyRole(StrEnum):
    PARTNER = "partner"
    ADMIN = "admin"
    SUPPORT = "support"


@strawberry.type(description="An API key of the tenant.")
class ApiToken:
    public_id: str = strawberry.field(description="The part of the key that is no secret.")
    name: str = strawberry.field(description="What it is for.")
    role: KeyRole = strawberry.field(description="What kind of caller it is for.")
    scopes: list[Scope] = strawberry.field(description="What it allows.")
    created: datetime = strawberry.field(description="When it was made.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to half a minute.")
    expires_at: datetime | None = strawberry.field(description="When it ends by itself.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended.")
    replaced_by: str | None = strawberry.field(description="The public id of the key that it was rotated to.")


def api_token(row: Mapping[str, Any]) -> ApiToken:
    """From a key's row; a scope that this version does not know grants nothing and is not shown."""
    return ApiToken(**{**row, "role": KeyRole(row["role"]), "scopes": sorted(scopes(row["scopes"]))})


@strawberry.input(description="A new API key.")
class ApiTokenIssueInput:
    name: str = strawberry.field(description="What it is for, 1 to 100 characters.")
    role: KeyRole = strawberry.field(default=KeyRole.PARTNER, description="What kind of caller it is for.")
    scopes: list[Scope] | None = strawberry.field(
        default=None, description="What it allows; by default all that the role can have."
    )
    expires_in_days: int | None = strawberry.field(default=None, description="1 to 3650; by default it does not end.")


@strawberry.input(description="A new secret for a key.")
class ApiTokenRotateInput:
    public_id: str = strawberry.field(description="Of the old key.")
    overlap_seconds: int = strawberry.field(
        default=86_400, description="How long the old key goes on, 0 to 2592000 seconds."
    )


@strawberry.input(description="The end of a key.")
class ApiTokenRevokeInput:
    public_id: str = strawberry.field(description="Of the key.")


@strawberry.input(description="The end of session tokens.")
class CustomerSessionsEndInput:
    customer: ID | None = strawberry.field(default=None, description="Whose; by default every customer's.")


@strawberry.type(description="A key as it was made, or why it was not.")
class ApiTokenPayload(Payload):
    token: str | None = strawberry.field(default=None, description="The whole key: shown once, stored nowhere.")
    api_token: ApiToken | None = strawberry.field(default=None, description="The key as it is listed.")


@strawberry.type(description="Whether sessions were ended.")
class SessionsPayload(Payload):
    ended_at: datetime | None = strawberry.field(
        default=None, description="Session tokens that were issued before this are refused from now on."
    )
