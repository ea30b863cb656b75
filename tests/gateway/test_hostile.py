"""Hostile documents and random bytes: refused or answered, soon, in little memory, telling nothing of the inside."""

import os
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from graphql import get_introspection_query

from gateway.runtime import Runtime
from storage.database import Database
from tenants.context import Role
from tenants.registry import issue_key, issue_platform_key
from tests.support.documents import SCHEMA, reads
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

INPUTS = int(os.environ.get("FUZZ_INPUTS", "1500"))
MOST_MEMORY = 50 * 1024 * 1024
# Words that only our inside has.
INSIDE = (
    "Traceback",
    "asyncpg",
    "tortoise",
    "strawberry",
    "storage/",
    "gateway/",
    "SELECT",
    "select ",
    "NoneType",
    "0x7f",
)


@pytest.fixture
async def pair(opened: Database, two: Two) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime, dict[Role, str]]]:
    keys = {
        role: await issue_key(opened, two.clinic, role=role, name="key")
        for role in (Role.PARTNER, Role.ADMIN, Role.SUPPORT)
    }
    async with endpoint_client(opened) as (client, runtime):
        # what is measured here is the work, not the bucket
        yield client, runtime, keys


def _fragments(count: int, each: Callable[[int], str]) -> str:
    return " ".join(f"fragment F{number} on Query {{ {each(number)} }}" for number in range(count))


def hostile() -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents up to 64 KB that were made to hurt."""
    leaf = "viewer { role }"
    size = 60_000
    yield "a cycle", {"query": "{ ...F0 } " + _fragments(50, lambda n: f"...F{(n + 1) % 50}")}
    yield (
        "doubling",
        {
            "query": "{ ...F0 } "
            + _fragments(50, lambda n: f"...F{n + 1} ...F{n + 1}")
            + f" fragment F50 on Query {{ {leaf} }}"
        },
    )
    yield (
        "a wide fan",
        {"query": "{ ...F0 } " + _fragments(59, lambda n: " ".join(f"...F{m}" for m in range(n + 1, 59)) or leaf)},
    )
    yield "aliases", {"query": "{" + " ".join(f"a{n}: {leaf}" for n in range(3_000)) + "}"}
    yield "the same field", {"query": "{" + "viewer { role } " * 1_300 + "}"}
    yield "the same leaf", {"query": "{ viewer {" + " role" * 3_900 + "} }"}
    yield "arguments", {"query": "{ customers(" + " ".join(f"a{n}: {n}" for n in range(900)) + ") { nodes { id } } }"}
    yield "directives", {"query": "{ viewer " + "@include(if: true) " * 700 + "{ role } }"}
    yield "unknown directives", {"query": "{ viewer " + "@x " * 1_900 + "{ role } }"}
    yield "deep", {"query": "{" + "a{" * 1_900 + "b" + "}" * 1_901}
    yield "deep lists", {"query": "{ nodes(ids: " + "[" * 1_900 + "]" * 1_900 + ") { id } }"}
    yield "deep inputs", {"query": "{ customers(filter: " + "{a:" * 900 + "1" + "}" * 900 + ") { nodes { id } } }"}
    yield "many ids", {"query": "{ nodes(ids: [" + '"a" ' * 3_900 + "]) { id } }"}
    yield "many operations", {"query": " ".join(f"query Q{n} {{ {leaf} }}" for n in range(500)), "operationName": "Q1"}
    yield "many variables", {"query": "query(" + " ".join(f"$v{n}: Int" for n in range(1_000)) + f") {{ {leaf} }}"}
    yield "a long name", {"query": "{ " + "a" * size + " }"}
    yield "a long string", {"query": '{ customer(id: "' + "x" * size + '") { id } }'}
    yield "a block string", {"query": '{ customer(id: """' + "\n " * 20_000 + '""") { id } }'}
    yield "a long number", {"query": "{ customers(first: " + "9" * size + ") { nodes { id } } }"}
    yield "comments", {"query": "#\n" * 30_000 + f"{{ {leaf} }}"}
    yield "commas", {"query": "{" + "," * size + leaf + "}"}
    yield "braces", {"query": "{" * size}
    yield "escapes", {"query": '{ customer(id: "' + "\\u0000" * 9_000 + '") { id } }'}
    pages = "id"
    for name in ("invoices", "subscriptions", "customers"):
        pages = f"{name}(first: 100) {{ nodes {{ {pages} }} }}"
    yield "a great page of pages", {"query": f"{{ {pages} }}"}
    yield "introspection", {"query": get_introspection_query()}
    circle = "fields { type { " * 4 + "name" + " } }" * 4
    yield "introspection in circles", {"query": f"{{ __schema {{ types {{ {circle} }} }} }}"}
    yield "variables in lists", {"query": f"query($v: [ID!]) {{ {leaf} }}", "variables": {"v": ["x"] * 9_000}}
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    yield "deep variables", {"query": f"{{ {leaf} }}", "variables": {"v": deep}}
    yield "great variables", {"query": f"{{ {leaf} }}", "variables": {f"v{n}": n for n in range(12_000)}}
    yield "an endless word", {"query": f"query($v: String) {{ {leaf} }}", "variables": {"v": "x" * 200_000}}
    overlapping = "customers(first: 1) { nodes { subscriptions(first: 1) { nodes { id status } } } } "
    yield "overlapping fields", {"query": "{ " + overlapping * 29 + "}"}
    inline = "... on Query { " * 15 + leaf + " }" * 15
    yield "inline fragments", {"query": f"{{ {inline} }}"}


@pytest.mark.parametrize(("name", "asked"), list(hostile()), ids=[name for name, _ in hostile()])
async def test_a_hostile_document_costs_little(
    pair: tuple[httpx.AsyncClient, Runtime, dict[Role, str]], name: str, asked: dict[str, Any]
) -> None:
    client, _, keys = pair
    headers = {"authorization": f"Bearer {keys[Role.ADMIN]}"}
    await client.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
    await client.post("/graphql", json={"query": get_introspection_query()}, headers=headers)  # builds what is kept
    tracemalloc.start()
    try:
        answer = await client.post("/graphql", json=asked, headers=headers)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code < 500, answer.text
    assert memory < MOST_MEMORY
    spent = []
    for number in range(3):
        fresh = asked | {"query": f"{asked['query']}#{number}"}  # not one that is remembered
        begun = time.process_time()
        again = await client.post("/graphql", json=fresh, headers=headers)
        spent.append(time.process_time() - begun)
        assert again.status_code == answer.status_code
    print(f"{name}: {answer.status_code}, {min(spent) * 1000:.0f} ms, {memory / 2**20:.1f} MiB")
    assert not [word for word in INSIDE if word in answer.text]


ODD = ("null", "-1", "1e999", "first: 1", "fragment F on Query", "\u0000", "\ud7ff", "\ufeff")


class Fuzzer:
    """Breaks requests that were good, and makes some that never were."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        ids = dict.fromkeys(SCHEMA.type_map, "x")
        self.good = [*reads(ids, 2), get_introspection_query(), *self._mutations()]
        self.tokens = [*SCHEMA.type_map, *"{}()[]:#!=&", "...", "on", "@skip(if: true)", "$v", '"', '"""', *ODD]

    def _mutations(self) -> Iterator[str]:
        assert SCHEMA.mutation_type is not None
        for name, field in SCHEMA.mutation_type.fields.items():
            yield f"mutation($input: {field.args['input'].type}) {{ {name}(input: $input) {{ errors {{ code }} }} }}"

    def body(self) -> bytes:
        way = self.chance.random()
        if way < 0.05:
            return self.chance.randbytes(self.chance.randrange(0, 300))
        asked: dict[str, Any] = {"query": self.query()}
        if self.chance.random() < 0.4:
            asked["variables"] = self.value(3)
        if self.chance.random() < 0.1:
            asked[self.chance.choice(("operationName", "extensions", "documentId", "query"))] = self.value(2)
        text = orjson.dumps([asked] * self.chance.randrange(0, 3) if self.chance.random() < 0.05 else asked)
        if self.chance.random() < 0.05:
            place = self.chance.randrange(len(text))
            text = text[:place] + self.chance.randbytes(2) + text[place + 1 :]
        return text

    def query(self) -> str:
        text = self.chance.choice(self.good)
        for _ in range(self.chance.randrange(0, 4)):
            place = self.chance.randrange(len(text) + 1)
            way = self.chance.choice(("insert", "delete", "repeat", "cut"))
            if way == "insert":
                text = text[:place] + self.chance.choice(self.tokens) + text[place:]
            elif way == "delete":
                text = text[:place] + text[place + self.chance.randrange(1, 20) :]
            elif way == "repeat":
                text = text[:place] + text[max(0, place - 15) : place] * self.chance.randrange(1, 5) + text[place:]
            else:
                text = text[:place]
        return text

    def value(self, depth: int) -> Any:
        kinds = ["word", "number", "none", "list", "object"] if depth else ["word", "number", "none"]
        kind = self.chance.choice(kinds)
        if kind == "word":
            return self.chance.choice(["", "x", "\u0000", "cus_1", "-1", "é" * 50, "https://e.org", "' or 1=1 --"])
        if kind == "number":
            return self.chance.choice([0, -1, 2**31, 2**53, 1.5, -1e300, True])
        if kind == "list":
            return [self.value(depth - 1) for _ in range(self.chance.randrange(4))]
        if kind == "object":
            names = ("input", "v", "first", "id", "ids", "filter", "customer", "email", "idempotencyKey", "plan", "")
            return {self.chance.choice(names): self.value(depth - 1) for _ in range(self.chance.randrange(4))}
        return None


