"""The same key does the same thing once: two at once, answers that are lost, processes that are killed on the way."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.demo import Demo, eventually, running

pytestmark = pytest.mark.slow

# CI runs each case this often; `make soak` more (SOAK_ROUNDS).
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "2"))
# One kill ends so many requests at once. Before the commit each tenant's revision is locked, so one of each is held.
AT_ONCE = {"before_stripe": 24, "after_stripe": 24, "before_commit": 3}
SUBSCRIBE = """mutation($input: SubscriptionCreateInput!) { answer: subscriptionCreate(input: $input) {
  object: subscription { id stripeId status } errors { code field } revision } }"""
CHECKOUT = """mutation($input: CheckoutSessionCreateInput!) { answer: checkoutSessionCreate(input: $input) {
  object: checkoutSession { id stripeId status url } errors { code field } revision } }"""
CREATE = """mutation($input: CustomerCreateInput!) {
  customerCreate(input: $input) { customer { stripeId } errors { code } } }"""
LISTS = {SUBSCRIBE: "/v1/subscriptions", CHECKOUT: "/v1/checkout/sessions"}


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Path]]:
    folder = tmp_path_factory.mktemp("armed")
    points = tmp_path_factory.mktemp("failpoints")
    with running(folder, GATEWAY_FAILPOINTS=str(points)) as demo:
        yield demo, points


def order(demo: Demo, mutation: str, tenant_number: int = 0) -> dict[str, Any]:
    """The input of a mutation for a new customer of a tenant who can pay."""
    tenant = demo.tenant(tenant_number)
    partner = tenant["partner_key"]
    made = demo.ask(partner, CREATE, {"input": {"email": f"{uuid4().hex}@payers.example"}})
    customer = made["customerCreate"]["customer"]["stripeId"]
    plan = demo.ask(partner, "{ plans(first: 1) { nodes { id } } }")["plans"]["nodes"][0]["id"]
    found: dict[str, Any] = {"customer": customer, "plan": plan, "idempotencyKey": uuid4().hex}
    if mutation == CHECKOUT:
        return found | {"successUrl": "https://example.com/done"}
    method = demo.stripe("POST", "/v1/payment_methods/pm_card_visa/attach", tenant["account"], customer=customer)
    seen = "query($id: ID!) { customer(id: $id) { paymentMethods(first: 1) { nodes { id } } } }"
    eventually(lambda: demo.ask(partner, seen, {"id": customer})["customer"]["paymentMethods"]["nodes"])
    return found | {"paymentMethod": method["id"]}


def send(demo: Demo, mutation: str, input_: dict[str, Any], number: int = 0) -> dict[str, Any] | None:
    """The payload, or None where the process died under the request."""
    try:
        answer = demo.send(demo.tenant(number)["partner_key"], mutation, {"input": input_})
    except httpx.TransportError:
        return None
    found: dict[str, Any] = answer.json()["data"]["answer"]
    return found


def settled(demo: Demo, mutation: str, input_: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """Repeat until the answer is final, as a client would."""
    retry = {"STRIPE_UNAVAILABLE", "IDEMPOTENCY_KEY_IN_USE", "RATE_LIMITED"}

    def attempt() -> dict[str, Any] | None:
        found = send(demo, mutation, input_, number)
        return None if found is None or any(error["code"] in retry for error in found["errors"]) else found

    found = eventually(attempt, within=60)
    assert found, "no final answer within a minute"
    payload: dict[str, Any] = found
    return payload


def objects(demo: Demo, mutation: str, input_: dict[str, Any], number: int = 0) -> list[dict[str, Any]]:
    """What Stripe has for that customer, by its own lists."""
    return demo.stripe_list(LISTS[mutation], demo.tenant(number)["account"], customer=input_["customer"])


def check_once(demo: Demo, mutation: str, input_: dict[str, Any], number: int = 0) -> None:
    first = settled(demo, mutation, input_, number)
    assert first["errors"] == []
    assert [one["id"] for one in objects(demo, mutation, input_, number)] == [first["object"]["stripeId"]]
    assert settled(demo, mutation, input_, number) == first
    other = settled(demo, mutation, input_ | {"quantity": 7}, number)
    assert other["errors"] == [{"code": "IDEMPOTENCY_KEY_REUSED", "field": "idempotencyKey"}]
    assert len(objects(demo, mutation, input_, number)) == 1


@pytest.mark.parametrize("mutation", [SUBSCRIBE, CHECKOUT], ids=["subscription", "checkout"])
@pytest.mark.parametrize("point", ["before_stripe", "after_stripe", "before_commit"])
def test_a_process_killed_on_the_way_leaves_one_object(armed: tuple[Demo, Path], mutation: str, point: str) -> None:
    demo, points = armed
    left = ROUNDS
    with ThreadPoolExecutor(24) as pool:
        while left > 0:
            at_once = min(AT_ONCE[point], left)
            orders = [(order(demo, mutation, number % 3), number % 3) for number in range(at_once)]
            (points / point).write_text(str(at_once))
            answers = [pool.submit(send, demo, mutation, input_, number) for input_, number in orders]
            assert [answer.result() for answer in answers] == [None] * at_once
            assert not (points / point).exists()
            made = 0 if point == "before_stripe" else 1
            assert [len(objects(demo, mutation, *one)) for one in orders] == [made] * at_once
            for check in [pool.submit(check_once, demo, mutation, *one) for one in orders]:
                check.result()
            left -= at_once


@pytest.mark.parametrize("mutation", [SUBSCRIBE, CHECKOUT], ids=["subscription", "checkout"])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_lost_answer_leaves_one_object(armed: tuple[Demo, Path], mutation: str, times: int) -> None:
    demo, _ = armed
    for _ in range(ROUNDS):
        input_ = order(demo, mutation)
        fault = {"match": {"method": "POST", "path": LISTS[mutation]}, "effect": "drop_answer", "times": times}
        httpx.post(demo.told["sandbox"] + "/_sandbox/faults", content=json.dumps(fault)).raise_for_status()
        check_once(demo, mutation, input_)


SETUP = """mutation($input: SetupIntentCreateInput!) { answer: setupIntentCreate(input: $input) {
  object: clientSecret errors { code field } revision } }"""
NEW_CUSTOMER = """mutation($input: CustomerCreateInput!) { answer: customerCreate(input: $input) {
  object: customer { stripeId } errors { code field } revision } }"""


def new_customer() -> dict[str, Any]:
    return {"email": f"{uuid4().hex}@Payers.example", "idempotencyKey": uuid4().hex}


def fail_once(demo: Demo, path: str, effect: str) -> None:
    fault = {"match": {"method": "POST", "path": path}, "effect": effect, "status": 500}
    httpx.post(demo.told["sandbox"] + "/_sandbox/faults", content=json.dumps(fault)).raise_for_status()


@pytest.mark.parametrize("effect", ["saved", "saved_after"])
@pytest.mark.parametrize("mutation", [SUBSCRIBE, CHECKOUT, SETUP], ids=["subscription", "checkout", "setup"])
def test_a_failure_that_stripe_saved_leaves_one_object(armed: tuple[Demo, Path], mutation: str, effect: str) -> None:
    demo, _ = armed
    input_ = order(demo, SUBSCRIBE if mutation == SETUP else mutation)
    if mutation == SETUP:
        input_ = {name: input_[name] for name in ("customer", "idempotencyKey")}
    path = LISTS.get(mutation, "/v1/setup_intents")
    fail_once(demo, path, effect)
    first = send(demo, mutation, input_)
    assert first is not None
    assert [error["code"] for error in first["errors"]] == ["STRIPE_UNAVAILABLE"]
    made = settled(demo, mutation, input_)
    assert made["errors"] == []
    assert len(demo.stripe_list(path, demo.tenant(0)["account"], customer=input_["customer"])) == 1
    assert settled(demo, mutation, input_)["object"] == made["object"]


@pytest.mark.parametrize("effect", ["saved", "saved_after"])
def test_a_failure_that_stripe_saved_leaves_one_customer(armed: tuple[Demo, Path], effect: str) -> None:
    demo, _ = armed
    input_ = new_customer()
    fail_once(demo, "/v1/customers", effect)
    first = send(demo, NEW_CUSTOMER, input_)
    assert first is not None
    assert [error["code"] for error in first["errors"]] == ["STRIPE_UNAVAILABLE"]
    assert settled(demo, NEW_CUSTOMER, input_)["errors"] == []
    everyone = demo.stripe_list("/v1/customers", demo.tenant(0)["account"])
    assert len([one for one in everyone if one["email"] == input_["email"]]) == 1


def test_a_repetition_is_answered_though_what_it_named_is_gone(armed: tuple[Demo, Path]) -> None:
    demo, _ = armed
    tenant = demo.tenant(0)
    input_ = order(demo, SUBSCRIBE)
    made = settled(demo, SUBSCRIBE, input_)
    demo.stripe("DELETE", f"/v1/customers/{input_['customer']}", tenant["account"])
    seen, asked = "query($id: ID!) { customer(id: $id) { id } }", {"id": input_["customer"]}
    assert eventually(lambda: demo.ask(tenant["partner_key"], seen, asked) == {"customer": None})
    again = send(demo, SUBSCRIBE, input_)
    assert again is not None
    assert again["errors"] == []
    assert again["object"]["stripeId"] == made["object"]["stripeId"]
    fresh = send(demo, SUBSCRIBE, input_ | {"idempotencyKey": uuid4().hex})
    assert fresh is not None
    assert fresh["errors"] == [{"code": "NOT_FOUND", "field": "customer"}]
    assert objects(demo, SUBSCRIBE, input_) == []  # the first one ended with its customer


def test_a_repetition_of_what_made_a_thing_that_was_deleted_says_so(armed: tuple[Demo, Path]) -> None:
    demo, _ = armed
    tenant = demo.tenant(0)
    input_ = new_customer()
    made = settled(demo, NEW_CUSTOMER, input_)
    demo.stripe("DELETE", f"/v1/customers/{made['object']['stripeId']}", tenant["account"])
    again = eventually(lambda: (found := send(demo, NEW_CUSTOMER, input_)) and found["errors"] and found)
    assert again == {"object": None, "errors": [{"code": "NOT_FOUND", "field": None}], "revision": None}
    left = [one["email"] for one in demo.stripe_list("/v1/customers", tenant["account"])]
    assert input_["email"] not in left


@pytest.mark.parametrize("mutation", [SUBSCRIBE, CHECKOUT], ids=["subscription", "checkout"])
def test_two_at_once_make_one_object(armed: tuple[Demo, Path], mutation: str) -> None:
    demo, _ = armed
    for _ in range(ROUNDS):
        input_ = order(demo, mutation)
        act: Callable[[int], dict[str, Any]] = lambda _: settled(demo, mutation, input_)  # noqa: B023, E731
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(act, range(4)))
        assert all(answer == answers[0] for answer in answers)
        assert len(objects(demo, mutation, input_)) == 1


CANCEL = """mutation($input: SubscriptionCancelInput!) { answer: subscriptionCancel(input: $input) {
  object: subscription { id stripeId status cancelAtPeriodEnd } errors { code field } revision } }"""


@pytest.mark.parametrize("at_period_end", [True, False])
def test_a_cancellation_is_answered_at_once_while_its_webhooks_arrive(
    armed: tuple[Demo, Path], at_period_end: bool
) -> None:
    demo, _ = armed
    for _ in range(4 * ROUNDS):
        made = settled(demo, SUBSCRIBE, order(demo, SUBSCRIBE))
        asked = {"subscription": made["object"]["id"], "atPeriodEnd": at_period_end, "idempotencyKey": uuid4().hex}
        answer = send(demo, CANCEL, asked)
        assert answer is not None
        assert answer["errors"] == []
        assert answer["object"]["cancelAtPeriodEnd"] is at_period_end
        assert answer["object"]["status"] == ("ACTIVE" if at_period_end else "CANCELED")
