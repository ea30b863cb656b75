"""The GraphQL endpoint over HTTP: reads the request strictly, authenticates, executes, and answers in bytes."""

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError
from starlette.requests import Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from gateway.document_limits import DocumentRefusedError, Documents, check_variables
from gateway.graphql import AWAY, GatewaySchema, masked
from gateway.runtime import Runtime
from observability.logs import logger
from schema.context import RequestContext
from storage import revisions
from storage.binding import bind_tenant
from storage.database import is_away
from tenants.auth import AuthenticationError, Refusal
from tenants.context import Caller

log = logger(__name__)

_MAX_BODY = 256 * 1024
_READS = {OperationType.QUERY}
_ALL = {OperationType.QUERY, OperationType.MUTATION}
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
RESPONSE_TYPE = "application/graphql-response+json"


class BadRequestError(Exception):
    """The request can't be executed; the message tells the client why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """A well-formed GraphQL request."""

    query: str
    variables: dict[str, Any] | None
    operation: str | None


def _refused(status: int, code: str, message: str, media: str, *, retry_after: int | None = None) -> Response:
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Response(orjson.dumps(body), status_code=status, media_type=media, headers=headers)


def _media(request: Request) -> str:
    accept = request.headers.get("accept", "")
    return RESPONSE_TYPE if RESPONSE_TYPE in accept or not accept or accept == "*/*" else "application/json"


async def _asked(request: Request) -> Asked:
    if request.method == "GET":
        given: Any = dict(request.query_params)
        if "variables" in given:
            given["variables"] = _json(given["variables"].encode("utf-8", "surrogatepass"))
    else:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise BadRequestError(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                raise BadRequestError(413, "BODY_TOO_LARGE", f"The body is larger than {_MAX_BODY // 1024} KiB.")
        given = _json(bytes(body))
    if not isinstance(given, dict):
        raise BadRequestError(400, "BAD_REQUEST", "The request must be a JSON object.")
    query, variables, operation = given.get("query"), given.get("variables"), given.get("operationName")
    if not isinstance(query, str) or not query:
        raise BadRequestError(400, "BAD_REQUEST", "`query` must be a string.")
    if variables is not None and not isinstance(variables, dict):
        raise BadRequestError(400, "BAD_REQUEST", "`variables` must be an object.")
    if operation is not None and not isinstance(operation, str):
        raise BadRequestError(400, "BAD_REQUEST", "`operationName` must be a string.")
    return Asked(query, variables, operation or None)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequestError(400, "BAD_REQUEST", "The request is not JSON in UTF-8.") from None


def _request_id(request: Request) -> str:
    """The client's own id of its request, where it has a decent one: it stands in the answer, the log and the audit."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid4())


