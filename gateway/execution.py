"""Executes one GraphQL operation for a caller: its document, its limits, its cost, its answer, however it came in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSyntaxError
from graphql.language import FieldNode, OperationDefinitionNode, OperationType
from strawberry.types.graphql import OperationType as Kind

from gateway.cost import STRIPE_CALL, Bound, fields_at_root, fragments_of, introspection_weight, objects_in
from gateway.document_limits import Document, DocumentRefusedError, Documents, check_variables
from gateway.graphql import AWAY, TIMED_OUT, masked
from gateway.persisted import Persisted, Sent
from gateway.runtime import Runtime
from gateway.signatures import Schemas, Signature, SignatureSchema
from gateway.throttle import Charge, Throttle
from gateway.wire import JSON, Asked, BadRequestError, hash_of
from schema.context import RequestContext
from storage import revisions
from storage.binding import bind_tenant
from storage.database import is_away
from storage.feed import RevisionBook
from tenants import audit
from tenants.context import Caller, Role

BYTES_A_POINT = 100  # of a document that is read for the first time: 64 KB of it are some 100 ms of work
_KINDS = {OperationType.QUERY: Kind.QUERY, OperationType.MUTATION: Kind.MUTATION}


@dataclass(frozen=True, slots=True)
class Answer:
    """An operation's answer; `status` is HTTP's, `executed` says whether anything ran."""

    body: dict[str, Any]
    status: int = 200
    executed: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """An operation within its limits, paid for, ready to run."""

    query: str
    asked: Asked
    node: DocumentNode | None
    operation: OperationDefinitionNode | None
    schema: SignatureSchema
    charge: Charge
    context: RequestContext

    @property
    def kind(self) -> OperationType:
        return self.operation.operation if self.operation else OperationType.QUERY


@dataclass(slots=True)
class Service:
    """What every transport asks."""

    runtime: Runtime
    schemas: Schemas = field(default_factory=Schemas)
    documents: Documents = field(default_factory=Documents)
    _introspected: dict[Any, Any] = field(default_factory=dict)
    throttle: Throttle = field(init=False)
    persisted: Persisted = field(init=False)

    def __post_init__(self) -> None:
        runtime, settings = self.runtime, self.runtime.settings
        self.throttle = Throttle(runtime.buckets, settings.token_rate(), settings.tenant_rate())
        sent = Sent(longest=settings.graphql_document_size)
        self.persisted = Persisted(runtime.database, runtime.book, runtime.cache, sent)
        self.documents.limits = settings.document_limits()

    async def prepare(self, caller: Caller, asked: Asked, request_id: str) -> Job:
        """Judge and charge an operation; raises BadRequestError, and then nothing was done.

        Reading a document that is new here is work too, whatever becomes of it, and is paid for first.
        """
        with bind_tenant(caller.tenant.id):
            query = await self.persisted.document(caller, asked)
        await self._charge(caller, self.documents.unread(query) // BYTES_A_POINT, "Reading the document")
        document = self._document(query, asked)
        schema = self.schemas.of(Signature.of(caller))
        operation = _chosen(document.node, asked.operation) if document else None
        points = 1
        if document is not None and operation is not None:
            bound = Bound(schema.core, document.node, asked.variables or {})
            points = bound.of(operation)
            self._check(points, bound, operation)
        charge = await self._charge(caller, points, "The operation")
        context = self._context(caller, request_id)
        if document is not None:
            context.document, context.valid_for = document.node, document.valid_for
        if caller.role is Role.PLATFORM:
            await self._note(caller, operation, request_id)
        return Job(query, asked, context.document, operation, schema, charge, context)

    async def answer(self, job: Job, *, media: str = JSON) -> Answer:
        """Run a query or a mutation; what it did not use of its points is given back."""
        with bind_tenant(job.context.caller.tenant.id):
            try:
                result = await self._run(job)
            except TimeoutError:
                message = "The query took too long. Ask for less at a time."
                result = ExecutionResult(None, [GraphQLError(message, extensions={"code": TIMED_OUT})])
            return await self._answered(job, result, media)

    async def stream(self, job: Job) -> AsyncIterator[dict[str, Any]]:
        """The answers of a live operation, each with its own cost."""
        with bind_tenant(job.context.caller.tenant.id):
            found: Any = await job.schema.subscribe(
                job.query,
                variable_values=job.asked.variables,
                context_value=job.context,
                operation_name=job.asked.operation,
            )
            if not hasattr(found, "__aiter__"):
                yield (await self._answered(job, found, JSON)).body
                return
            try:
                async for result in found:
                    yield (await self._answered(job, result, JSON)).body
            finally:
                await found.aclose()

    async def catch_up(self, caller: Caller, wanted: int) -> int:
        """Know of every revision up to the wanted one; the newest of those that the caller can see."""
        with bind_tenant(caller.tenant.id):
            return await self.runtime.book.at_least(caller.tenant.id, scopes_of(caller), wanted)

    async def _charge(self, caller: Caller, points: int, what: str) -> Charge:
        charge = await self.throttle.charge(caller.tenant.id, caller.purse, points)
        if not charge.granted:
            message = f"{what} costs {points} points, and {int(charge.available)} are left. Try again later."
            raise BadRequestError(429, "THROTTLED", message, retry_after=charge.retry_after)
        return charge

    def _check(self, points: int, bound: Bound, operation: OperationDefinitionNode) -> None:
        most = self.runtime.settings.graphql_cost_most
        if points > most:
            raise BadRequestError(
                400, "QUERY_TOO_COSTLY", f"The operation may cost {points} points; one may cost {most}. Ask for less."
            )
        if introspection_weight(bound, operation) > self.runtime.settings.graphql_introspection_most:
            raise BadRequestError(400, "QUERY_TOO_COMPLEX", "The operation asks too much of the schema about itself.")

    def _document(self, query: str, asked: Asked) -> Document | None:
        """The document within its limits; None where it can't be parsed, which the schema answers."""
        try:
            check_variables(asked.variables)
            document = self.documents.read(query)
        except DocumentRefusedError as error:
            raise BadRequestError(400, error.code, str(error)) from None
        except GraphQLSyntaxError:
            return None
        if asked.operation is None and len(document.operations) > 1:
            raise BadRequestError(400, "BAD_REQUEST", "Name the operation to run in `operationName`.")
        if asked.operation is not None and asked.operation not in document.operations:
            raise BadRequestError(400, "BAD_REQUEST", "The document has no operation of this `operationName`.")
        if not document.operations:
            raise BadRequestError(400, "BAD_REQUEST", "The document has no operation.")
        return document

    async def _run(self, job: Job) -> Any:
        # the schema itself, not its address: another one may come to live there when this one has gone
        key = (job.schema, hash_of(job.query), job.asked.operation, hash_of(repr(job.asked.variables)))
        only_schema = job.operation is not None and _only_introspects(job.operation)
        if only_schema and key in self._introspected:
            return self._introspected[key]
        seconds = None if job.kind is OperationType.MUTATION else self.runtime.settings.graphql_timeout
        async with asyncio.timeout(seconds):
            result = await job.schema.execute(
                job.query,
                variable_values=job.asked.variables,
                operation_name=job.asked.operation,
                context_value=job.context,
                allowed_operation_types={_KINDS[job.kind]},
            )
        if only_schema and not result.errors:
            if len(self._introspected) > 100:
                self._introspected.clear()
            self._introspected[key] = result
        return result

    async def _answered(self, job: Job, result: Any, media: str) -> Answer:
        errors: list[GraphQLError] = result.errors or []
        executed = result.data is not None or any(error.path for error in errors)
        context = job.context
        cost = 1
        if executed and job.operation is not None:
            introspected = _only_introspects(job.operation)
            cost = job.charge.requested if introspected else max(1, objects_in(result.data))
            if job.kind is OperationType.MUTATION:
                cost += STRIPE_CALL * fields_at_root(job.operation, fragments_of(job.node))
        charge = await self.throttle.settle(context.caller.tenant.id, context.caller.purse, job.charge, cost)
        body: dict[str, Any] = {"errors": [masked(error) for error in errors]} if errors else {}
        if executed:
            body["data"] = result.data
        extensions: dict[str, Any] = {"requestId": context.request_id, "cost": charge.shown(cost)}
        headers = {"X-Request-Id": context.request_id}
        if context.revision is not None:
            extensions["revision"] = headers["Billing-Revision"] = str(context.revision)
        body["extensions"] = extensions
        status = 200 if executed or media == JSON else 400
        if result.data is None and any(is_away(error.original_error) for error in errors):
            status, headers = 503, headers | {"Retry-After": "1"}
        elif any((error.extensions or {}).get("code") == TIMED_OUT for error in errors):
            status = 503
        return Answer(body, status, executed, headers)

    async def _note(self, caller: Caller, operation: OperationDefinitionNode | None, request_id: str) -> None:
        """Whoever acts for a tenant leaves a trace there, also of a read."""
        action = f"platform {operation.operation.value}" if operation else "platform request"
        with bind_tenant(caller.tenant.id):
            await audit.record(
                self.runtime.database.app,
                caller.tenant.id,
                audit.author(caller, request_id),
                action=action,
                outcome="admitted",
            )

    def _context(self, caller: Caller, request_id: str) -> RequestContext:
        runtime = self.runtime

        async def catalog_revision() -> int:
            scope = revisions.catalog_scope(livemode=caller.livemode)
            return (await runtime.book.numbers(caller.tenant.id, [scope]))[scope]

        async def settings_changed() -> int:
            """This process need not wait to hear what it has just done itself; the number of the settings now."""
            number = (await revisions.current(runtime.database.app, caller.tenant.id, [revisions.SETTINGS]))[
                revisions.SETTINGS
            ]
            runtime.book.learn({(caller.tenant.id, revisions.SETTINGS): number})
            return number

        return RequestContext(
            caller=caller,
            database=runtime.database,
            operations=runtime.operations,
            sessions=runtime.sessions,
            cache=runtime.cache,
            catalog_revision=catalog_revision,
            request_id=request_id,
            unpaged_most=runtime.settings.graphql_cost_most,
            revisions=lambda: _revisions(runtime.book, caller),
            settings_changed=settings_changed,
        )


