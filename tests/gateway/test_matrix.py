"""The isolation matrix: every caller, every operation, every foreign id; nothing of another's, and no way to tell."""

import asyncio
import itertools
import os
import random
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from gateway.runtime import Runtime
from gateway.signatures import Signature, build
from schema import ids
from storage.database import Database
from tenants.context import ROLE_SCOPES, Feature, Role
from tenants.models import Tenant
from tenants.registry import issue_key, issue_platform_key
from tests.support.documents import document, payload, targets
from tests.support.gateway import endpoint_client
from tests.support.tenants import insert_statement, needed_columns, new_tenant

TENANTS = 5
INTERLEAVED = int(os.environ.get("INTERLEAVED", "1500"))
TABLES = {
    "Plan": "prices", "Customer": "customers", "PaymentMethod": "payment_methods", "Subscription": "subscriptions",
    "Invoice": "invoices", "Payment": "payments", "CheckoutSession": "checkout_sessions",
}  # fmt: skip
# Objects of a tenant that its customers share.
SHARED = {"Plan"}


def stripe_id(tenant: int, type_: str, which: int = 1) -> str:
    """Ids of one length, so that answers can be compared to the byte."""
    return f"{type_[:3].lower()}_T{tenant}N{which}xxxx"


def nothing(type_: str, number: int) -> str:
    return f"{type_[:3].lower()}_T{number}N0none"


@dataclass(frozen=True)
class Caller:
    """A token; `tenant` counts from 1."""

    tenant: int
    role: Role
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.role} of tenant {self.tenant}"


@dataclass(frozen=True)
class Matrix:
    """Five tenants with all their objects, and a caller of each role for each."""

    client: httpx.AsyncClient
    runtime: Runtime
    callers: list[Caller]
    tenants: list[Tenant]

    async def ask(self, caller: Caller, query: str, variables: Any = None) -> tuple[bytes, dict[str, Any]]:
        answer = await self.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=dict(caller.headers)
        )
        assert answer.status_code in {200, 400}, (caller, query, answer.text)
        body: dict[str, Any] = answer.json()
        content = re.sub(rb'"(available|actual)":\d+|"requestId":"[^"]+"', b"", answer.content)
        return content, body


async def _fill(opened: Database, tenant: Tenant, number: int) -> None:
    """Two customers of the tenant, each with one object of each type."""
    columns = {table: await needed_columns(opened.system, table) for table in (*TABLES.values(), "products")}
    for which in (1, 2):
        own = {type_: f"'{stripe_id(number, type_, which)}'" for type_ in TABLES}
        word, product = f"'secret-{number}-{which}'", f"'prod_T{number}N{which}'"
        mail, external = f"'mail-{number}-{which}@example.org'", f"'ext-{number}-{which}'"
        of_customer = {"customer_id": own["Customer"]}
        more: dict[str, dict[str, str]] = {
            "products": {"stripe_id": product, "name": word},
            "prices": {"product_id": product, "type": "'recurring'", "active": "true", "nickname": word},
            "customers": {"email": mail, "external_id": external, "name": word},
            "payment_methods": of_customer,
            "subscriptions": of_customer | {"status": "'active'", "latest_invoice_id": own["Invoice"]},
            "invoices": of_customer | {"subscription_id": own["Subscription"], "status": "'open'", "number": word},
            "payments": of_customer | {"status": "'succeeded'"},
            "checkout_sessions": of_customer | {"subscription_id": own["Subscription"], "url": word},
        }  # fmt: skip
        for type_, table in [*TABLES.items(), ("", "products")]:
            given = columns[table] | {"livemode": "false", "source": "'api'", "currency": "'usd'"} | more[table]
            if type_:
                given["stripe_id"] = own[type_]
            known = await opened.system.execute_query_dict(
                "select column_name as name from information_schema.columns where table_name = $1", [table]
            )
            names = {row["name"] for row in known}
            given = {name: value for name, value in given.items() if name in names}
            await opened.system.execute_query(insert_statement(table, tenant.id, given))


@pytest.fixture
async def matrix(opened: Database) -> AsyncIterator[Matrix]:
    tenants = []
    callers: list[Caller] = []
    async with endpoint_client(opened) as (client, runtime):
        platform = await issue_platform_key(opened, name="platform", livemode=False)
        for number in range(1, TENANTS + 1):
            tenant = await new_tenant(
                opened, f"tenant-{number}", features=[each.value for each in Feature], name=f"secret-name-{number}"
            )
            tenants.append(tenant)
            await _fill(opened, tenant, number)
            for role in (Role.PARTNER, Role.ADMIN, Role.SUPPORT):
                key = await issue_key(opened, tenant, role=role, name="key")
                callers.append(Caller(number, role, {"authorization": f"Bearer {key}"}))
            session = runtime.sessions.mint(
                tenant=tenant.slug, customer=stripe_id(number, "Customer"), livemode=False, now=datetime.now(UTC),
                lifetime=timedelta(hours=1),
            )  # fmt: skip
            callers.append(Caller(number, Role.CUSTOMER, {"authorization": f"Bearer {session}"}))
            acting = {"authorization": f"Bearer {platform}", "billing-tenant": tenant.slug}
            callers.append(Caller(number, Role.PLATFORM, acting))
        yield Matrix(client, runtime, callers, tenants)


