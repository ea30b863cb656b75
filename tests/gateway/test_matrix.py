"""The isolation matrix: every caller, every operation, every foreign id; nothing of another's, and no way to tell."""

import asyncio
import itertools
import json
import os
import random
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_required_input_field

from gateway.app import endpoint_of
from gateway.signatures import Signature, build
from gateway.wire import Asked
from schema.context import RequestContext
from storage import revisions
from storage.database import Database
from storage.tenant_client import TenantBoundClient
from tenants.context import ROLE_SCOPES, Feature, Role
from tests.support.documents import SCHEMA, document, payload, reads, targets
from tests.support.matrix import EACH, TENANTS, Caller, Matrix, global_id, holds_nothing, matrix_of, provide

INTERLEAVED = int(os.environ.get("INTERLEAVED", "1500"))
PASSES = int(os.environ.get("MATRIX_PASSES", "1"))
AT_ONCE = 8
ENDS = {"subscriptionCancel": 1, "customerSessionsEnd": 2}
# Texts that name an object, by the name of their input field.
NAMED = {"publicId": "ApiToken", "coupon": "Coupon", "defaultPaymentMethod": "PaymentMethod"}
# What a mutation uses up, by the field that names it.
USED_UP = {"paymentMethodDetach": "paymentMethod", "invoicePay": "invoice"}
# Filters by text that name an object, and those that don't.
OF_FILTERS = {"target": "ApiToken"}
NO_NAMES = {"action"}
# Texts of inputs that don't, and what a good request has there; `None`: left out.
PLAIN: dict[str, Any] = {
    "email": "own@example.org", "name": "own", "successUrl": "https://e.org/s", "returnUrl": "https://e.org/r",
    "phone": None, "comment": None, "cancelUrl": None, "externalId": None,
}  # fmt: skip


@pytest.fixture
async def matrix(opened: Database) -> AsyncIterator[Matrix]:
    async with matrix_of(opened) as found:
        yield found


@dataclass(frozen=True)
class Question:
    """A read by one value, as a role's schema has it; `form` makes the value from an object's Stripe id."""

    name: str
    type: str
    query: Any
    form: Any


def questions(role: Role, matrix: Matrix) -> Iterator[Question]:
    """Every argument and every filter of the role's schema that takes an id or a word; new ones join by themselves."""
    schema = build(Signature(role, ROLE_SCOPES[role], frozenset(Feature))).core
    assert schema.query_type is not None
    for root, field in schema.query_type.fields.items():
        for target in targets(field) if {"id", "ids", "filter"} & set(field.args) else []:
            for argument in sorted({"id", "ids"} & set(field.args)):
                forms: dict[str, Any] = {"global id": partial(global_id, target.name)}
                if root not in {"node", "nodes"}:
                    forms["Stripe's id"] = str
                for form, make in forms.items():

                    def by_id(value: str, root: str = root, target: Any = target, argument: str = argument) -> str:
                        return document(root, target, {argument: value if argument == "id" else [value]}, 2)

                    yield Question(f"{root}({argument}) by {form}: {target.name}", target.name, by_id, make)
        if "filter" in field.args:
            yield from _filters(root, field, matrix)


def _filters(root: str, field: Any, matrix: Matrix) -> Iterator[Question]:
    (target,) = targets(field)
    taken = get_named_type(field.args["filter"].type)
    assert isinstance(taken, GraphQLInputObjectType)
    words = {"email": "{}@example.org", "externalId": "{}"}
    for name, given in taken.fields.items():

        def filtered(value: str, name: str = name, target: GraphQLObjectType = target) -> str:
            return document(root, target, {"first": 5, "filter": {name: value}}, 2)

        kind = get_named_type(given.type).name
        if kind == "ID" or name in OF_FILTERS:
            yield Question(f"{root} of {name}", OF_FILTERS.get(name, name[0].upper() + name[1:]), filtered, str)
        elif kind == "String" and name not in NO_NAMES:
            assert name in words, f"does the filter {name} of {root} name an object? Say so here"

            def word(id_: str, pattern: str = words[name]) -> str:
                return pattern.format(matrix.word(id_))

            yield Question(f"{root} by {name}", "Customer", filtered, word)


