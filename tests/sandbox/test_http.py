"""Stripe's conventions over HTTP: keys, errors, idempotency, lists, faults."""

from typing import Any

import aiohttp
import pytest
import stripe
from multidict import CIMultiDictProxy

from tests.sandbox.server import KEY


async def post(
    session: aiohttp.ClientSession, path: str, data: dict[str, str], **headers: str
) -> tuple[int, dict[str, Any], CIMultiDictProxy[str]]:
    async with session.post(path, data=data, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


async def test_a_wrong_key_is_refused_with_401(address: str) -> None:
    async with aiohttp.ClientSession(address, headers={"Authorization": "Bearer sk_test_wrong"}) as session:
        status, body, _ = await post(session, "/v1/customers", {})
    assert status == 401
    assert body["error"]["type"] == "invalid_request_error"


async def test_basic_authentication_works_as_with_curl(address: str) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(KEY)}
    async with aiohttp.ClientSession(address, headers=headers) as session:
        status, _, _ = await post(session, "/v1/customers", {})
    assert status == 200


async def test_an_unknown_account_is_refused_with_403(plain: aiohttp.ClientSession) -> None:
    status, body, _ = await post(plain, "/v1/customers", {}, **{"Stripe-Account": "acct_unknown"})
    assert (status, body["error"]["code"]) == (403, "account_invalid")


async def test_what_the_sandbox_does_not_have_is_answered_with_501(plain: aiohttp.ClientSession) -> None:
    status, body, _ = await post(plain, "/v1/terminal/readers", {})
    assert (status, body["error"]["code"]) == (501, "not_implemented_in_sandbox")
    assert body["error"]["message"] == "The sandbox does not have POST /v1/terminal/readers yet."


async def test_an_unknown_parameter_changes_nothing(plain: aiohttp.ClientSession) -> None:
    status, body, _ = await post(plain, "/v1/customers", {"email": "a@example.org", "colour": "red"})
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "parameter_unknown", "colour")
    async with plain.get("/v1/customers") as answer:
        assert (await answer.json())["data"] == []


async def test_a_bad_integer_is_named(plain: aiohttp.ClientSession) -> None:
    status, body, _ = await post(plain, "/v1/customers", {"balance": "many"})
    assert (status, body["error"]["code"]) == (400, "parameter_invalid_integer")
    assert body["error"]["message"] == "Invalid integer: many"


async def test_a_missing_object_is_404_in_the_path(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.retrieve_async("cus_x")
    assert caught.value.http_status == 404
    assert caught.value.user_message == "No such customer: 'cus_x'"


async def test_the_same_idempotency_key_gives_the_same_answer_once(plain: aiohttp.ClientSession) -> None:
    _, first, sent = await post(plain, "/v1/customers", {"name": "A"}, **{"Idempotency-Key": "k1"})
    status, second, replayed = await post(plain, "/v1/customers", {"name": "A"}, **{"Idempotency-Key": "k1"})
    assert (status, second) == (200, first)
    assert replayed["Idempotent-Replayed"] == "true"
    assert replayed["Original-Request"] == sent["Request-Id"] != replayed["Request-Id"]
    async with plain.get("/v1/customers") as answer:
        assert len((await answer.json())["data"]) == 1


async def test_an_idempotency_key_with_other_parameters_is_refused(plain: aiohttp.ClientSession) -> None:
    await post(plain, "/v1/customers", {"name": "A"}, **{"Idempotency-Key": "k1"})
    status, body, _ = await post(plain, "/v1/customers", {"name": "B"}, **{"Idempotency-Key": "k1"})
    assert (status, body["error"]["type"]) == (400, "idempotency_error")


async def test_a_failed_validation_does_not_use_up_the_key(plain: aiohttp.ClientSession) -> None:
    await post(plain, "/v1/customers", {"colour": "red"}, **{"Idempotency-Key": "k1"})
    status, _, _ = await post(plain, "/v1/customers", {"name": "B"}, **{"Idempotency-Key": "k1"})
    assert status == 200


async def test_a_list_is_newest_first_and_pages_both_ways(client: stripe.StripeClient) -> None:
    made = [(await client.v1.customers.create_async({"name": str(n)})).id for n in range(5)]
    page = await client.v1.customers.list_async({"limit": 2})
    assert ([c.id for c in page.data], page.has_more) == (made[:2:-1], True)
    assert [c.id async for c in page.auto_paging_iter()] == made[::-1]
    back = await client.v1.customers.list_async({"limit": 2, "ending_before": made[0]})
    assert ([c.id for c in back.data], back.has_more) == ([made[2], made[1]], True)


async def test_a_dropped_answer_has_taken_effect_and_replays(plain: aiohttp.ClientSession) -> None:
    fault = {"match": {"method": "POST", "path": "/v1/customers"}, "effect": "drop_answer"}
    async with plain.post("/_sandbox/faults", json=fault) as answer:
        assert answer.status == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(plain, "/v1/customers", {"name": "A"}, **{"Idempotency-Key": "k1"})
    status, body, headers = await post(plain, "/v1/customers", {"name": "A"}, **{"Idempotency-Key": "k1"})
    assert (status, body["name"], headers["Idempotent-Replayed"]) == (200, "A", "true")


async def test_a_request_dropped_before_has_no_effect(plain: aiohttp.ClientSession) -> None:
    async with plain.post("/_sandbox/faults", json={"effect": "drop_before"}) as answer:
        assert answer.status == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(plain, "/v1/customers", {})
    async with plain.get("/v1/customers") as answer:
        assert (await answer.json())["data"] == []
    async with plain.get("/_sandbox/requests") as answer:
        assert await answer.json() == {"total": 1, "by_operation": {"GET /v1/customers": 1}}


async def test_a_status_fault_answers_in_stripes_shape(plain: aiohttp.ClientSession) -> None:
    async with plain.post("/_sandbox/faults", json={"effect": "status", "status": 503}) as answer:
        assert answer.status == 200
    status, body, _ = await post(plain, "/v1/customers", {})
    assert (status, body["error"]["type"]) == (503, "api_error")
    async with plain.get("/_sandbox/faults") as answer:
        assert await answer.json() == {"faults": []}