def _global(type_: str, text: str) -> str:
    return str(ids.encode(type_, text))


@dataclass(frozen=True)
class Question:
    """A read by one value, as a role's schema has it; `form` makes the value from a type's Stripe id."""

    name: str
    type: str
    query: Any
    form: Any


def questions(role: Role) -> Iterator[Question]:
    """Every argument and every filter of the role's schema that takes an id or a word; new ones join by themselves."""
    schema = build(Signature(role, ROLE_SCOPES[role], frozenset(Feature))).core
    assert schema.query_type is not None
    for root, field in schema.query_type.fields.items():
        for target in targets(field) if {"id", "ids", "filter"} & set(field.args) else []:
            for argument in sorted({"id", "ids"} & set(field.args)):
                forms: dict[str, Any] = {"global id": partial(_global, target.name)}
                if root not in {"node", "nodes"}:
                    forms["Stripe's id"] = str
                for form, make in forms.items():

                    def by_id(value: str, root: str = root, target: Any = target, argument: str = argument) -> str:
                        return document(root, target, {argument: value if argument == "id" else [value]}, 2)

                    yield Question(f"{root}({argument}) by {form}: {target.name}", target.name, by_id, make)
        if "filter" in field.args:
            yield from _filters(root, field)


def _filters(root: str, field: Any) -> Iterator[Question]:
    (target,) = targets(field)
    taken = get_named_type(field.args["filter"].type)
    assert isinstance(taken, GraphQLInputObjectType)
    words = {"email": "mail-{0}-{1}@example.org", "externalId": "ext-{0}-{1}"}
    for name, given in taken.fields.items():

        def filtered(value: str, name: str = name, target: GraphQLObjectType = target) -> str:
            return document(root, target, {"first": 5, "filter": {name: value}}, 2)

        if get_named_type(given.type).name == "ID":
            yield Question(f"{root} of {name}", name[0].upper() + name[1:], filtered, lambda text: text)
        elif name in words:

            def word(text: str, pattern: str = words[name]) -> str:
                return pattern.format(*re.findall(r"_T(\d)N(\d)", text)[0])

            yield Question(f"{root} by {name}", "Customer", filtered, word)


def _empty(data: Any) -> bool:
    if isinstance(data, dict):
        return all(_empty(value) for name, value in data.items() if name != "__typename")
    return data in (None, 0, False) or (isinstance(data, list) and all(_empty(one) for one in data))


def _foreign(caller: Caller, type_: str) -> list[tuple[int, int]]:
    """(tenant, which) of every object of a type that the caller must not see."""
    found = [(number, which) for number in range(1, TENANTS + 1) if number != caller.tenant for which in (1, 2)]
    if caller.role is Role.CUSTOMER and type_ not in SHARED:
        found.append((caller.tenant, 2))
    return found


def _secrets(caller: Caller) -> list[bytes]:
    """Words that stand on foreign objects alone."""
    words = []
    for number in range(1, TENANTS + 1):
        if number != caller.tenant:
            words += [
                f"secret-{number}-",
                f"secret-name-{number}",
                f"mail-{number}-",
                f"ext-{number}-",
                f"tenant-{number}",
            ]
    if caller.role is Role.CUSTOMER:
        words += [f"mail-{caller.tenant}-2", f"ext-{caller.tenant}-2"]
    return [word.encode() for word in words]


async def test_every_read_of_every_foreign_id_is_answered_like_nothing(matrix: Matrix) -> None:
    cells = answered = foreign = 0
    asked = {role: list(questions(role)) for role in Role}
    for caller in matrix.callers:
        secrets = _secrets(caller)
        for question in asked[caller.role]:
            own = question.form(stripe_id(caller.tenant, question.type))
            content, body = await matrix.ask(caller, question.query(own))
            assert "errors" not in body, (caller.name, question.name, body)
            cells += 1
            answered += not _empty(body["data"])
            assert not [word for word in secrets if word in content], (caller.name, question.name)
            # one foreign id of each tenant for each question; which of the two is the chance's
            others = _foreign(caller, question.type)
            for number, which in {number: (number, which) for number, which in others}.values():
                value = question.form(stripe_id(number, question.type, which))
                found, told = await matrix.ask(caller, question.query(value))
                missing = question.form(nothing(question.type, number))
                assert _empty(told["data"]), (caller.name, question.name, told)
                assert found == (await matrix.ask(caller, question.query(missing)))[0], (caller.name, question.name)
                assert not [word for word in secrets if word in found], (caller.name, question.name)
                foreign += 1
    share = answered / cells
    print(f"matrix: {cells} own cells, {share:.1%} answered with data; {foreign} foreign ones, 0 with any")
    assert share >= 0.95


