"""What operations cost: the bound holds, the count is the executor's own work, buckets refuse and refill."""

import os
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, parse
from graphql.execution import Executor
from redis.asyncio import Redis

from gateway.cost import Bound, objects_in
from gateway.runtime import Runtime
from gateway.settings import Settings
from storage.buckets import MemoryStore, Rate, RedisStore
from storage.database import Database
from tenants.context import Role
from tenants.registry import issue_key
from tests.support.documents import SCHEMA
from tests.support.gateway import endpoint_client
from tests.support.redis_server import redis_running
from tests.support.tenants import Two

DOCUMENTS = int(os.environ.get("COST_DOCUMENTS", "150"))
PEOPLE = 12


@pytest.fixture
async def pair(opened: Database, two: Two) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """An admin of a clinic with customers, subscriptions and invoices."""
    common = "tenant_id, livemode, stripe_id, stamp, source, created, digest, data"
    values = "t.id, false, {}, now(), 'api', date_trunc('second', now()) - n * interval '1 hour', '\\x00', '{{}}'"
    fill = {
        "customers": ("balance", "0", "'cus_' || n"),
        "subscriptions": (
            "customer_id, status, currency, cancel_at_period_end, collection_method",
            "'cus_' || n % 5, 'active', 'usd', false, 'charge_automatically'",
            "'sub_' || n",
        ),
    }
    for table, (columns, given, name) in fill.items():
        await opened.system.execute_query(
            f"insert into {table} ({common}, {columns}) select {values.format(name)}, {given}"
            f" from tenants t, generate_series(1, {PEOPLE}) n where t.slug = 'clinic'"
        )
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="key")
    async with endpoint_client(opened) as found:
        found[0].headers["authorization"] = f"Bearer {key}"
        yield found