def scopes_of(caller: Caller) -> tuple[str, str]:
    """The scopes of revisions in which a caller's data changes."""
    catalog = revisions.catalog_scope(livemode=caller.livemode)
    if caller.customer is None:
        return revisions.EVERYTHING, catalog
    return revisions.customer_scope(caller.customer, livemode=caller.livemode), catalog


async def _revisions(book: RevisionBook, caller: Caller) -> AsyncIterator[int]:
    """The newest revision that the caller can see, now and each time that it may have grown."""
    scopes = scopes_of(caller)
    with book.watching(caller.tenant.id, scopes) as watch:
        while True:
            with bind_tenant(caller.tenant.id):
                yield max((await book.numbers(caller.tenant.id, scopes)).values())
            await watch.moved()


def _chosen(node: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    for each in node.definitions:
        if isinstance(each, OperationDefinitionNode) and (name is None or (each.name and each.name.value == name)):
            return each
    return None


def _only_introspects(operation: OperationDefinitionNode) -> bool:
    """Whether the answer is the schema's alone, and so the same for all who have it."""
    found = operation.selection_set.selections
    return operation.operation is OperationType.QUERY and all(
        isinstance(each, FieldNode) and each.name.value in {"__schema", "__type"} for each in found
    )


__all__ = ["AWAY", "Answer", "Job", "Service", "scopes_of"]
