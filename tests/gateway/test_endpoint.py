"""The GraphQL endpoint answers every request with a status and a code, whatever it is sent."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from gateway.endpoint import RESPONSE_TYPE
from gateway.runtime import Runtime
from mirror.apply import Arrival, apply
from mirror.snapshot import Source, snapshot
from schema import ids
from storage.database import Database, DatabaseUrl
from tenants import tokens
from tenants.context import Role
from tenants.registry import issue_key, issue_platform_key, revoke_key
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

WHO = "{ viewer { role tenant { slug } } }"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def opened_endpoint(opened: Database) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    async with endpoint_client(opened) as pair:
        yield pair


@pytest.fixture
async def client(opened: Database, two: Two, opened_endpoint: tuple[httpx.AsyncClient, Runtime]) -> httpx.AsyncClient:
    """A partner of the clinic."""
    found = opened_endpoint[0]
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    found.headers["authorization"] = f"Bearer {key}"
    return found


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


async def _ask(client: httpx.AsyncClient, query: str, **more: Any) -> httpx.Response:
    return await client.post("/graphql", json={"query": query, **more})


async def test_a_query_is_answered_for_the_tokens_tenant(client: httpx.AsyncClient) -> None:
    answer = await _ask(client, WHO)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"viewer": {"role": "PARTNER", "tenant": {"slug": "clinic"}}}
    assert answer.headers["content-type"].startswith(RESPONSE_TYPE)
    assert answer.headers["x-request-id"] == answer.json()["extensions"]["requestId"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b'"x"',
        b"[1]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b'{"query": "\\ud800"}',
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": 1}',
        b'{"query": "{ viewer { role } }", "variables": [1]}',
        b'{"query": "{ viewer { role } }", "variables": "x"}',
        b'{"query": "{ viewer { role } }", "operationName": 1}',
        b"[" * 50_000,
    ],
)
async def test_a_body_that_is_no_request_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/graphql", content=body, headers=JSON)
    assert (answer.status_code, _code(answer)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "type_", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
)
async def test_another_content_type_is_refused(client: httpx.AsyncClient, type_: str) -> None:
    body = orjson.dumps({"query": WHO})
    answer = await client.post("/graphql", content=body, headers={"content-type": type_})
    assert (answer.status_code, _code(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_charset_beside_the_content_type_is_taken(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert (await client.post("/graphql", content=orjson.dumps({"query": WHO}), headers=headers)).status_code == 200


async def test_a_body_above_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    answer = await _ask(client, "#" + "x" * 256 * 1024)
    assert (answer.status_code, _code(answer)) == (413, "BODY_TOO_LARGE")


async def test_get_is_for_queries_only(client: httpx.AsyncClient) -> None:
    mutation = 'mutation { customerCreate(input: {email: "a@example.org"}) { revision } }'
    refused = await client.get("/graphql", params={"query": mutation})
    assert (refused.status_code, _code(refused)) == (405, "METHOD_NOT_ALLOWED")
    answered = await client.get("/graphql", params={"query": WHO, "variables": "{}"})
    assert answered.json()["data"]["viewer"]["role"] == "PARTNER"
    broken = await client.get("/graphql", params={"query": WHO, "variables": "{"})
    assert (broken.status_code, _code(broken)) == (400, "BAD_REQUEST")


async def test_the_named_one_of_several_operations_runs(client: httpx.AsyncClient) -> None:
    several = f"query A {{ viewer {{ role }} }} query B {WHO}"
    answer = await _ask(client, several, operationName="B")
    assert "tenant" in answer.json()["data"]["viewer"]
    unknown = await _ask(client, several, operationName="Neither")
    assert (unknown.status_code, _code(unknown)) == (400, "BAD_REQUEST")


async def test_a_mutation_beside_a_query_does_not_slip_through_get(client: httpx.AsyncClient, opened: Database) -> None:
    mutation = 'mutation B { customerCreate(input: {email: "a@example.org"}) { revision } }'
    several = f"query A {WHO} {mutation}"
    answer = await client.get("/graphql", params={"query": several, "operationName": "B"})
    assert (answer.status_code, _code(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert await opened.system.execute_query_dict("select 1 from operations") == []


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query($x: Nothing) { viewer { role } }", "{ plan { id } }"])
async def test_a_query_that_does_not_fit_the_schema_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await _ask(client, query)
    assert (answer.status_code, _code(answer)) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic eDp5", "bgw_test_x", "Bearer a.b.c", "Bearer é"]
)
async def test_without_a_token_of_ours_nobody_is_let_in(client: httpx.AsyncClient, authorization: str | None) -> None:
    del client.headers["authorization"]
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    answer = await client.post("/graphql", json={"query": WHO}, headers=headers)
    assert (answer.status_code, _code(answer)) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_each_kind_of_bad_token_has_its_code(
    opened: Database, two: Two, opened_endpoint: tuple[httpx.AsyncClient, Runtime]
) -> None:
    client, held = opened_endpoint
    past = datetime.now(UTC) - timedelta(hours=1)
    right = await issue_key(opened, two.clinic, role=Role.PARTNER, name="right")
    old = await issue_key(opened, two.clinic, role=Role.PARTNER, name="old", expires_at=past)
    revoked = await issue_key(opened, two.clinic, role=Role.PARTNER, name="revoked")
    await revoke_key(opened, tokens.parse(revoked).public_id)
    minutes = timedelta(minutes=5)
    over = held.sessions.mint(tenant="clinic", customer="cus_1", livemode=False, now=past, lifetime=minutes)
    platform = await issue_platform_key(opened, name="ops", livemode=False)
    found = {}
    for token in (right[:-1], old, revoked, over, platform):
        answer = await client.post("/graphql", json={"query": WHO}, headers={"authorization": f"Bearer {token}"})
        found[token] = (answer.status_code, _code(answer))
        assert token not in answer.text
    assert list(found.values()) == [
        (401, "TOKEN_MALFORMED"),
        (401, "TOKEN_EXPIRED"),
        (401, "UNAUTHENTICATED"),
        (401, "TOKEN_EXPIRED"),
        (400, "TENANT_REQUIRED"),
    ]


async def test_a_fault_of_ours_is_shown_without_a_word_of_what_is_inside(
    client: httpx.AsyncClient, database_url: DatabaseUrl
) -> None:
    owner = await asyncpg.connect(**database_url.credentials())
    try:
        await owner.execute("alter table invoices rename to hidden_invoices")
    finally:
        await owner.close()
    answer = await _ask(client, "{ viewer { role } invoices(first: 1) { totalCount } }")
    assert (answer.status_code, _code(answer)) == (200, "INTERNAL")
    assert not any(word in answer.text for word in ("relation", "does not exist", "select", "Error", "Traceback"))


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "(first: 1, last: 1)",
        "(first: 0)",
        "(first: 101)",
        '(first: 1, after: "x")',
        '(first: 1, after: "MTphAGI=")',
        '(first: 1, after: "é")',
    ],
)
async def test_a_page_that_cannot_be_served_is_the_clients_fault(client: httpx.AsyncClient, arguments: str) -> None:
    answer = await _ask(client, f"{{ invoices{arguments} {{ totalCount }} }}")
    assert (answer.status_code, _code(answer)) == (200, "BAD_USER_INPUT")


async def test_a_query_nested_beyond_measure_is_refused_and_nothing_worse(client: httpx.AsyncClient) -> None:
    for query in ("{a" * 20_000, "{ viewer(x: " + "[" * 50_000):
        assert (await _ask(client, query)).status_code == 400


async def test_who_has_seen_a_revision_is_never_answered_from_before_it(
    opened: Database, two: Two, opened_endpoint: tuple[httpx.AsyncClient, Runtime], client: httpx.AsyncClient
) -> None:
    """This process listens, and hears nothing of what another one commits: as before a notification has come."""
    book = opened_endpoint[1].book
    book.listening = True
    plans = "{ plans(first: 5) { nodes { id price { amount } } } }"
    assert (await _ask(client, plans)).json()["data"]["plans"]["nodes"] == []
    price = {"id": "price_1", "object": "price", "created": 1_793_491_200, "livemode": False, "active": True}
    price |= {
        "currency": "usd",
        "unit_amount": 1900,
        "type": "recurring",
        "product": "prod_1",
        "billing_scheme": "per_unit",
    }
    price |= {"recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}, "metadata": {}}
    new = snapshot(price, stamp=datetime.now(UTC), source=Source.API, livemode=False)
    async with opened.system_transaction() as connection:
        applied = await apply(connection, [Arrival(two.clinic.id, new)])
    assert (await _ask(client, plans)).json()["data"]["plans"]["nodes"] == []  # the cache knows no better
    wanted = {"Billing-Min-Revision": str(applied.revision)}
    answer = await client.post("/graphql", json={"query": plans}, headers=wanted)
    assert [node["price"] for node in answer.json()["data"]["plans"]["nodes"]] == [{"amount": 1900}]
    assert int(answer.headers["billing-revision"]) >= int(applied.revision or 0)
    assert len((await _ask(client, plans)).json()["data"]["plans"]["nodes"]) == 1


async def test_a_revision_of_the_future_or_of_another_tenant_changes_no_answer(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": WHO}, headers={"Billing-Min-Revision": "9" * 18})
    assert answer.status_code == 200
    assert int(answer.headers["billing-revision"]) < 10**17


@pytest.mark.parametrize("given", ["", "-1", "1.5", "abc", "٣", "9" * 19, " "])
async def test_what_is_no_revision_is_refused(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.post("/graphql", json={"query": WHO}, headers=[(b"Billing-Min-Revision", given.encode())])
    assert (answer.status_code, _code(answer)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req-2026.11.24_0001", True),
        ("short", False),
        ("x" * 65, False),
        ("with space in it", False),
        ("new\nline-in-it", False),
        ("-begins-badly", False),
    ],
)
async def test_a_decent_request_id_is_the_clients_own(client: httpx.AsyncClient, given: str, *, kept: bool) -> None:
    headers = [(b"x-request-id", given.replace("\n", "\t").encode())]
    answer = await client.post("/graphql", json={"query": WHO}, headers=headers)
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"] == answer.json()["extensions"]["requestId"]


async def test_an_amount_above_32_bits_is_told_exactly(opened: Database, two: Two, client: httpx.AsyncClient) -> None:
    price = {"id": "price_1", "object": "price", "created": 1_793_491_200, "livemode": False, "active": True}
    price |= {"currency": "idr", "unit_amount": 2**53 - 1, "type": "recurring", "product": "prod_1"}
    price |= {"billing_scheme": "per_unit", "metadata": {}}
    price |= {"recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}}
    new = snapshot(price, stamp=datetime.now(UTC), source=Source.API, livemode=False)
    async with opened.system_transaction() as connection:
        await apply(connection, [Arrival(two.clinic.id, new)])
    answer = await _ask(client, "{ plans(first: 1) { nodes { price { amount currency } } } }")
    assert answer.json()["data"]["plans"]["nodes"] == [{"price": {"amount": 9007199254740991, "currency": "idr"}}]


async def test_whoever_acts_for_a_tenant_leaves_a_trace_of_each_read(
    opened: Database, two: Two, opened_endpoint: tuple[httpx.AsyncClient, Runtime]
) -> None:
    key = await issue_platform_key(opened, name="support desk", livemode=False)
    headers = {"authorization": f"Bearer {key}", "billing-tenant": "school"}
    answer = await opened_endpoint[0].post("/graphql", json={"query": WHO}, headers=headers)
    assert answer.json()["data"]["viewer"]["tenant"]["slug"] == "school"
    rows = await opened.system.execute_query_dict(
        "select tenant_id, actor, action, request_id from audit_entries where actor <> 'system'"
    )
    public_id = tokens.parse(key).public_id
    request_id = answer.headers["x-request-id"]
    assert [dict(row) for row in rows] == [
        {
            "tenant_id": two.school.id,
            "actor": f"platform:{public_id}",
            "action": "platform query",
            "request_id": request_id,
        }
    ]


async def test_money_is_written_in_the_language_that_is_asked_for(client: httpx.AsyncClient, opened: Database) -> None:
    await opened.system.execute_query(
        "insert into customers"
        " (tenant_id, livemode, stripe_id, balance, currency, stamp, source, created, digest, data)"
        " select id, false, 'cus_1', -1250, 'eur', now(), 'api', now(), '\\x00', '{}'"
        " from tenants where slug = 'clinic'"
    )
    query = '{ customer(id: "cus_1") { balance { amount formatted de: formatted(locale: "de") } } }'
    answer = await _ask(client, query)
    assert answer.json()["data"]["customer"]["balance"] == {
        "amount": -1250,
        "formatted": "-€12.50",
        "de": "-12,50\xa0€",
    }
    wrong = await _ask(client, query.replace('"de"', '"nonsense"'))
    assert (wrong.json()["data"]["customer"]["balance"], _code(wrong)) == (None, "BAD_USER_INPUT")


async def test_a_refusal_has_a_request_id_too(client: httpx.AsyncClient) -> None:
    for headers in ({"authorization": "Bearer nothing"}, {"accept": "text/html"}, {}):
        given = {"x-request-id": "request-0002", **headers}
        answer = await client.post("/graphql", content=b"[", headers=given)
        assert (answer.status_code in {400, 401, 406, 415}, answer.headers["x-request-id"]) == (True, "request-0002")


async def _insert_price(opened: Database, slug: str, name: str, type_: str, *, active: bool) -> None:
    columns = "tenant_id, livemode, stripe_id, product_id, type, active, currency, nickname, billing_scheme,"
    columns += " stamp, source, created,"
    await opened.system.execute_query(
        f"insert into prices ({columns} digest, data) select id, false, $1, 'prod_1', $2, $3, 'usd', $1,"
        " 'per_unit', now(), 'api', now(), '\\x00', '{}' from tenants where slug = $4",
        [name, type_, active, slug],
    )


async def test_kept_plans_are_each_tenants_own_whatever_its_revision(
    client: httpx.AsyncClient, opened: Database, two: Two
) -> None:
    """Both catalogs are at revision 0: only the tenant in the key tells them apart."""
    keys = {"clinic": client.headers["authorization"]}
    keys["school"] = f"Bearer {await issue_key(opened, two.school, role=Role.PARTNER, name='key')}"
    for slug in keys:
        await _insert_price(opened, slug, f"of {slug}", "recurring", active=True)
    for slug in (*keys, *keys):
        query = {"query": "{ plans(first: 5) { nodes { nickname } } }"}
        answer = await client.post("/graphql", json=query, headers={"authorization": keys[slug]})
        assert answer.json()["data"]["plans"]["nodes"] == [{"nickname": f"of {slug}"}]


async def test_a_customer_finds_no_plan_that_is_not_offered(
    opened: Database, two: Two, opened_endpoint: tuple[httpx.AsyncClient, Runtime]
) -> None:
    """Neither by its id: its name may be for the tenant's own eyes. What it is subscribed to it sees."""
    for name, type_, active in (
        ("offered", "recurring", True),
        ("old", "recurring", False),
        ("once", "one_time", True),
    ):
        await _insert_price(opened, "clinic", name, type_, active=active)
    client, runtime = opened_endpoint
    session = runtime.sessions.mint(
        tenant="clinic", customer="cus_1", livemode=False, now=datetime.now(UTC), lifetime=timedelta(minutes=5)
    )
    partner = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    for token, seen in ((session, {"offered"}), (partner, {"offered", "old"})):
        headers = {"authorization": f"Bearer {token}"}
        found = set()
        for name in ("offered", "old", "once"):
            query = f'{{ plan(id: "{name}") {{ nickname }} node(id: "{ids.encode("Plan", name)}") {{ id }} }}'
            data = (await client.post("/graphql", json={"query": query}, headers=headers)).json()["data"]
            assert (data["plan"] is None) == (data["node"] is None)
            found |= {name} if data["plan"] else set()
        assert found == seen