async def test_every_read_of_every_foreign_id_is_answered_like_nothing(matrix: Matrix) -> None:
    asked = {role: list(questions(role, matrix)) for role in Role}
    secrets = {caller.name: matrix.secrets(caller) for caller in matrix.callers}
    cells, answered = 0, 0
    for caller in matrix.callers:
        for question in asked[caller.role]:
            own = question.form(matrix.own(caller, question.type))
            content, body = await matrix.ask(caller, question.query(own))
            assert "errors" not in body, (caller.name, question.name, body)
            cells += 1
            answered += not holds_nothing(body["data"])
            assert not [word for word in secrets[caller.name] if word in content], (caller.name, question.name)
    nothing: dict[tuple[str, str], bytes] = {}

    async def foreign_cell(caller: Caller, question: Question, id_: str) -> None:
        found, told = await matrix.ask(caller, question.query(question.form(id_)))
        assert holds_nothing(told["data"]), (caller.name, question.name, told)
        assert not [word for word in secrets[caller.name] if word in found], (caller.name, question.name)
        if (caller.name, question.name) not in nothing:
            missing = question.query(question.form(matrix.nothing(question.type)))
            nothing[caller.name, question.name] = (await matrix.ask(caller, missing))[0]
        assert found == nothing[caller.name, question.name], (caller.name, question.name)

    foreign = [
        (caller, question, id_)
        for caller in matrix.callers
        for question in asked[caller.role]
        for id_ in matrix.foreign(caller, question.type)
    ] * PASSES
    random.Random(4).shuffle(foreign)
    await _at_once(foreign_cell(*each) for each in foreign)
    share = answered / cells
    print(f"matrix: {cells} own reads, {share:.1%} answered with data; {len(foreign)} foreign ones, 0 with any")
    assert share >= 0.95


async def _at_once(work: Iterator[Any]) -> None:
    """Several at a time, so that callers of different tenants share connections and caches."""

    async def some() -> None:
        for each in work:
            await each

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


@dataclass(frozen=True)
class Mutation:
    """A mutation of a role's schema, and the fields of its input that name an object, each with the object's type."""

    name: str
    query: str
    taken: GraphQLInputObjectType
    named: dict[str, str]


def mutations(role: Role) -> Iterator[Mutation]:
    schema = build(Signature(role, ROLE_SCOPES[role], frozenset(Feature))).core
    for name, field in schema.mutation_type.fields.items() if schema.mutation_type else ():
        taken = get_named_type(field.args["input"].type)
        assert isinstance(taken, GraphQLInputObjectType)
        told = payload(get_named_type(field.type))
        query = f"mutation($input: {taken.name}!) {{ made: {name}(input: $input) {told} }}"
        named = {
            one: NAMED.get(one, one[0].upper() + one[1:])
            for one, given in taken.fields.items()
            if get_named_type(given.type).name == "ID" or one in NAMED
        }
        yield Mutation(name, query, taken, named)


def test_every_text_of_every_input_is_known_to_name_an_object_or_not() -> None:
    """A new field that names an object would otherwise be left out of the matrix."""
    unknown = {
        f"{type_.name}.{name}"
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLInputObjectType) and not type_.name.endswith(("Filter", "AddressInput"))
        for name, field in type_.fields.items()
        if get_named_type(field.type).name == "String" and name not in {*NAMED, *PLAIN, "idempotencyKey"}
    }
    assert unknown == set()


def _input(matrix: Matrix, caller: Caller, mutation: Mutation, key: str) -> dict[str, Any]:
    """A whole input of the caller's own objects."""
    found: dict[str, Any] = {name: matrix.own(caller, type_) for name, type_ in mutation.named.items()}
    for name, given in mutation.taken.fields.items():
        if name == "idempotencyKey":
            found[name] = key
        elif name == "quantity":
            found[name] = 2
        elif name in PLAIN and PLAIN[name] is not None and (is_required_input_field(given) or name == "email"):
            found[name] = PLAIN[name]
    return found


async def _spared(matrix: Matrix, caller: Caller, mutation: Mutation, given: dict[str, Any]) -> None:
    """What the control may use up or end: the listed objects are needed as they are."""
    if field := USED_UP.get(mutation.name):
        given[field] = matrix.spare[caller.tenant, mutation.named[field]].pop()
    if "publicId" in mutation.named:
        issue = 'mutation { apiTokenIssue(input: { name: "control" }) { apiToken { publicId } } }'
        _, made = await matrix.ask(caller, issue)
        given["publicId"] = made["data"]["apiTokenIssue"]["apiToken"]["publicId"]