class Walk:
    """Random documents over the schema's reads."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def document(self) -> str:
        assert SCHEMA.query_type is not None
        roots = [name for name in SCHEMA.query_type.fields if name not in {"node", "nodes"} and "ById" not in name]
        chosen = self.chance.sample(roots, self.chance.randrange(1, 4))
        parts = [self.field(name, SCHEMA.query_type, 3) for name in chosen]
        return "{ " + " ".join(parts) + " }"

    def field(self, name: str, parent: GraphQLObjectType, depth: int) -> str:
        field = parent.fields[name]
        inner = get_named_type(field.type)
        alias = f"a{self.chance.randrange(10**6)}: " if self.chance.random() < 0.3 else ""
        given = ""
        if "first" in field.args:
            given = f"({self.chance.choice(('first', 'last'))}: {self.chance.randrange(1, 7)})"
        elif "id" in field.args:
            given = f'(id: "{self.chance.choice(("cus_1", "sub_2", "none"))}")'
        if is_leaf_type(inner):
            return f"{alias}{name}{given}"
        assert isinstance(inner, GraphQLObjectType)
        return f"{alias}{name}{given} {self.selection(inner, depth - 1)}"

    def selection(self, type_: GraphQLObjectType, depth: int) -> str:
        names = [name for name, each in type_.fields.items() if depth > 0 or is_leaf_type(get_named_type(each.type))]
        chosen = self.chance.sample(names, min(len(names), self.chance.randrange(1, 5)))
        parts = [self.field(name, type_, depth) for name in chosen]
        return "{ __typename " + " ".join(parts) + " }"


async def test_the_cost_of_random_documents_is_the_executors_work_and_within_its_bound(
    pair: tuple[httpx.AsyncClient, Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = 0
    real = Executor.complete_object_value

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal counted
        counted += 1
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Executor, "complete_object_value", counting)
    walk, worked, bounds = Walk(3), 0, 0
    for _ in range(DOCUMENTS):
        query = walk.document()
        counted = 0
        answer = await pair[0].post("/graphql", json={"query": query})
        body = answer.json()
        assert answer.status_code == 200, (query, body)
        if "errors" in body:
            continue
        cost = body["extensions"]["cost"]
        assert cost["actual"] == max(1, counted) == max(1, objects_in(body["data"])), query
        assert cost["actual"] <= cost["requested"], query
        worked, bounds = worked + counted, bounds + cost["requested"]
    assert worked > DOCUMENTS
    print(f"{DOCUMENTS} documents: cost {worked} = counted work; the bounds were {bounds}")


def _bound(query: str, **variables: Any) -> int:
    document = parse(query)
    return Bound(SCHEMA, document, variables).of(document.definitions[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("{ __typename }", 1),
        ("{ viewer { role tenant { slug } } }", 2),
        ("{ customers(first: 5) { nodes { id } } }", 6),
        ("{ customers(first: 5) { edges { node { id } } pageInfo { hasNextPage } } }", 12),
        ("{ customers(last: 2) { nodes { subscriptions(first: 3) { nodes { id } } } } }", 1 + 2 * (1 + 1 + 3)),
        ("{ customers { nodes { id } } }", 101),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 3),
        ("{ a: viewer { role } b: viewer { role } }", 2),
        ("{ ...F ...F } fragment F on Query { viewer { role } }", 2),
        ("mutation { customerSessionsEnd(input: {}) { endedAt errors { code } } }", 1 + 10 + 10),
        ("{ __schema { types { name } } }", 20),
        ("{ nothing { at { all } } }", 1),
    ],
)
def test_the_bound_is_what_the_document_says(query: str, points: int) -> None:
    assert _bound(query) == points


def test_a_page_size_may_be_a_variable() -> None:
    query = "query($n: Int, $ids: [ID!]!) { customers(first: $n) { nodes { id } } nodes(ids: $ids) { id } }"
    assert _bound(query, n=7, ids=["a", "b"]) == 1 + 7 + 2
    assert _bound(query, n="many", ids=7) == 1 + 100 + 1


async def _ask(client: httpx.AsyncClient, query: str) -> httpx.Response:
    return await client.post("/graphql", json={"query": query})


async def test_what_was_not_used_is_given_back(pair: tuple[httpx.AsyncClient, Runtime]) -> None:
    first = (await _ask(pair[0], "{ customers(first: 100) { nodes { id } } }")).json()["extensions"]["cost"]
    assert (first["requested"], first["actual"]) == (101, 1 + PEOPLE)
    assert first["throttle"]["limit"] == 50_000
    assert first["throttle"]["available"] >= 50_000 - 1 - PEOPLE - 1


async def test_an_empty_bucket_is_a_429_and_nothing_runs(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, two: Two
) -> None:
    client, runtime = pair
    small = {"graphql_token_points": 150, "graphql_token_restore": 0.001}
    object.__setattr__(runtime, "settings", runtime.settings.model_copy(update=small))
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="another")
    async with endpoint_client(opened, settings=runtime.settings) as (limited, _):
        limited.headers["authorization"] = f"Bearer {key}"
        for _ in range(11):
            assert (await _ask(limited, "{ customers(first: 12) { nodes { id } } }")).status_code == 200
        refused = await _ask(limited, "{ customers(first: 12) { nodes { id } } }")
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (429, "THROTTLED")
        assert int(refused.headers["retry-after"]) > 0
        assert "data" not in refused.json()
        too_much = await _ask(limited, "{ customers(first: 100) { nodes { invoices(first: 100) { nodes { id } } } } }")
        assert (too_much.status_code, too_much.json()["errors"][0]["extensions"]["code"]) == (400, "QUERY_TOO_COSTLY")
    assert (await _ask(client, "{ viewer { role } }")).status_code == 200


async def test_a_bucket_of_memory_refills_with_time() -> None:
    now = [0.0]
    store = MemoryStore(kept=2, clock=lambda: now[0])
    rate = Rate(10, 2)
    assert (await store.take("a", rate, 8)).available == 2
    assert not (await store.take("a", rate, 3)).granted
    now[0] = 1.0
    assert (await store.take("a", rate, 3)).granted
    assert (await store.take("a", rate, -100)).available == 10
    for key in "bcd":
        await store.take(key, rate, 10)
    assert (await store.take("a", rate, 10)).granted  # forgotten, and so full


async def test_a_bucket_of_redis_is_everybodys_and_memory_is_there_while_redis_is_not() -> None:
    away: list[str] = []
    async with redis_running() as url:
        one, other = (Redis.from_url(url) for _ in range(2))
        first, second = (RedisStore(client, away.append) for client in (one, other))
        rate = Rate(10, 0.001)
        assert (await first.take("a", rate, 6)).granted
        level = await second.take("a", rate, 6)
        assert not level.granted
        assert 4 <= level.available < 4.1
        assert (await second.take("a", rate, -6)).granted
        assert (await first.take("a", rate, 9)).granted
        await other.aclose()
    assert away == []
    assert (await first.take("a", rate, 10)).granted
    assert away == ["ConnectionError"]
    await one.aclose()


_PAGE = """query($first: Int, $last: Int, $after: String, $before: String, $order: Order!) {
  customers(first: $first, last: $last, after: $after, before: $before, order: $order) {
    edges { cursor node { stripeId } } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }"""


@pytest.mark.parametrize("order", ["NEWEST_FIRST", "OLDEST_FIRST"])
async def test_a_list_is_walked_in_either_order_and_in_both_directions(
    pair: tuple[httpx.AsyncClient, Runtime], order: str
) -> None:
    names = [f"cus_{number}" for number in range(1, PEOPLE + 1)]  # the first is the newest
    wanted = names if order == "NEWEST_FIRST" else names[::-1]

    async def walk(size: str, cursor: str, end: str, more: str) -> list[list[str]]:
        pages: list[list[str]] = []
        given: dict[str, Any] = {size: 5, "order": order}
        while True:
            answer = await pair[0].post("/graphql", json={"query": _PAGE, "variables": given})
            found = answer.json()["data"]["customers"]
            pages.append([edge["node"]["stripeId"] for edge in found["edges"]])
            if not found["pageInfo"][more]:
                return pages
            given[cursor] = found["pageInfo"][end]

    onward = await walk("first", "after", "endCursor", "hasNextPage")
    assert [name for page in onward for name in page] == wanted
    back = await walk("last", "before", "startCursor", "hasPreviousPage")
    assert [name for page in reversed(back) for name in page] == wanted


def test_objects_are_counted_in_any_json() -> None:
    assert objects_in(None) == 0
    assert objects_in({}) == 0
    assert objects_in({"a": {"b": [{}, {"c": {}}, 1, None]}}) == 4
    assert objects_in(orjson.loads("[" * 500 + "]" * 500)) == 0


async def test_reading_a_new_document_is_paid_for_whatever_it_holds(opened: Database, two: Two) -> None:
    settings = Settings(graphql_token_points=1_000, graphql_token_restore=0.001)
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="key")
    async with endpoint_client(opened, settings=settings) as (client, _):
        client.headers["authorization"] = f"Bearer {key}"
        good = {"query": "{ viewer { role } }" + " " * 20_000}
        first = (await client.post("/graphql", json=good)).json()["extensions"]["cost"]["throttle"]
        again = (await client.post("/graphql", json=good)).json()["extensions"]["cost"]["throttle"]
        spent = [1_000 - first["available"], first["available"] - again["available"]]
        assert spent[0] - spent[1] == len(good["query"]) // 100  # once, not each time
        bad = {"query": "{ nothing }" + " " * 60_000}
        answers = [await client.post("/graphql", json={"query": f"{bad['query']}#{n}"}) for n in range(2)]
        codes = [answer.json()["errors"][0]["extensions"]["code"] for answer in answers]
        assert codes == ["GRAPHQL_VALIDATION_FAILED", "THROTTLED"]
        assert int(answers[1].headers["retry-after"]) > 0


async def test_a_batch_that_is_throttled_says_when_to_come_again(opened: Database, two: Two) -> None:
    settings = Settings(graphql_token_points=10, graphql_token_restore=0.01)
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="key")
    async with endpoint_client(opened, settings=settings) as (client, _):
        batch = [{"query": f"{{ customers(first: {size}) {{ nodes {{ id }} }} }}"} for size in (8, 9)]
        answer = await client.post("/graphql", json=batch, headers={"authorization": f"Bearer {key}"})
        codes = [one["errors"][0]["extensions"]["code"] for one in answer.json() if "errors" in one]
        assert set(codes) == {"THROTTLED"}
        assert int(answer.headers["retry-after"]) >= 1
