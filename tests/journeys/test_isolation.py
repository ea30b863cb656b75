"""Nobody sees what is another's: a foreign id is answered to the byte like one that names nothing."""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from graphql import GraphQLInputObjectType, get_named_type

from schema import ids
from tenants.context import Role
from tests.support.demo import Demo
from tests.support.documents import SCHEMA, document, payload, reads, roots, targets
from tests.support.owner import Owner, customer_token, new_owner
from tests.support.quiet import worker_held

pytestmark = pytest.mark.slow

OWN = (
    "{ customers(first: 1) { nodes { id } } plans(first: 1) { nodes { id } } subscriptions(first: 1) { nodes { id } }"
    " invoices(first: 1) { nodes { id } } }"
)
SIBLING = "query($email: String!) { customers(first: 1, filter: {email: $email}) { nodes { id } } }"
ALL = """{ plans(first: 100) { nodes { id stripeId } } customers(first: 100) { nodes { id stripeId
  paymentMethods(first: 5) { nodes { id stripeId } } } }
  subscriptions(first: 100) { nodes { id stripeId items { stripeId } } }
  invoices(first: 100) { nodes { id stripeId lines { stripeId } payments { id stripeId } } } }"""
# What a customer's own token may never do, whoever is named.
PARTNERS_ONLY = {"customerTokenCreate", "subscriptionCreate"}
KEYLESS = {"customerTokenCreate", "customerSessionsEnd", "subscriptionChangePreview", "invoicePreview"}
KEYLESS |= {"invoiceConfirmationCreate"}
ADMINS_ONLY = {"customerSessionsEnd"}


@dataclass(frozen=True)
class Stranger:
    """A token that must see nothing of the owner's. A `sibling` is of the same tenant and shares its plans."""

    name: str
    token: str
    customer: bool = False
    sibling: bool = False

    @property
    def role(self) -> Role:
        return Role.CUSTOMER if self.customer else Role(self.name.rpartition(" ")[2])


@dataclass(frozen=True)
class Question:
    """A read by one value; `missing` has the same form and names nothing. `node` takes no ids of Stripe's."""

    name: str
    type: str
    ask: Callable[[str], str]
    value: str
    missing: str
    answers: bool = True


class Client:
    """Sends documents and keeps the bytes of the answers, without the request's own id."""

    def __init__(self, demo: Demo, token: str, http: httpx.Client) -> None:
        self.url, self.http = demo.told["graphql"], http
        self.headers = {"Authorization": f"Bearer {token}"}

    def send(self, query: str, variables: Mapping[str, Any] | None = None) -> tuple[bytes, dict[str, Any]]:
        answer = self.http.post(self.url, json={"query": query, "variables": variables}, headers=self.headers)
        body = answer.json()
        assert answer.status_code == 200, body
        data: dict[str, Any] = body["data"]
        assert "errors" not in body, body
        return self._without_itself(answer, body), data

    def refused(self, query: str, variables: Mapping[str, Any]) -> tuple[bytes, set[str]]:
        """The answer to a mutation that this caller's schema does not have, and its codes."""
        answer = self.http.post(self.url, json={"query": query, "variables": variables}, headers=self.headers)
        body = answer.json()
        assert "data" not in body, body
        return self._without_itself(answer, body), {error["extensions"]["code"] for error in body["errors"]}

    @staticmethod
    def _without_itself(answer: httpx.Response, body: dict[str, Any]) -> bytes:
        """The bytes without what is the request's own: its id, and what is left in the bucket."""
        content = answer.content.replace(body["extensions"]["requestId"].encode(), b"")
        return re.sub(rb'"available":\d+', b"", content)


def missing(stripe_id: str) -> str:
    """An id of the same form and length that names nothing."""
    kind, _, tail = stripe_id.rpartition("_")
    return f"{kind}_{codecs.encode(tail, 'rot13')}"


def forms(owner: Owner, type_: str) -> Iterator[tuple[str, str, str]]:
    """Both ways to name an object, each with one that names nothing."""
    stripe_id = owner.stripe_id(type_)
    yield "id", owner.ids[type_], ids.encode(type_, missing(stripe_id))
    yield "Stripe's id", stripe_id, missing(stripe_id)


def questions(owner: Owner) -> Iterator[Question]:
    """Every argument and every filter of the schema that takes an id or a word of the customer's."""
    for root, field in roots().items():
        for target in targets(field):
            for name in {"id", "ids"} & set(field.args):
                for form, value, other in forms(owner, target.name):

                    def by_id(one: str, root: str = root, target: Any = target, name: str = name) -> str:
                        return document(root, target, {name: one if name == "id" else [one]}, 2)

                    answers = form == "id" or root not in {"node", "nodes"}
                    yield Question(f"{root} by {form}: {target.name}", target.name, by_id, value, other, answers)
        if "filter" in field.args:
            yield from filters(owner, root)