async def test_every_mutation_of_every_foreign_id_is_refused_like_one_of_nothing(matrix: Matrix) -> None:
    await provide(matrix)
    numbers = itertools.count()
    every = [(caller, mutation) for caller in matrix.callers for mutation in mutations(caller.role)]
    # what ends subscriptions and sessions comes last: it really does
    every.sort(key=lambda each: ENDS.get(each[1].name, 0))
    done = cells = 0
    for caller, mutation in every:
        case, secrets = f"{mutation.name} by {caller.name}", matrix.secrets(caller)
        given = _input(matrix, caller, mutation, f"own-{next(numbers)}")
        await _spared(matrix, caller, mutation, given)
        content, body = await matrix.ask(caller, mutation.query, {"input": given})
        assert body["data"]["made"]["errors"] == [], (case, body)
        assert not [word for word in secrets if word in content], case
        done += 1
        for name, type_ in mutation.named.items():
            # a coupon lives at Stripe alone, so Stripe is asked, in the tenant's own account
            before = None if type_ == "Coupon" else await matrix.accounts[0].requests()
            for id_ in matrix.foreign(caller, type_):
                asked = _input(matrix, caller, mutation, f"k{next(numbers):06}")
                found, told = await matrix.ask(caller, mutation.query, {"input": asked | {name: id_}})
                code = "STRIPE_REFUSED" if type_ == "Coupon" else "NOT_FOUND"
                assert [error["code"] for error in told["data"]["made"]["errors"]] == [code], (case, told)
                missing = matrix.nothing(type_)
                asked |= {"idempotencyKey": f"k{next(numbers):06}"} if "idempotencyKey" in asked else {}
                other, _ = await matrix.ask(caller, mutation.query, {"input": asked | {name: missing}})
                assert found.replace(id_.encode(), b"?") == other.replace(missing.encode(), b"?"), case
                assert not [word for word in secrets if word in found.replace(id_.encode(), b"?")], case
                cells += 1
            assert before is None or await matrix.accounts[0].requests() == before, case
    print(f"matrix: {done} of {done} mutations done with own ids; {cells} with foreign ones refused")


async def test_no_caller_hears_of_a_foreign_change(matrix: Matrix) -> None:
    runtime, callers, service = matrix.runtime, matrix.callers, endpoint_of(matrix.runtime).service
    heard: list[set[int]] = [set() for _ in callers]
    begun = [asyncio.Event() for _ in callers]

    async def listen(place: int, caller: Caller) -> None:
        verified = await runtime.authenticator.authenticate(
            caller.headers["authorization"].removeprefix("Bearer "), acting_for=caller.headers.get("billing-tenant")
        )
        query = 'subscription { billingChanged(after: "0") { revision } }'
        job = await service.prepare(verified, Asked(query), "live")
        async for body in service.stream(job):
            if begun[place].is_set():
                heard[place].add(int(body["data"]["billingChanged"]["revision"]))
            begun[place].set()  # what was before is told at once

    tasks = [asyncio.create_task(listen(place, caller)) for place, caller in enumerate(callers)]
    await asyncio.gather(*(each.wait() for each in begun))
    changes: dict[int, tuple[int, int | None]] = {}
    for number, account in enumerate(matrix.accounts, 1):
        for which in (*EACH, None):
            names = [revisions.EVERYTHING]
            if which is not None:
                names.append(revisions.customer_scope(matrix.ids[number, "Customer", which], livemode=False))
            scopes = {(account.tenant.id, name) for name in names}
            async with runtime.database.system_transaction() as connection:
                revision = await revisions.bump(connection, scopes)
            changes[revision] = (number, which)
            runtime.book.hear(json.dumps([revision, [list(one) for one in scopes]]))
            await _settled(lambda revision=revision, number=number: all(
                revision in heard[place] for place, caller in enumerate(callers)
                if caller.tenant == number and caller.role is not Role.CUSTOMER
            ))  # fmt: skip
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for place, caller in enumerate(callers):
        own = {revision for revision, (tenant, _) in changes.items() if tenant == caller.tenant}
        if caller.role is Role.CUSTOMER:
            own = {revision for revision, change in changes.items() if change == (caller.tenant, 1)}
        assert heard[place] == own, caller.name


