"""GraphQL over HTTP as it is written: what a request may look like, and in which form it is answered."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_ANY = frozenset({"*/*", "application/*"})
SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class BadRequestError(Exception):
    """The request can't be executed; the message tells the client why."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Asked:
    """A well-formed GraphQL request; `hash` is the document's, where it was named instead of sent, or beside it."""

    query: str | None
    variables: dict[str, Any] | None = None
    operation: str | None = None
    hash: str | None = None


def media_of(accept: str) -> str | None:
    """The form of the answer that the Accept header wants; None where it takes none that we have.

    Without a wish the older application/json is sent, as the specification has it for clients of before.
    """
    best: tuple[float, int, str] | None = None
    for place, part in enumerate(accept.split(",") if accept.strip() else ["*/*"]):
        type_, _, parameters = part.strip().partition(";")
        type_ = type_.strip().lower()
        media = JSON if type_ in _ANY else type_
        if media not in {GRAPHQL, JSON, EVENTS}:
            continue
        quality = _quality(parameters)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, place, media)
    return best[2] if best else None


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in {"utf-8", "utf8"}:
            return 0.0
        if name == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def request_id_of(request: Request) -> str:
    """The client's own id of its request, where it has a decent one: it stands in the answer, the log and the audit."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid4())


def wanted_revision(request: Request) -> int | None:
    """The revision that the client has seen and does not want to fall behind."""
    given = request.headers.get("billing-min-revision")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise BadRequestError(400, "BAD_REQUEST", "`Billing-Min-Revision` must be a revision, as answers tell it.")
    return int(given)


async def read(request: Request, *, body_limit: int, batch_limit: int) -> Asked | list[Asked]:
    """The request, or the several of a batch."""
    if request.method == "GET":
        return asked(_from_query(request))
    type_, _, parameters = request.headers.get("content-type", "").partition(";")
    if type_.strip().lower() != JSON:
        raise BadRequestError(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    if _quality(parameters) == 0:
        raise BadRequestError(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json in UTF-8.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > body_limit:
            raise BadRequestError(413, "BODY_TOO_LARGE", f"The body is larger than {body_limit} bytes.")
    given = loads(bytes(body))
    if not isinstance(given, list):
        return asked(given)
    if not 1 <= len(given) <= batch_limit:
        raise BadRequestError(400, "BATCH_TOO_LARGE", f"A batch has 1 to {batch_limit} operations.")
    return [asked(each) for each in given]


def asked(given: Any) -> Asked:
    """One request from its JSON."""
    if not isinstance(given, dict):
        raise BadRequestError(400, "BAD_REQUEST", "The request must be a JSON object.")
    query, variables, operation = given.get("query"), given.get("variables"), given.get("operationName")
    extensions = given.get("extensions")
    if query is not None and not isinstance(query, str):
        raise BadRequestError(400, "BAD_REQUEST", "`query` must be a string.")
    if variables is not None and not isinstance(variables, dict):
        raise BadRequestError(400, "BAD_REQUEST", "`variables` must be an object.")
    if operation is not None and not isinstance(operation, str):
        raise BadRequestError(400, "BAD_REQUEST", "`operationName` must be a string.")
    if extensions is not None and not isinstance(extensions, dict):
        raise BadRequestError(400, "BAD_REQUEST", "`extensions` must be an object.")
    hash_ = _hash(given.get("documentId"), (extensions or {}).get("persistedQuery"))
    if not query and hash_ is None:
        raise BadRequestError(400, "BAD_REQUEST", "`query` must be a string.")
    if query and hash_ and hash_of(query) != hash_:
        raise BadRequestError(400, "BAD_REQUEST", "The hash is not the SHA-256 of this `query`.")
    return Asked(query or None, variables, operation or None, hash_)


def hash_of(query: str) -> str:
    """How a document is named: the SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(query.encode("utf-8", "surrogatepass")).hexdigest()


def loads(body: bytes) -> Any:
    """JSON in UTF-8."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequestError(400, "BAD_REQUEST", "The request is not JSON in UTF-8.") from None


def refusal(error: BadRequestError) -> dict[str, Any]:
    """The body of an answer to a request that was not executed."""
    return {"errors": [{"message": str(error), "extensions": {"code": error.code}}]}


def respond(body: Any, status: int, media: str, headers: dict[str, str] | None = None) -> Response:
    """An answer in bytes, with the headers that every answer has."""
    type_ = f"{media}; charset=utf-8"
    return Response(
        orjson.dumps(body), status_code=status, headers={**SECURITY, **(headers or {}), "Content-Type": type_}
    )


def _from_query(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = loads(given[name].encode("utf-8", "surrogatepass"))
    return given


def _hash(document_id: Any, persisted: Any) -> str | None:
    found = None
    if document_id is not None:
        found = document_id.removeprefix("sha256:") if isinstance(document_id, str) else ""
    elif persisted is not None:
        found = persisted.get("sha256Hash") if isinstance(persisted, dict) and persisted.get("version") == 1 else ""
    if found is not None and not (isinstance(found, str) and _HASH.fullmatch(found)):
        raise BadRequestError(400, "BAD_REQUEST", "A document is named by the SHA-256 of its text, in hexadecimal.")
    return found
