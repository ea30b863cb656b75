"""What an attack on the running product once brought about, and no longer does."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from gateway import health
from gateway.document_limits import Documents
from gateway.persisted import Sent
from gateway.runtime import Runtime
from gateway.wire import hash_of
from schema import ids
from storage.database import Database
from tenants.context import Role
from tenants.registry import issue_key
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

WHO = "{ viewer { role } }"


@pytest.fixture
async def pair(opened: Database, two: Two) -> AsyncIterator[tuple[httpx.AsyncClient, Runtime]]:
    """An admin of the clinic."""
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="key")
    async with endpoint_client(opened) as found:
        found[0].headers["authorization"] = f"Bearer {key}"
        yield found


async def _ask(client: httpx.AsyncClient, query: str, variables: Any = None, **headers: str) -> httpx.Response:
    return await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


def _unsigned(**claims: Any) -> str:
    """Anybody can write this: a token whose claims are read before its signature is checked."""
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (
        orjson.dumps({"alg": "RS256"}), _json(claims), b"none",
    ))  # fmt: skip


def _json(claims: dict[str, Any]) -> bytes:
    """Half characters too, which orjson does not write."""
    return json.dumps(claims).encode()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "\0", "aud": "x"},
        {"iss": "x", "aud": "\0"},
        {"iss": "\ud800", "aud": "x"},
        {"iss": "x", "aud": ["\udfff"]},
    ],
)
async def test_claims_that_no_database_takes_are_of_an_unknown_token(
    pair: tuple[httpx.AsyncClient, Runtime], claims: dict[str, Any]
) -> None:
    answer = await _ask(pair[0], WHO, authorization=f"Bearer {_unsigned(**claims)}")
    assert (answer.status_code, _code(answer)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "//", "http://a]b"])
async def test_an_origin_that_is_no_address_is_refused(pair: tuple[httpx.AsyncClient, Runtime], origin: str) -> None:
    answer = await _ask(pair[0], WHO, origin=origin)
    assert (answer.status_code, _code(answer)) == (403, "ORIGIN_NOT_ALLOWED")
    own = await _ask(pair[0], WHO, origin="http://gateway")
    assert own.status_code == 200


async def _gone(*_: Any) -> Any:
    raise ConnectionRefusedError


async def test_while_the_database_is_away_a_page_hears_so(
    pair: tuple[httpx.AsyncClient, Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.origins._registered", _gone)
    asked = await pair[0].options("/graphql", headers={"origin": "https://a.example"})
    assert (asked.status_code, _code(asked)) == (503, "UNAVAILABLE")
    refused = await _ask(pair[0], WHO, origin="https://a.example", authorization="Bearer bgw_test_x")
    assert (refused.status_code, _code(refused)) == (401, "TOKEN_MALFORMED")


NUL_IN = (
    ("query($v: String) { customers(first: 1, filter: { email: $v }) { totalCount } }", "a\0"),
    ("query($v: String) { customers(first: 1, filter: { externalId: $v }) { totalCount } }", "\0"),
    ("query($v: Currency) { plans(first: 1, filter: { currency: $v }) { nodes { id } } }", "us\0"),
    ("mutation($v: String!) { customerCreate(input: { email: $v }) { errors { code } } }", "a@\0"),
    ('mutation($v: String) { customerCreate(input: { email: "a@b.c", name: $v }) { errors { code } } }', "\0"),
    (
        'mutation($v: String) { customerCreate(input: { email: "a@b.c", idempotencyKey: $v }) { errors { code } } }',
        "\0",
    ),
)


@pytest.mark.parametrize(("query", "value"), NUL_IN)
async def test_a_nul_is_the_clients_fault_and_reaches_nobody(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, query: str, value: str
) -> None:
    answer = await _ask(pair[0], query, {"v": value})
    assert (answer.status_code, _code(answer)) == (400, "BAD_USER_INPUT")
    literal = query.replace("$v", orjson.dumps(value).decode()).split("(", 1)
    kind, rest = literal[0], literal[1].split(")", 1)[1]
    answer = await _ask(pair[0], kind + rest)
    assert (answer.status_code, _code(answer)) == (400, "BAD_USER_INPUT")
    assert await opened.system.execute_query_dict("select 1 from operations") == []


async def test_half_an_address_is_refused_with_its_field(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, two: Two
) -> None:
    await _customers(opened, two.clinic.id)
    given = '{ customer: "cus_1", returnUrl: "http://[" }'
    query = f"mutation {{ portalSessionCreate(input: {given}) {{ errors {{ code field }} }} }}"
    answer = await _ask(pair[0], query)
    assert answer.json()["data"]["portalSessionCreate"]["errors"] == [{"code": "INVALID_INPUT", "field": "returnUrl"}]


def test_small_documents_are_not_remembered_without_end() -> None:
    documents = Documents()
    for number in range(3_000):
        documents.read(f"{{a{number}}}")
    assert len(documents._good) == 2_000


def test_what_was_sent_before_is_bounded_and_no_tenant_pushes_out_another() -> None:
    sent = Sent(longest=100, kept=3_000, share=1_000)
    sent.keep(1, "mine", "{ viewer { role } }")
    for number in range(500):
        sent.keep(2, f"hash {number}", "x" * 100)
    sent.keep(2, "long", "x" * 101)
    assert (sent.get(1, "mine"), sent.get(2, "long")) == ("{ viewer { role } }", None)
    assert [number for number in range(500) if sent.get(2, f"hash {number}")] == [497, 498, 499]
    for tenant in range(3, 9):
        for number in range(5):
            sent.keep(tenant, f"hash {number}", "x" * 100)
    assert sum(sent._sizes.values()) <= 3_000
    assert sent._sizes.keys() == sent._of.keys()


async def test_a_document_too_large_to_run_is_not_remembered(pair: tuple[httpx.AsyncClient, Runtime]) -> None:
    query = "#" + "x" * 100_000
    given = {"persistedQuery": {"version": 1, "sha256Hash": hash_of(query)}}
    answer = await pair[0].post("/graphql", json={"query": query, "extensions": given})
    assert _code(answer) == "QUERY_TOO_LARGE"
    assert _code(await pair[0].post("/graphql", json={"extensions": given})) == "PERSISTED_QUERY_NOT_FOUND"


PLANS = "query($first: Int, $after: String, $currency: Currency) {"
PLANS += " plans(first: $first, after: $after, filter: { currency: $currency }) { nodes { id } } }"


async def test_no_client_can_fill_the_cache(pair: tuple[httpx.AsyncClient, Runtime]) -> None:
    kept = pair[1].cache._store._cache
    await _ask(pair[0], PLANS, {"first": 1})
    before = len(kept)
    for number in range(5):
        cursor = base64.urlsafe_b64encode(f"{number}:price_1".encode()).decode()
        for given in ({"after": cursor}, {"currency": f"x{chr(97 + number)}x"}, {}):
            answer = await _ask(pair[0], PLANS, {"first": number + 1} | given)
            assert answer.json()["data"] == {"plans": {"nodes": []}}
    assert len(kept) == before
    long = base64.urlsafe_b64encode(b"1:" + b"x" * 10_000).decode()
    assert _code(await _ask(pair[0], PLANS, {"first": 1, "after": long})) == "BAD_USER_INPUT"


async def test_pages_of_plans_of_any_size_are_cut_from_one(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, two: Two
) -> None:
    await opened.system.execute_query(
        "insert into prices (tenant_id, livemode, stripe_id, stamp, source, created, digest, data, product_id, active,"
        " type, currency, billing_scheme) select $1, false, 'price_' || n, now(), 'api', to_timestamp(n), '\\x00',"
        " '{}', 'prod', true, 'recurring', 'usd', 'per_unit' from generate_series(1, 103) n",
        [two.clinic.id],
    )
    query = "query($first: Int, $last: Int) { plans(first: $first, last: $last)"
    query += " { nodes { stripeId } pageInfo { hasNextPage hasPreviousPage } } }"
    for size in (1, 99, 100):
        first = (await _ask(pair[0], query, {"first": size})).json()["data"]["plans"]
        assert [node["stripeId"] for node in first["nodes"]] == [f"price_{103 - n}" for n in range(size)]
        assert first["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": False}
        last = (await _ask(pair[0], query, {"last": size})).json()["data"]["plans"]
        assert [node["stripeId"] for node in last["nodes"]] == [f"price_{size - n}" for n in range(size)]
        assert last["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True}


async def test_what_was_told_of_one_schema_is_not_told_of_another_at_its_address(
    pair: tuple[httpx.AsyncClient, Runtime],
) -> None:
    transport: Any = pair[0]._transport
    service = transport.app.state.endpoint.service
    await _ask(pair[0], "{ __schema { queryType { name } } }")
    (key,) = service._introspected
    assert key[0] in service.schemas._built.values()


async def _invoices(opened: Database, tenant: int, count: int, lines: int) -> None:
    common = "tenant_id, livemode, stripe_id"
    await opened.system.execute_query(
        f"insert into invoices ({common}, stamp, source, created, digest, data, currency, subtotal, total, amount_due,"
        " amount_paid, amount_remaining, attempt_count) select $1, false, 'in_' || n, now(), 'api', to_timestamp(n),"
        " '\\x00', '{}', 'usd', 1, 1, 1, 1, 1, 0 from generate_series(1, $2::int) n",
        [tenant, count],
    )
    await opened.system.execute_query(
        f"insert into invoice_lines ({common}, parent_id, position, amount, currency, proration) select $1, false,"
        " 'il_' || n || '_' || m, 'in_' || n, m, 1, 'usd', false from generate_series(1, $2::int) n,"
        " generate_series(1, $3::int) m",
        [tenant, count, lines],
    )


async def test_long_lists_without_pages_hold_no_more_than_an_operation_may_cost(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, two: Two
) -> None:
    await _invoices(opened, two.clinic.id, 100, 150)
    one = "invoices(first: {}) {{ nodes {{ lines {{ stripeId }} }} }}"
    fits = await _ask(pair[0], f"{{ {one.format(60)} }}")
    assert [len(node["lines"]) for node in fits.json()["data"]["invoices"]["nodes"]] == [150] * 60
    too_many = await _ask(pair[0], f"{{ {one.format(100)} }}")
    assert _code(too_many) == "BAD_USER_INPUT"
    several = " ".join(f"a{number}: {one.format(60)}" for number in range(9))
    again = await _ask(pair[0], f"{{ {several} }}")
    assert _code(again) == "BAD_USER_INPUT"
    assert again.json()["extensions"]["cost"]["actual"] <= 2 * 10_000


async def test_ids_by_default_cost_like_ids_that_are_given(pair: tuple[httpx.AsyncClient, Runtime]) -> None:
    listed = ", ".join('"x"' for _ in range(100))
    query = f"query($ids: [ID!]! = [{listed}]) {{ a: nodes(ids: $ids) {{ id }} b: nodes(ids: $ids) {{ id }} }}"
    assert (await _ask(pair[0], query)).json()["extensions"]["cost"]["requested"] == 200
    given = await _ask(pair[0], query, {"ids": ["x"]})
    assert given.json()["extensions"]["cost"]["requested"] == 2


async def _customers(opened: Database, tenant: int) -> None:
    await opened.system.execute_query(
        "insert into customers (tenant_id, livemode, stripe_id, balance, stamp, source, created, digest, data)"
        " select $1, false, 'cus_' || n, 0, now(), 'api', now(), '\\x00', '{}' from generate_series(1, 2) n",
        [tenant],
    )


async def test_a_customers_idempotency_keys_are_its_own(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, two: Two
) -> None:
    """Else a customer could ask whether others used a key, and use up those that the back end will want."""
    await _customers(opened, two.clinic.id)

    async def update(bearer: str, name: str, **customer: str) -> Any:
        query = "mutation($input: CustomerUpdateInput!) { made: customerUpdate(input: $input) { errors { code } } }"
        given = {"name": name, "idempotencyKey": "renewal-2026-11"} | customer
        answer = await _ask(pair[0], query, {"input": given}, authorization=f"Bearer {bearer}")
        return answer.json()["data"]["made"]["errors"]

    mint, now = pair[1].sessions.mint, datetime.now(UTC)
    sessions = [
        mint(tenant="clinic", customer=f"cus_{n}", livemode=False, now=now, lifetime=timedelta(minutes=5))
        for n in (1, 2)
    ]
    # nobody is at Stripe's address: that is how far each of them comes
    through = [{"code": "STRIPE_UNAVAILABLE"}]
    for number, session in enumerate(sessions):
        assert await update(session, f"name {number}") == through
    backend = pair[0].headers["authorization"].removeprefix("Bearer ")
    assert await update(backend, "another", customer="cus_1") == through
    for bearer, more in ((sessions[0], {}), (backend, {"customer": "cus_1"})):
        assert await update(bearer, "with another input", **more) == [{"code": "IDEMPOTENCY_KEY_REUSED"}]


async def test_support_gets_no_address_of_a_page_that_names_the_payer(
    pair: tuple[httpx.AsyncClient, Runtime], opened: Database, two: Two
) -> None:
    await _invoices(opened, two.clinic.id, 1, 1)
    await opened.system.execute_query(
        "update invoices set hosted_invoice_url = 'https://p/1', invoice_pdf = 'https://p/2'"
    )
    await opened.system.execute_query(
        "insert into checkout_sessions (tenant_id, livemode, stripe_id, stamp, source, created, digest, data, mode,"
        " payment_status, url) values ($1, false, 'cs_1', now(), 'api', now(), '\\x00', '{}', 's', 'p', 'https://p/3')",
        [two.clinic.id],
    )
    checkout = ids.encode("CheckoutSession", "cs_1")
    query = f'{{ invoice(id: "in_1") {{ hostedInvoiceUrl invoicePdf }} node(id: "{checkout}") {{ ... on CheckoutSession'
    query += " { url } } }"
    key = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="support")
    told = (await _ask(pair[0], query, authorization=f"Bearer {key}")).json()["data"]
    assert told == {"invoice": {"hostedInvoiceUrl": None, "invoicePdf": None}, "node": {"url": None}}
    assert (await _ask(pair[0], query)).text.count("https://p/") == 3


async def test_who_is_not_ready_tells_nothing_of_what_is_inside() -> None:
    class Away:
        @property
        def system(self) -> Any:
            raise ConnectionRefusedError

    app = Starlette(routes=health.routes())
    app.state.database = Away()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False})
