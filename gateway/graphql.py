"""Joins the nouns of schema/ and the verbs of resolvers/ into the one GraphQL schema."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    Undefined,
    is_non_null_type,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from observability.logs import logger
from resolvers import audit, customers, live, payments, previews, reads, sessions, subscriptions, sync, tokens
from schema.access import Access, access_of
from schema.audit import AuditEntry
from schema.context import RequestContext
from schema.errors import CardError, RequestError
from schema.inputs import (
    CheckoutSessionPayload,
    CustomerPayload,
    CustomerTokenPayload,
    InvoiceConfirmationPayload,
    InvoicePayload,
    PaymentMethodPayload,
    PortalSessionPayload,
    SetupIntentPayload,
    SubscriptionPayload,
)
from schema.live import BillingChange
from schema.pagination import Connection
from schema.previews import PreviewPayload
from schema.sync import ReconcilePayload, SyncStatus
from schema.tokens import ApiToken, ApiTokenPayload, SessionsPayload
from schema.types import CheckoutSession, Customer, Invoice, Node, Payment, PaymentMethod, Plan, Subscription
from schema.values import CURRENCY_SCALAR, DATE_TIME_SCALAR, MINOR_UNITS_SCALAR, BadInputError, Currency, MinorUnits
from schema.viewer import Viewer
from schema.words import OTHER, WORDS
from storage.database import is_away

log = logger(__name__)
S = TypeVar("S", bound="GatewaySchema")


@strawberry.type(description="Reads: answered from the mirror, never by a call to Stripe.")
class Query:
    viewer: Viewer = strawberry.field(resolver=reads.viewer, description="Who is asking.")
    node: Node | None = strawberry.field(resolver=reads.node, description="Any object by its id.")
    nodes: list[Node | None] = strawberry.field(resolver=reads.nodes, description="Up to 100 objects by their ids.")
    plans: Connection[Plan] = strawberry.field(resolver=reads.plans, description="The tenant's plans.")
    plan: Plan | None = strawberry.field(resolver=reads.plan_by_id, description="One plan, by id or Stripe's price id.")
    customers: Connection[Customer] = strawberry.field(
        resolver=reads.customers, description="The tenant's customers; for a customer's token itself."
    )
    customer: Customer | None = strawberry.field(
        resolver=reads.customer_by_id, description="One customer, by id or Stripe's id."
    )
    subscriptions: Connection[Subscription] = strawberry.field(
        resolver=reads.subscriptions, description="Subscriptions that the caller may see."
    )
    subscription: Subscription | None = strawberry.field(
        resolver=reads.subscription_by_id, description="One subscription, by id or Stripe's id."
    )
    invoices: Connection[Invoice] = strawberry.field(
        resolver=reads.invoices, description="Invoices that the caller may see."
    )
    invoice: Invoice | None = strawberry.field(
        resolver=reads.invoice_by_id, description="One invoice, by id or Stripe's id."
    )
    api_tokens: list[ApiToken] = strawberry.field(
        resolver=tokens.api_tokens,
        description="The tenant's API keys, newest first, at most 500. Scope tenant:admin.",
    )
    audit_entries: Connection[AuditEntry] = strawberry.field(
        resolver=audit.audit_entries,
        description="What was done in the tenant's name, and by whom. Looking leaves an entry too. Scope tenant:admin.",
    )
    sync_status: SyncStatus = strawberry.field(
        resolver=sync.sync_status, description="How the mirror stands with Stripe. Scope tenant:admin."
    )


@strawberry.type(description="Writes: done at Stripe first, then in the mirror, before the answer.")
class Mutation:
    customer_create: CustomerPayload = strawberry.field(
        resolver=customers.customer_create, description="Create a customer. Scope customers:write."
    )
    customer_update: CustomerPayload = strawberry.field(
        resolver=customers.customer_update, description="Change a customer. Scope customers:write, or one's own."
    )
    customer_token_create: CustomerTokenPayload = strawberry.field(
        resolver=customers.customer_token_create, description="A token for one customer. Scope sessions:write."
    )
    subscription_create: SubscriptionPayload = strawberry.field(
        resolver=subscriptions.subscription_create, description="Start a subscription. Scope subscriptions:write."
    )
    subscription_change: SubscriptionPayload = strawberry.field(
        resolver=subscriptions.subscription_change, description="Change plan or quantity. Scope subscriptions:write."
    )
    subscription_cancel: SubscriptionPayload = strawberry.field(
        resolver=subscriptions.subscription_cancel, description="End a subscription. Scope subscriptions:write."
    )
    subscription_uncancel: SubscriptionPayload = strawberry.field(
        resolver=subscriptions.subscription_uncancel,
        description="Take back a cancellation that is still to come. Scope subscriptions:write.",
    )
    subscription_change_preview: PreviewPayload = strawberry.field(
        resolver=previews.subscription_change_preview,
        description="What a change would cost, by Stripe's own preview; changes nothing. Scope subscriptions:write.",
    )
    invoice_preview: PreviewPayload = strawberry.field(
        resolver=previews.invoice_preview,
        description="The next invoice of a subscription, as Stripe would make it. Scope subscriptions:write, or own.",
    )
    checkout_session_create: CheckoutSessionPayload = strawberry.field(
        resolver=sessions.checkout_session_create,
        description="Open a Checkout page. Scope sessions:write, or one's own.",
    )
    portal_session_create: PortalSessionPayload = strawberry.field(
        resolver=sessions.portal_session_create,
        description="Open the billing portal. Scope sessions:write, or one's own.",
    )
    setup_intent_create: SetupIntentPayload = strawberry.field(
        resolver=sessions.setup_intent_create,
        description="Save a means of payment. Scope sessions:write, or one's own.",
    )
    payment_method_detach: PaymentMethodPayload = strawberry.field(
        resolver=payments.payment_method_detach,
        description="Forget a saved means of payment, for good. Scope customers:write, or one's own.",
    )
    invoice_pay: InvoicePayload = strawberry.field(
        resolver=payments.invoice_pay,
        description="Pay an open invoice now with a saved means of payment. Scope payments:write, or one's own.",
    )
    invoice_confirmation_create: InvoiceConfirmationPayload = strawberry.field(
        resolver=payments.invoice_confirmation_create,
        description="Let its customer pay an open invoice with Stripe.js: by another card, or by 3-D Secure."
        " Scope payments:write, or one's own.",
    )
    api_token_issue: ApiTokenPayload = strawberry.field(
        resolver=tokens.api_token_issue, description="Make an API key. Scope tenant:admin."
    )
    api_token_rotate: ApiTokenPayload = strawberry.field(
        resolver=tokens.api_token_rotate,
        description="Make a new key in the place of another, which goes on for a while. Scope tenant:admin.",
    )
    api_token_revoke: ApiTokenPayload = strawberry.field(
        resolver=tokens.api_token_revoke, description="End a key in every process at once. Scope tenant:admin."
    )
    customer_sessions_end: SessionsPayload = strawberry.field(
        resolver=tokens.customer_sessions_end,
        description="End the session tokens of a customer, or of all. Scope tenant:admin.",
    )
    reconcile_start: ReconcilePayload = strawberry.field(
        resolver=sync.reconcile_start,
        description="Check the whole mirror against Stripe's lists, and repair it. Scope tenant:admin.",
    )


@strawberry.type(description="Live fields, over WebSocket (graphql-transport-ws) or server-sent events.")
class Live:
    billing_changed: AsyncGenerator[BillingChange, None] = strawberry.subscription(
        resolver=live.billing_changed,
        description="Tells, by its revision, that something which the caller may see has changed.",
    )


TIMED_OUT = "TIMEOUT"
AWAY = "The gateway can't reach its database now. Try again, a mutation with the same idempotencyKey."


class ReadOnce(SchemaExtension):
    """Hands on the document that the endpoint has read and judged already, so that it is parsed and validated once."""

    def on_parse(self) -> Iterator[None]:
        context: RequestContext = self.execution_context.context
        if context.document is not None:
            self.execution_context.graphql_document = context.document
        yield

    def on_validate(self) -> Iterator[None]:
        execution, known = self.execution_context, self.execution_context.context.valid_for
        if known is None:
            yield
            return
        schema = execution.schema._schema  # noqa: SLF001 (strawberry has no other way to it)
        if schema in known:
            execution.pre_execution_errors = []
        yield
        if not execution.pre_execution_errors:
            known.add(schema)


class GatewaySchema(strawberry.Schema):
    """Logs what went wrong by kind alone: messages and tracebacks of resolvers may carry personal data."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _leave_out_null_defaults(self._schema)
        _describe_words(self._schema)

    def process_errors(self, errors: Sequence[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        for error in errors:
            if not isinstance(error.original_error, BadInputError | GraphQLError | None):
                log.error("resolver.failed", error=type(error.original_error).__name__, path=error.path)


def _leave_out_null_defaults(schema: GraphQLSchema) -> None:
    """`= null` behind every optional argument says nothing to people and confuses code generators."""
    for type_ in schema.type_map.values():
        fields = getattr(type_, "fields", {}).values()
        given = [each for field in fields for each in getattr(field, "args", {}).values()]
        if isinstance(type_, GraphQLInputObjectType):
            given += fields
        for each in given:
            if each.default_value is None and not is_non_null_type(each.type):
                each.default_value = Undefined


def _describe_words(schema: GraphQLSchema) -> None:
    """Gives every value of every enum its meaning: the library has no way to say it beside a StrEnum."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLEnumType) and not type_.name.startswith("__"):
            known = WORDS.get(type_.name, {})
            for name, value in type_.values.items():
                value.description = known.get(name) or (OTHER if name == "OTHER" else None)


def masked(error: GraphQLError) -> dict[str, Any]:
    """An error as clients see it: faults of theirs in full, bugs of ours without a word of what is inside."""
    shown: dict[str, Any] = dict(error.formatted)
    # some of graphql-core's rules guess a name all the same
    shown["message"] = error.message.partition(" Did you mean ")[0]
    # the library wraps some faults of the client in an error of the same kind
    fault = error.original_error is None or isinstance(error.original_error, GraphQLError)
    if fault and (error.extensions or {}).get("code") == TIMED_OUT:
        code = "TIMEOUT"
    elif fault:
        code = "GRAPHQL_VALIDATION_FAILED" if error.path is None else "BAD_USER_INPUT"
    elif isinstance(error.original_error, BadInputError):
        code = "BAD_USER_INPUT"
    elif is_away(error.original_error):
        code = "UNAVAILABLE"
        shown["message"] = AWAY
    else:
        code = "INTERNAL"
        shown["message"] = "Something went wrong here. It was logged under this request's id."
    shown["extensions"] = {"code": code}
    return shown


@cache
def declared() -> frozenset[Access]:
    """Every rule of access that a field or an input declares. The first call builds the full schema to find them."""
    schema = build()
    types = (found.definition for found in schema.schema_converter.type_map.values())
    fields = (field for type_ in types for field in getattr(type_, "fields", ()))
    return frozenset(access_of(field) for field in fields)


def build() -> GatewaySchema:
    """The full schema, as nobody has it: `schema/schema.graphql`."""
    return schema_of(GatewaySchema, Query, Mutation, Live)


def schema_of(
    kind: type[S], query: type, mutation: type | None, subscription: type | None, *, nouns: bool = True, **more: Any
) -> S:
    """A schema of these roots; the types that only an interface leads to are named, `nouns` where they may be seen."""
    errors = [RequestError, CardError] if mutation else []
    found = [PaymentMethod, Payment, CheckoutSession] if nouns else []
    return kind(
        query,
        mutation,
        subscription,
        extensions=[ReadOnce],
        types=[*found, *errors],
        **more,
        config=StrawberryConfig(
            disable_field_suggestions=True,
            scalar_map={Currency: CURRENCY_SCALAR, MinorUnits: MINOR_UNITS_SCALAR, datetime: DATE_TIME_SCALAR},
        ),
    )
