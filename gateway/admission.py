"""Lets callers in: from the Authorization header to a verified caller, with guesses slowed down."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from gateway.wire import BadRequestError
from tenants.auth import AuthenticationError, Authenticator, Refusal
from tenants.context import Caller

_MISSING = "Send a token as `Authorization: Bearer …`."
_STATUS = {Refusal.TENANT_REQUIRED: 400, Refusal.TOO_MANY_ATTEMPTS: 429}


@dataclass(frozen=True, slots=True)
class Admission:
    """What every transport asks before anything else."""

    authenticator: Authenticator

    async def admit(self, connection: HTTPConnection) -> Caller:
        """The caller of an HTTP request; raises BadRequestError with 401, 400 or 429."""
        bearer = self.bearer(connection)
        return await self.verified(bearer, connection)

    async def verified(self, bearer: str, connection: HTTPConnection) -> Caller:
        """The caller behind a bearer token that came over this connection."""
        try:
            if not bearer:
                raise BadRequestError(401, Refusal.UNAUTHENTICATED, _MISSING)
            return await self.authenticator.authenticate(
                bearer,
                acting_for=connection.headers.get("billing-tenant"),
                peer=connection.client.host if connection.client else "",
            )
        except AuthenticationError as error:
            retry = 1 if error.refusal is Refusal.TOO_MANY_ATTEMPTS else None
            status = _STATUS.get(error.refusal, 401)
            raise BadRequestError(status, error.refusal, str(error), retry_after=retry) from None

    async def still(self, bearer: str, connection: HTTPConnection, caller: Caller) -> bool:
        """Whether a token that was let in would be let in again, as the same caller."""
        try:
            return _authority(await self.verified(bearer, connection)) == _authority(caller)
        except BadRequestError:
            return False

    @staticmethod
    def bearer(connection: HTTPConnection) -> str:
        """The token in the Authorization header; empty where there is none."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


def _authority(caller: Caller) -> tuple[object, ...]:
    """What a caller may do; the tenant's name or other sessions' ends may change without ending this one."""
    tenant = caller.tenant
    settings = (tenant.id, tenant.account, tenant.status, tenant.features, tenant.cors_origins, tenant.trusted_only)
    return (caller.role, caller.scopes, caller.customer, *settings)