async def _settled(done: Any) -> None:
    for _ in range(500):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a change was not heard by those whose it is")


async def test_a_foreign_cursor_opens_nothing(matrix: Matrix) -> None:
    pages = "{ customers(first: 1) { pageInfo { endCursor } } invoices(first: 1) { pageInfo { endCursor } } }"
    cursors = [
        (caller.tenant, name, page["pageInfo"]["endCursor"])
        for caller in matrix.callers
        if caller.role is Role.ADMIN
        for name, page in (await matrix.ask(caller, pages))[1]["data"].items()
    ]
    assert len(cursors) == 2 * TENANTS
    for caller in matrix.callers:
        for tenant, name, cursor in cursors:
            if tenant != caller.tenant:
                query = f"{{ {name}(first: 5, after: {json.dumps(cursor)}) {{ totalCount nodes {{ stripeId }} }} }}"
                content, body = await matrix.ask(caller, query)
                assert "errors" not in body, body
                assert not [word for word in matrix.secrets(caller) if word in content], caller.name


async def _nothing_foreign_is_read(matrix: Matrix) -> None:
    """Every read of every role, with own ids: it has its own objects, and nothing of another tenant's."""
    for caller in matrix.callers if PASSES > 1 else matrix.callers[:10]:
        types = {type_ for _, type_, _ in matrix.ids}
        own = {type_: global_id(type_, matrix.own(caller, type_)) for type_ in types}
        secrets = matrix.secrets(caller)
        for query in reads(own, 3, role=caller.role):
            content, body = await matrix.ask(caller, query)
            assert "errors" not in body, (caller.name, query, body)
            assert not [word for word in secrets if word in content], (caller.name, query)
        everything = "{ customers(first: 50) { nodes { stripeId } } plans(first: 50) { nodes { nickname } } }"
        _, body = await matrix.ask(caller, everything)
        assert len(body["data"]["plans"]["nodes"]) == len(EACH), (caller.name, body)
        assert len(body["data"]["customers"]["nodes"]) == (1 if caller.role is Role.CUSTOMER else len(EACH)), body


async def test_row_level_security_alone_shows_no_foreign_row(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's own filter taken out of every statement: the database still answers with own rows alone."""
    execute, taken = TenantBoundClient.execute_query_dict, 0

    async def without_filter(self: Any, query: str, values: Any = None, **more: Any) -> Any:
        nonlocal taken
        bare, found = re.subn(r"(\w+\.)?tenant_id = \$1", r"($1::bigint is not null)", query)
        taken += found
        return await execute(self, bare, values, **more)

    monkeypatch.setattr(TenantBoundClient, "execute_query_dict", without_filter)
    await _nothing_foreign_is_read(matrix)
    print(f"without {taken} filters of statements: 0 foreign rows")
    assert taken > 500


async def test_the_applications_own_filter_alone_shows_no_foreign_row(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row-level security taken away: reads go over the system's connection, which sees every tenant."""
    monkeypatch.setattr(RequestContext, "read", property(lambda self: self.database.system))
    await _nothing_foreign_is_read(matrix)


async def test_ten_thousand_interleaved_requests_mix_nothing(matrix: Matrix) -> None:
    """The pool has two connections for all; each request must find its own tenant alone."""
    query = "{ viewer { tenant { slug } } customers(first: 5) { nodes { stripeId } } }"
    chance, wrong = random.Random(5), 0
    tickets = iter(range(INTERLEAVED))

    async def work() -> None:
        nonlocal wrong
        for _ in tickets:
            caller = chance.choice(matrix.callers)
            _, body = await matrix.ask(caller, query)
            slug = f"secret-{caller.tenant}-slug"
            found = {node["stripeId"] for node in body["data"]["customers"]["nodes"]}
            which = EACH if caller.role is not Role.CUSTOMER else (1,)
            own = {matrix.ids[caller.tenant, "Customer", one] for one in which}
            wrong += body["data"]["viewer"]["tenant"]["slug"] != slug or found != own

    await asyncio.gather(*(work() for _ in range(16)))
    assert wrong == 0
    print(f"{INTERLEAVED} interleaved requests of {len(matrix.callers)} callers over two connections: {wrong} mixed")