def filters(owner: Owner, root: str) -> Iterator[Question]:
    field = roots()[root]
    (target,) = targets(field)
    taken = get_named_type(field.args["filter"].type)
    assert isinstance(taken, GraphQLInputObjectType)
    for name, given in taken.fields.items():

        def filtered(one: str, name: str = name) -> str:
            return document(root, target, {"first": 5, "filter": {name: one}}, 2)

        kind = get_named_type(given.type).name
        if kind == "ID":
            type_ = name[0].upper() + name[1:]
            for form, value, other in forms(owner, type_):
                yield Question(f"{root} of {name} by {form}", type_, filtered, value, other)
        elif kind == "String" and name in owner.words:  # the matrix knows of those that name no customer
            value = owner.words[name]
            yield Question(f"{root} by {name}", "Customer", filtered, value, codecs.encode(value, "rot13"))


def is_empty(data: Any) -> bool:
    """Whether an answer says nothing but that there is nothing."""
    if isinstance(data, dict):
        return all(is_empty(value) for name, value in data.items() if name != "__typename")
    return data in (None, 0, False) or (isinstance(data, list) and all(is_empty(one) for one in data))


@pytest.fixture(scope="module")
def owner(demo: Demo) -> Owner:
    return new_owner(demo)


@pytest.fixture(scope="module")
def strangers(demo: Demo) -> list[Stranger]:
    found = []
    for number in (1, 2):
        tenant = demo.tenant(number)
        found += [
            Stranger(f"{tenant['slug']}'s admin", tenant["admin_key"]),
            Stranger(f"{tenant['slug']}'s partner", tenant["partner_key"]),
            Stranger(f"{tenant['slug']}'s customer", tenant["customer_token"], customer=True),
        ]
    seen = demo.ask(demo.tenant()["partner_key"], SIBLING, {"email": "grace@customers.example"})
    token = customer_token(demo, seen["customers"]["nodes"][0]["id"])
    return [*found, Stranger("another customer of the same tenant", token, customer=True, sibling=True)]


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


def leaks_of(found: bytes, secrets: set[str]) -> set[str]:
    text = found.decode()
    return {secret for secret in secrets if secret in text}


def names_of(data: Any) -> set[str]:
    """Every id in an answer."""
    if isinstance(data, list):
        return set().union(*(names_of(one) for one in data))
    if not isinstance(data, dict):
        return set()
    own = {str(data[name]) for name in ("id", "stripeId") if name in data}
    return own.union(*(names_of(value) for value in data.values()))


def secrets_before(demo: Demo, owner: Owner, stranger: Stranger) -> set[str]:
    """Strings that a stranger must never be sent: the owner's; for another tenant, all of the tenant's."""
    kinds = set(owner.ids) - ({"Plan"} if stranger.sibling else set())
    own = {owner.ids[kind] for kind in kinds} | {owner.stripe_id(kind) for kind in kinds} | set(owner.words.values())
    if stranger.sibling:
        return own
    tenant = demo.tenant()
    everything = names_of(demo.ask(tenant["partner_key"], ALL))
    assert len(everything) > 50
    return own | everything | {tenant["slug"], tenant["name"], tenant["account"]}


def test_a_foreign_id_is_answered_like_one_that_names_nothing(
    demo: Demo, owner: Owner, strangers: list[Stranger], http: httpx.Client
) -> None:
    asked = list(questions(owner))
    with worker_held(demo):
        before = demo.stripe_requests()
        for stranger in strangers:
            client, secrets = Client(demo, stranger.token, http), secrets_before(demo, owner, stranger)
            for question in asked:
                if stranger.sibling and question.type == "Plan":
                    continue
                case = f"{question.name}, asked by {stranger.name}"
                found, data = client.send(question.ask(question.value))
                assert is_empty(data), case
                assert found == client.send(question.ask(question.missing))[0], case
                assert leaks_of(found, secrets) == set(), case
        assert demo.stripe_requests() == before
    print(f"{len(asked)} questions by {len(strangers)} strangers")


def test_the_owner_is_answered_each_of_these_questions(demo: Demo, owner: Owner, http: httpx.Client) -> None:
    for token in (owner.token, demo.tenant()["partner_key"], demo.tenant()["admin_key"]):
        client = Client(demo, token, http)
        for question in questions(owner):
            found, data = client.send(question.ask(question.value))
            assert is_empty(data) is not question.answers, question.name
            assert (found != client.send(question.ask(question.missing))[0]) is question.answers, question.name


