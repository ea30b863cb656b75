"""Idempotency and rate limits exactly as Stripe documents them; accounts that were disconnected; secrets that roll."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest
import stripe

from sandbox.delivery import signature
from tests.sandbox.billed import customer_with, monthly
from tests.sandbox.server import KEY, Receiver, official_client, sandbox_running

HEADERS = {"Authorization": f"Bearer {KEY}"}


async def post(
    session: aiohttp.ClientSession, path: str, key: str | None = None, account: str | None = None, **form: str
) -> tuple[int, Any, Any]:
    headers = HEADERS | ({"Idempotency-Key": key} if key else {}) | ({"Stripe-Account": account} if account else {})
    async with session.post(path, data=form, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


async def test_a_key_in_use_is_a_409_and_nothing_is_kept_of_it(plain: aiohttp.ClientSession) -> None:
    fault = {"effect": "slow", "seconds": 1.0, "match": {"method": "POST", "path": "/v1/customers"}}
    await (await plain.post("/_sandbox/faults", json=fault)).json()
    first = asyncio.create_task(post(plain, "/v1/customers", "k", name="A"))
    while not (await (await plain.get("/_sandbox/requests")).json())["by_operation"].get("POST /v1/customers"):
        pass
    status, body, headers = await post(plain, "/v1/customers", "k", name="A")
    assert (status, body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert headers["Stripe-Should-Retry"] == "true"
    made = await first
    again = await post(plain, "/v1/customers", "k", name="A")
    assert (again[0], again[1]["id"], again[2]["Idempotent-Replayed"]) == (200, made[1]["id"], "true")


async def test_a_validation_failure_is_not_kept_a_refusal_after_the_start_is(plain: aiohttp.ClientSession) -> None:
    status, body, _ = await post(plain, "/v1/customers", "k", unknown="1")
    assert (status, body["error"]["code"]) == (400, "parameter_unknown")
    status, _, headers = await post(plain, "/v1/customers", "k", name="A")
    assert status == 200
    assert "Idempotent-Replayed" not in headers
    for replayed in (None, "true"):
        status, _, headers = await post(plain, "/v1/subscriptions", "s", customer="cus_missing")
        assert (status, headers.get("Idempotent-Replayed")) == (400, replayed)


async def test_a_saved_500_is_replayed_and_other_parameters_are_refused(plain: aiohttp.ClientSession) -> None:
    fault = {"effect": "saved", "status": 500, "match": {"method": "POST", "path": "/v1/customers"}}
    await (await plain.post("/_sandbox/faults", json=fault)).json()
    assert [(await post(plain, "/v1/customers", "k", name="A"))[0] for _ in range(2)] == [500, 500]
    status, body, _ = await post(plain, "/v1/customers", "k", name="B")
    assert (status, body["error"]["type"]) == (400, "idempotency_error")
    async with plain.get("/v1/customers") as listed:
        assert (await listed.json())["data"] == []


async def test_a_key_belongs_to_one_endpoint(plain: aiohttp.ClientSession) -> None:
    await post(plain, "/v1/customers", "k", name="A")
    status, body, _ = await post(plain, "/v1/products", "k", name="A")
    assert (status, body["error"]["type"]) == (400, "idempotency_error")
    assert "('/v1/products' vs '/v1/customers')" in body["error"]["message"]


async def test_keys_belong_to_an_account_have_a_length_and_end_after_a_day() -> None:
    now = [1_800_000_000.0]
    async with sandbox_running(clock=lambda: now[0]) as address, aiohttp.ClientSession(address) as session:
        _, account, _ = await post(session, "/v1/accounts", type="standard")
        own = await post(session, "/v1/customers", "k", name="A")
        other = await post(session, "/v1/customers", "k", account["id"], name="B")
        assert own[1]["id"] != other[1]["id"]
        assert (await post(session, "/v1/customers", "k" * 256, name="C"))[0] == 400
        now[0] += 24 * 3600 - 1
        assert (await post(session, "/v1/customers", "k", name="A"))[1]["id"] == own[1]["id"]
        now[0] += 2
        assert (await post(session, "/v1/customers", "k", name="D"))[1]["name"] == "D"


async def test_limits_of_an_account_and_of_an_endpoint() -> None:
    now = [1_800_000_000.0]
    async with sandbox_running(clock=lambda: now[0]) as address, aiohttp.ClientSession(address) as session:
        _, account, _ = await post(session, "/v1/accounts", type="standard")
        async with session.post("/_sandbox/limits", json={"per_account": 5, "per_endpoint": 3}) as answer:
            assert await answer.json() == {"per_account": 5, "per_endpoint": 3}
        made = [await post(session, "/v1/customers", name="A") for _ in range(4)]
        assert [status for status, _, _ in made] == [200, 200, 200, 429]
        assert made[3][1]["error"]["code"] == "rate_limit"
        assert made[3][2]["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
        assert made[3][2]["Stripe-Should-Retry"] == "true"
        assert (await post(session, "/v1/products", name="P"))[0] == 200
        last = await post(session, "/v1/products", name="P")
        assert (last[0], last[2]["Stripe-Rate-Limited-Reason"]) == (429, "global-rate")
        assert (await post(session, "/v1/customers", None, account["id"], name="B"))[0] == 200
        now[0] += 1
        async with session.get("/v1/customers", headers=HEADERS) as listed:
            assert len((await listed.json())["data"]) == 3  # what was refused had no effect
        async with session.post("/_sandbox/limits", json={"per_minute": 5}) as answer:
            assert answer.status == 400


async def test_the_official_client_waits_a_limit_out() -> None:
    async with (
        sandbox_running() as address,
        official_client(address) as client,
        aiohttp.ClientSession(address) as session,
    ):
        async with session.post("/_sandbox/limits", json={"per_endpoint": 2}) as answer:
            assert answer.status == 200
        patient: Any = {"max_network_retries": 8}
        made = [(await client.v1.customers.create_async({"name": str(place)}, patient)).id for place in range(5)]
        assert len(set(made)) == 5
        async with session.post("/_sandbox/limits", json={}) as answer:
            assert answer.status == 200
        assert len((await client.v1.customers.list_async()).data) == 5


async def test_a_disconnected_account_is_out_of_reach_until_it_is_connected_again(
    client: stripe.StripeClient, plain: aiohttp.ClientSession, receiver: Receiver
) -> None:
    await client.v1.webhook_endpoints.create_async({"url": receiver.url, "enabled_events": ["*"], "connect": True})
    account = (await client.v1.accounts.create_async({"type": "standard"})).id
    inside: Any = {"stripe_account": account}
    customer = await client.v1.customers.create_async({"name": "A"}, inside)
    form = {"client_id": "ca_any", "stripe_user_id": account}
    async with plain.post("/oauth/deauthorize", data=form, headers={"Authorization": "Bearer sk_test_wrong"}) as answer:
        assert answer.status == 401
    async with plain.post("/oauth/deauthorize", data=form) as answer:
        assert (answer.status, await answer.json()) == (200, {"stripe_user_id": account})
    async with plain.post("/oauth/deauthorize", data=form) as answer:
        assert answer.status == 401  # only once
    with pytest.raises(stripe.PermissionError) as refused:
        await client.v1.customers.retrieve_async(customer.id, options=inside)
    assert refused.value.error is not None
    assert (refused.value.error.code, refused.value.http_status) == ("account_invalid", 403)
    with pytest.raises(stripe.PermissionError):
        await client.v1.accounts.retrieve_async(account)
    assert account not in [one.id for one in (await client.v1.accounts.list_async()).data]
    async with plain.post(f"/_sandbox/accounts/{account}/authorize") as answer:
        assert (await answer.json())["changed"] is True
    assert (await client.v1.customers.retrieve_async(customer.id, options=inside)).name == "A"
    kinds: list[str] = []
    while "account.application.authorized" not in kinds:
        body, _ = await receiver.arrived.get()
        event = stripe.Event.construct_from(json.loads(body), KEY)
        assert event.account == account
        kinds.append(event.type)
    assert "account.application.deauthorized" in kinds


async def test_while_a_secret_rolls_both_sign_and_then_only_the_new_one() -> None:
    now = [time.time()]
    async with (
        sandbox_running(clock=lambda: now[0]) as address,
        official_client(address) as client,
        aiohttp.ClientSession(address) as session,
        Receiver().running() as receiver,
    ):
        endpoint = await client.v1.webhook_endpoints.create_async(
            {"url": receiver.url, "enabled_events": ["customer.created"]}
        )
        path = f"/_sandbox/webhook_endpoints/{endpoint.id}/roll"
        async with session.post(path, json={"expires_in": 3_600}) as answer:
            new = (await answer.json())["secret"]
        assert endpoint.secret is not None
        await client.v1.customers.create_async({"name": "A"})
        body, header = await receiver.arrived.get()
        at = int(now[0])
        assert header == signature([new, endpoint.secret], body.encode(), at)
        assert header.count("v1=") == 2
        for secret in (new, endpoint.secret):
            assert client.construct_event(body, header, secret).type == "customer.created"
        now[0] += 3_601
        await client.v1.customers.create_async({"name": "B"})
        body, header = await receiver.arrived.get()
        assert header.count("v1=") == 1
        client.construct_event(body, header, new, tolerance=10_000)
        with pytest.raises(stripe.SignatureVerificationError):
            client.construct_event(body, header, endpoint.secret, tolerance=10_000)
        async with session.post(path, json={"expires_in": 10**6}) as answer:
            assert answer.status == 400


async def test_an_endpoint_of_an_older_version_is_told_in_it(client: stripe.StripeClient, receiver: Receiver) -> None:
    await client.v1.webhook_endpoints.create_async(
        {"url": receiver.url, "enabled_events": ["customer.subscription.created"], "api_version": "2024-06-20"}
    )
    customer, price = await customer_with(client), await monthly(client, 1_000)
    await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": price}]})
    body, _ = await receiver.arrived.get()
    event = json.loads(body)
    assert event["api_version"] == "2024-06-20"
    assert event["data"]["object"]["current_period_end"]
    assert "current_period_end" not in event["data"]["object"]["items"]["data"][0]