def _mutations(role: Role) -> Iterator[tuple[str, str, str, GraphQLInputObjectType]]:
    schema = build(Signature(role, ROLE_SCOPES[role], frozenset(Feature))).core
    if schema.mutation_type is None:
        return
    for mutation, field in schema.mutation_type.fields.items():
        taken = get_named_type(field.args["input"].type)
        assert isinstance(taken, GraphQLInputObjectType)
        told = payload(get_named_type(field.type))
        query = f"mutation($input: {taken.name}!) {{ made: {mutation}(input: $input) {told} }}"
        for name, given in taken.fields.items():
            if get_named_type(given.type).name == "ID":
                yield mutation, query, name, taken


_VALUES = {"successUrl": "https://e.org/s", "returnUrl": "https://e.org/r", "lifetimeSeconds": 60, "quantity": 2}


def _input(taken: GraphQLInputObjectType, tenant: int, key: str) -> dict[str, Any]:
    """An input of the caller's own objects."""
    found: dict[str, Any] = {}
    for name, given in taken.fields.items():
        if get_named_type(given.type).name == "ID":
            found[name] = stripe_id(tenant, name[0].upper() + name[1:])
        elif name == "idempotencyKey":
            found[name] = key
        elif name in _VALUES:
            found[name] = _VALUES[name]
    return found


async def test_every_mutation_of_every_foreign_id_is_refused_like_one_of_nothing(matrix: Matrix) -> None:
    passed = cells = 0
    numbers = itertools.count()
    every = [(caller, *each) for caller in matrix.callers for each in _mutations(caller.role)]
    # what ends sessions comes last: it really does
    for caller, mutation, query, name, taken in sorted(every, key=lambda each: each[1] == "customerSessionsEnd"):
        case = f"{mutation} with {name} by {caller.name}"
        type_ = name[0].upper() + name[1:]
        _, body = await matrix.ask(caller, query, {"input": _input(taken, caller.tenant, f"own-{next(numbers)}")})
        refused = [error["code"] for error in body["data"]["made"]["errors"]]
        # nobody is at Stripe's address: what is let through fails there, or is done without Stripe
        assert "NOT_FOUND" not in refused, (case, body)
        passed += 1
        for number, which in _foreign(caller, type_):
            given = _input(taken, caller.tenant, f"k{next(numbers):06}")
            found, told = await matrix.ask(caller, query, {"input": given | {name: stripe_id(number, type_, which)}})
            assert [(e["code"], e["field"]) for e in told["data"]["made"]["errors"]] == [("NOT_FOUND", name)], case
            other = await matrix.ask(caller, query, {"input": given | {name: nothing(type_, number)}})
            assert found == other[0], case
            cells += 1
    rows = await matrix.runtime.database.system.execute_query_dict("select count(*) as n from operations")
    print(
        f"matrix: {passed} mutations let through with own ids; {cells} with foreign ones refused; {rows[0]['n']} begun"
    )


async def test_row_level_security_alone_shows_no_foreign_row(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's own filter taken out of every statement: the database still answers with own rows alone."""
    from storage import tenant_client

    execute = tenant_client.TenantBoundClient.execute_query_dict

    async def without_filter(self: Any, query: str, values: Any = None, **more: Any) -> Any:
        bare = re.sub(r"(\w+\.)?tenant_id = \$1", r"($1::bigint is not null)", query)
        return await execute(self, bare, values, **more)

    monkeypatch.setattr(tenant_client.TenantBoundClient, "execute_query_dict", without_filter)
    everything = """{ customers(first: 50) { nodes { email name } } invoices(first: 50) { nodes { number } }
        subscriptions(first: 50) { nodes { id } } plans(first: 50) { nodes { nickname } } }"""
    for caller in matrix.callers:
        if caller.role in {Role.PARTNER, Role.ADMIN}:
            content, body = await matrix.ask(caller, everything)
            assert len(body["data"]["customers"]["nodes"]) == 2, body
            assert not [word for word in _secrets(caller) if word in content]


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
            slug = f"tenant-{caller.tenant}"
            found = {node["stripeId"] for node in body["data"]["customers"]["nodes"]}
            own = {stripe_id(caller.tenant, "Customer", which) for which in (1, 2)}
            right = {stripe_id(caller.tenant, "Customer")} if caller.role is Role.CUSTOMER else own
            wrong += body["data"]["viewer"]["tenant"]["slug"] != slug or found != right

    await asyncio.gather(*(work() for _ in range(16)))
    assert wrong == 0
    print(f"{INTERLEAVED} interleaved requests of {len(matrix.callers)} callers over two connections: {wrong} mixed")