def test_no_list_shows_anything_of_others(
    demo: Demo, owner: Owner, strangers: list[Stranger], http: httpx.Client
) -> None:
    for stranger in strangers:
        client, secrets = Client(demo, stranger.token, http), secrets_before(demo, owner, stranger)
        for query in (ALL, *reads(owner.ids, depth=3, role=stranger.role)):
            if stranger.sibling and "... on Plan" in query:
                continue
            assert leaks_of(client.send(query)[0], secrets) == set(), (stranger.name, query)
    found, _ = Client(demo, owner.token, http).send(ALL)
    assert leaks_of(found, set(owner.ids.values())) == set(owner.ids.values()) - {owner.ids["CheckoutSession"]}


def inputs(own: Mapping[str, str], key: str) -> dict[str, dict[str, Any]]:
    """For each mutation that takes an id an input of the stranger's own, under the owner's key."""
    back = "https://example.com/back"
    found: dict[str, dict[str, Any]] = {
        "customerUpdate": {"customer": own["customer"], "name": "Taken"},
        "customerTokenCreate": {"customer": own["customer"]},
        "subscriptionCreate": {"customer": own["customer"], "plan": own["plan"]},
        "subscriptionChange": {"subscription": own["subscription"], "quantity": 2},
        "subscriptionCancel": {"subscription": own["subscription"]},
        "checkoutSessionCreate": {"customer": own["customer"], "plan": own["plan"], "successUrl": back},
        "subscriptionUncancel": {"subscription": own["subscription"]},
        "invoicePay": {"invoice": own["invoice"]},
        "invoiceConfirmationCreate": {"invoice": own["invoice"]},
        "paymentMethodDetach": {},
        "portalSessionCreate": {"customer": own["customer"], "returnUrl": back},
        "setupIntentCreate": {"customer": own["customer"]},
        "customerSessionsEnd": {"customer": own["customer"]},
        "subscriptionChangePreview": {"subscription": own["subscription"], "quantity": 2},
        "invoicePreview": {"subscription": own["subscription"]},
    }
    for mutation, given in found.items():
        if mutation not in KEYLESS:
            given["idempotencyKey"] = key
    return found


def mutations_by_id() -> Iterator[tuple[str, str, str]]:
    """Every mutation with each field of its input that takes an id: (mutation, document, field)."""
    assert SCHEMA.mutation_type is not None
    for mutation, field in SCHEMA.mutation_type.fields.items():
        taken = get_named_type(field.args["input"].type)
        assert isinstance(taken, GraphQLInputObjectType)
        asked = payload(get_named_type(field.type))
        query = f"mutation($input: {taken.name}!) {{ made: {mutation}(input: $input) {asked} }}"
        for name, given in taken.fields.items():
            if get_named_type(given.type).name == "ID":
                yield mutation, query, name


def test_a_mutation_of_what_is_anothers_is_refused_like_one_of_nothing(
    demo: Demo, owner: Owner, strangers: list[Stranger], http: httpx.Client
) -> None:
    sent = 0
    with worker_held(demo):
        before = demo.stripe_requests()
        for stranger in strangers:
            client, secrets = Client(demo, stranger.token, http), secrets_before(demo, owner, stranger)
            _, seen = client.send(OWN)
            own = {name[:-1]: found["nodes"][0]["id"] for name, found in seen.items()}
            for mutation, query, name in mutations_by_id():
                type_ = "PaymentMethod" if name == "defaultPaymentMethod" else name[0].upper() + name[1:]
                if stranger.sibling and type_ == "Plan":
                    continue
                refused = (stranger.customer and mutation in PARTNERS_ONLY) or (
                    mutation in ADMINS_ONLY and not stranger.name.endswith("admin")
                )
                wanted = ("NOT_FOUND", name)
                for form, value, other in forms(owner, type_):
                    case = f"{mutation} with {name} by {form}, asked by {stranger.name}"
                    base = inputs(own, owner.idempotency_key)[mutation]
                    if refused:
                        found, codes = client.refused(query, {"input": base | {name: value}})
                        assert codes == {"GRAPHQL_VALIDATION_FAILED"}, case
                        assert found == client.refused(query, {"input": base | {name: other}})[0], case
                        sent += 1
                        continue
                    found, data = client.send(query, {"input": base | {name: value}})
                    made = data["made"]
                    assert [(error["code"], error["field"]) for error in made.pop("errors")] == [wanted], case
                    assert set(made.values()) == {None}, case
                    assert found == client.send(query, {"input": base | {name: other}})[0], case
                    assert leaks_of(found, secrets) == set(), case
                    sent += 1
        assert demo.stripe_requests() == before
    print(f"{sent} mutations by {len(strangers)} strangers")