async def test_whatever_is_sent_is_answered_without_a_failure_of_ours(
    pair: tuple[httpx.AsyncClient, Runtime, dict[Role, str]],
) -> None:
    client, runtime, keys = pair
    platform = await issue_platform_key(runtime.database, name="platform", livemode=False)
    callers = {role: {"authorization": f"Bearer {key}"} for role, key in keys.items()}
    callers[Role.PLATFORM] = {"authorization": f"Bearer {platform}", "billing-tenant": "clinic"}

    def caller(number: int) -> dict[str, str]:
        role = list(Role)[number % len(Role)]
        if role is not Role.CUSTOMER:
            return callers[role]
        now = datetime.now(UTC)  # minted anew each time: an administrator among the inputs may have ended all
        session = runtime.sessions.mint(
            tenant="clinic", customer="cus_1", livemode=False, now=now, lifetime=timedelta(hours=1)
        )
        return {"authorization": f"Bearer {session}"}

    fuzzer, statuses = Fuzzer(11), dict[int, int]()
    for number in range(INPUTS):
        body = fuzzer.body()
        headers = caller(number) | {"content-type": "application/json"}
        answer = await client.post("/graphql", content=body, headers=headers)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, (body, answer.text)
        assert '"INTERNAL"' not in answer.text, (body, answer.text)
        assert not [word for word in INSIDE if word in answer.text and word.encode() not in body], (body, answer.text)
    print(f"fuzzer: {INPUTS} inputs by {len(Role)} roles: {dict(sorted(statuses.items()))}")
