"""GraphQL over HTTP: the audits of graphql-http, and what they do not ask for."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from gateway.app import endpoint_of, graphql_socket
from gateway.runtime import Runtime
from gateway.wire import GRAPHQL, JSON, hash_of, media_of
from storage.database import Database
from tenants.context import Role
from tenants.registry import issue_key, save_tenant
from tests.sandbox.server import serving
from tests.support import node
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

WHO = "{ viewer { role tenant { slug } } }"
SPA = "https://app.clinic.example"


@pytest.fixture
async def pair(opened: Database) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    async with endpoint_client(opened) as found:
        yield found


@pytest.fixture
async def client(opened: Database, two: Two, pair: tuple[httpx.AsyncClient, Runtime]) -> httpx.AsyncClient:
    """A partner of the clinic, which has registered a page of its own."""
    two.clinic.cors_origins = [SPA]
    await save_tenant(opened, two.clinic)
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    pair[0].headers["authorization"] = f"Bearer {key}"
    return pair[0]


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


async def test_every_audit_of_graphql_http_is_passed(
    opened: Database, two: Two, pair: tuple[httpx.AsyncClient, Runtime]
) -> None:
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="audits")
    endpoint = endpoint_of(pair[1])
    app = Starlette(
        routes=[
            Route("/graphql", endpoint.__call__, methods=["GET", "POST", "OPTIONS"]),
            WebSocketRoute("/graphql", graphql_socket),
        ]
    )
    async with serving(app) as address:
        found = await node.lines("audits.mjs", f"{address}/graphql", key)
    print(f"graphql-http: {sum(one['status'] == 'ok' for one in found)} of {len(found)} audits")
    assert len(found) >= 61
    assert [one for one in found if one["status"] != "ok"] == []


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8, application/json", GRAPHQL),
        (f"application/json;q=0.2, {GRAPHQL};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0, application/json", JSON),
        ("text/html, */*;q=0.1", JSON),
        ("text/html", None),
        ("application/json; charset=latin1", None),
        ("application/json;q=much", None),
    ],
)
def test_the_form_of_the_answer_is_the_wanted_one(accept: str, media: str | None) -> None:
    assert media_of(accept) == media


async def test_a_form_that_we_do_not_have_is_406(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": WHO}, headers={"accept": "text/html"})
    assert (answer.status_code, _code(answer)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("asked", [{"query": WHO}, {"query": "{ nothing }"}, {"query": ""}])
async def test_every_answer_bears_the_headers_of_security(client: httpx.AsyncClient, asked: dict[str, str]) -> None:
    for given in ({}, {"authorization": "Bearer nothing"}):
        headers = (await client.post("/graphql", json=asked, headers=given)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert headers["content-type"].endswith("charset=utf-8")


async def test_a_batch_is_answered_in_its_order(client: httpx.AsyncClient) -> None:
    batch = [{"query": WHO}, {"query": "{ nothing }"}, {"query": "{"}, {"query": WHO, "variables": {}}]
    answer = await client.post("/graphql", json=batch)
    bodies = answer.json()
    assert answer.status_code == 200
    assert [("data" in body, "errors" in body) for body in bodies] == [
        (True, False), (False, True), (False, True), (True, False),
    ]  # fmt: skip


@pytest.mark.parametrize("batch", [[], [{"query": WHO}] * 11])
async def test_a_batch_has_a_size(client: httpx.AsyncClient, batch: list[dict[str, str]]) -> None:
    answer = await client.post("/graphql", json=batch)
    assert (answer.status_code, _code(answer)) == (400, "BATCH_TOO_LARGE")


async def test_a_batch_holds_no_live_operation(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json=[{"query": "subscription { billingChanged { revision } }"}])
    assert answer.json()[0]["errors"][0]["extensions"]["code"] == "LIVE_OPERATION"


async def test_a_live_operation_needs_a_live_transport(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "subscription { billingChanged { revision } }"})
    assert (answer.status_code, _code(answer)) == (400, "LIVE_OPERATION")


async def test_a_packed_body_is_not_json(client: httpx.AsyncClient) -> None:
    body = gzip.compress(orjson.dumps({"query": WHO}))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert _code(await client.post("/graphql", content=body, headers=headers)) == "BAD_REQUEST"


def _named(query: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(query)}}}


async def test_a_document_is_sent_once_and_named_from_then_on(client: httpx.AsyncClient) -> None:
    first = await client.post("/graphql", json=_named(WHO))
    assert (first.status_code, _code(first)) == (400, "PERSISTED_QUERY_NOT_FOUND")
    assert first.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert (await client.post("/graphql", json={"query": WHO, **_named(WHO)})).status_code == 200
    again = await client.post("/graphql", json=_named(WHO))
    assert again.json()["data"]["viewer"]["role"] == "PARTNER"
    over_get = await client.get("/graphql", params={"extensions": orjson.dumps(_named(WHO)["extensions"]).decode()})
    assert over_get.json()["data"]["viewer"]["role"] == "PARTNER"
    wrong = await client.post("/graphql", json={"query": WHO + " ", **_named(WHO)})
    assert (wrong.status_code, _code(wrong)) == (400, "BAD_REQUEST")


async def test_what_one_tenant_has_sent_is_not_there_for_another(
    client: httpx.AsyncClient, opened: Database, two: Two
) -> None:
    await client.post("/graphql", json={"query": WHO, **_named(WHO)})
    key = await issue_key(opened, two.school, role=Role.PARTNER, name="other")
    answer = await client.post("/graphql", json=_named(WHO), headers={"authorization": f"Bearer {key}"})
    assert _code(answer) == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_preflight_is_answered_for_a_registered_origin_alone(client: httpx.AsyncClient) -> None:
    for origin, allowed in ((SPA, SPA), ("https://elsewhere.example", None), ("null", None)):
        answer = await client.options("/graphql", headers={"origin": origin, "access-control-request-method": "POST"})
        assert answer.status_code == 204
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_may_ask_where_the_tokens_tenant_registered_it(
    client: httpx.AsyncClient, opened: Database, two: Two
) -> None:
    good = await client.post("/graphql", json={"query": WHO}, headers={"origin": SPA})
    assert good.status_code == 200
    assert good.headers["access-control-allow-origin"] == SPA
    key = await issue_key(opened, two.school, role=Role.PARTNER, name="other")
    other = await client.post(
        "/graphql", json={"query": WHO}, headers={"origin": SPA, "authorization": f"Bearer {key}"}
    )
    assert (other.status_code, _code(other)) == (403, "ORIGIN_NOT_ALLOWED")
    assert "data" not in other.json()
    own = await client.post("/graphql", json={"query": WHO}, headers={"origin": "http://gateway"})
    assert own.status_code == 200  # GraphiQL's page comes from the gateway itself
    two.clinic.cors_origins = []
    await save_tenant(opened, two.clinic)
    gone = await client.post("/graphql", json={"query": WHO}, headers={"origin": SPA})
    assert (gone.status_code, _code(gone)) == (403, "ORIGIN_NOT_ALLOWED")


async def test_a_page_may_read_why_it_was_refused(client: httpx.AsyncClient) -> None:
    headers = {"origin": SPA, "authorization": "Bearer nothing"}
    answer = await client.post("/graphql", json={"query": WHO}, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, SPA)


async def test_a_query_that_takes_too_long_is_ended(
    client: httpx.AsyncClient, pair: tuple[httpx.AsyncClient, Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pair[1]
    object.__setattr__(runtime, "settings", runtime.settings.model_copy(update={"graphql_timeout": 0.000_001}))
    answer = await client.post("/graphql", json={"query": "{ customers(first: 1) { nodes { id } } }"})
    assert (answer.status_code, _code(answer)) == (503, "TIMEOUT")