def _wanted_revision(request: Request) -> int | None:
    """The revision that the client has seen and does not want to fall behind."""
    given = request.headers.get("billing-min-revision")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise BadRequestError(400, "BAD_REQUEST", "`Billing-Min-Revision` must be a revision, as answers tell it.")
    return int(given)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`/graphql` for every audience: the token decides everything."""

    runtime: Runtime
    schema: GatewaySchema
    documents: Documents = field(default_factory=Documents)

    async def __call__(self, request: Request) -> Response:
        """Answer one request; refusals have a status, a code, and did nothing."""
        media = _media(request)
        try:
            return await self._serve(request, media)
        except Exception as error:
            if not is_away(error):
                raise
            log.error("database.away", error=type(error).__name__)
            return _refused(503, "UNAVAILABLE", AWAY, media, retry_after=1)

    async def _serve(self, request: Request, media: str) -> Response:
        try:
            caller = await self._caller(request)
            asked = await _asked(request)
            wanted = _wanted_revision(request)
            document = self._document(asked)
        except AuthenticationError as error:
            status = 400 if error.refusal is Refusal.TENANT_REQUIRED else 401
            return _refused(status, error.refusal, str(error), media)
        except BadRequestError as error:
            return _refused(error.status, error.code, str(error), media)
        with bind_tenant(caller.tenant.id):
            seen = await self._catch_up(caller, wanted) if wanted is not None else None
            return await self._execute(request, caller, asked, document, media, seen)

    async def _catch_up(self, caller: Caller, wanted: int) -> int:
        """Know of every revision up to the wanted one; the newest of those that the caller can see."""
        catalog = revisions.catalog_scope(livemode=caller.livemode)
        own = revisions.EVERYTHING
        if caller.customer is not None:
            own = revisions.customer_scope(caller.customer, livemode=caller.livemode)
        return await self.runtime.book.at_least(caller.tenant.id, (own, catalog), wanted)

    def _document(self, asked: Asked) -> DocumentNode | None:
        """The document within its limits; None where it can't be parsed, which the schema answers."""
        try:
            check_variables(asked.variables)
            document = self.documents.read(asked.query)
        except DocumentRefusedError as error:
            raise BadRequestError(400, error.code, str(error)) from None
        except GraphQLSyntaxError:
            return None
        if asked.operation is None and len(document.operations) > 1:
            raise BadRequestError(400, "BAD_REQUEST", "Name the operation to run in `operationName`.")
        return document.node

    async def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationError(Refusal.UNAUTHENTICATED)
        acting_for = request.headers.get("billing-tenant")
        return await self.runtime.authenticator.authenticate(token.strip(), acting_for=acting_for)

    async def _execute(
        self,
        request: Request,
        caller: Caller,
        asked: Asked,
        document: DocumentNode | None,
        media: str,
        seen: int | None,
    ) -> Response:
        context = self._context(caller, _request_id(request))
        context.document = document
        headers = {"X-Request-Id": context.request_id, "Cache-Control": "no-store"}
        if seen is not None:
            headers["Billing-Revision"] = str(seen)
        try:
            result = await self.schema.execute(
                asked.query,
                variable_values=asked.variables,
                operation_name=asked.operation,
                context_value=context,
                allowed_operation_types=_READS if request.method == "GET" else _ALL,
            )
        except InvalidOperationTypeError:
            return _refused(405, "METHOD_NOT_ALLOWED", "GET is for queries; live operations are not offered.", media)
        except CannotGetOperationTypeError:
            return _refused(400, "BAD_REQUEST", "Name the operation to run in `operationName`.", media)
        if context.revision is not None:
            headers["Billing-Revision"] = str(context.revision)
        return self._answer(result.data, result.errors, context, media, headers)

    def _context(self, caller: Caller, request_id: str) -> RequestContext:
        runtime = self.runtime

        async def catalog_revision() -> int:
            scope = revisions.catalog_scope(livemode=caller.livemode)
            return (await runtime.book.numbers(caller.tenant.id, [scope]))[scope]

        return RequestContext(
            caller=caller,
            database=runtime.database,
            operations=runtime.operations,
            sessions=runtime.sessions,
            cache=runtime.cache,
            catalog_revision=catalog_revision,
            request_id=request_id,
        )

    def _answer(
        self, data: Any, errors: list[GraphQLError] | None, context: RequestContext, media: str, headers: dict[str, str]
    ) -> Response:
        body: dict[str, Any] = {}
        if errors:
            body["errors"] = [masked(error) for error in errors]
        executed = data is not None or any(error.path for error in errors or [])
        if executed:
            body["data"] = data
        extensions: dict[str, Any] = {"requestId": context.request_id}
        if context.revision is not None:
            extensions["revision"] = str(context.revision)
        body["extensions"] = extensions
        status = 200 if executed or media == "application/json" else 400
        if data is None and any(is_away(error.original_error) for error in errors or []):
            status, headers = 503, headers | {"Retry-After": "1"}
        return Response(orjson.dumps(body), status_code=status, media_type=media, headers=headers)
