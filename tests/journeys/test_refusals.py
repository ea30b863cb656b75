"""Bad input gets a clear error with a code, and nothing happens."""

from uuid import uuid4

import httpx
import pytest

from tests.support.demo import Demo

pytestmark = pytest.mark.slow

SUBSCRIBE = """mutation($input: SubscriptionCreateInput!) {
  subscriptionCreate(input: $input) { subscription { id } errors { code field } } }"""
CREATE = "mutation($input: CustomerCreateInput!) { customerCreate(input: $input) { errors { code field } } }"


def own_customer(demo: Demo, number: int) -> str:
    found = demo.ask(demo.tenant(number)["partner_key"], "{ customers(first: 1) { nodes { id } } }")
    customer: str = found["customers"]["nodes"][0]["id"]
    return customer


def test_an_unknown_plan_and_a_foreign_customer_are_refused_alike_and_nothing_is_asked_of_stripe(demo: Demo) -> None:
    partner = demo.tenant(0)["partner_key"]
    plan = demo.ask(partner, "{ plans(first: 1) { nodes { id } } }")["plans"]["nodes"][0]["id"]
    before = demo.stripe_requests()
    for customer, wanted, field in (
        (own_customer(demo, 0), "price_0unknown", "plan"),
        (own_customer(demo, 1), plan, "customer"),
        ("cus_0unknown", plan, "customer"),
    ):
        asked = {"customer": customer, "plan": wanted, "idempotencyKey": uuid4().hex}
        answer = demo.ask(partner, SUBSCRIBE, {"input": asked})["subscriptionCreate"]
        assert answer == {"subscription": None, "errors": [{"code": "NOT_FOUND", "field": field}]}
    assert demo.stripe_requests() == before


def test_a_customer_may_not_do_what_needs_a_scope(demo: Demo) -> None:
    token = demo.tenant()["customer_token"]
    body = demo.send(token, CREATE, {"input": {"email": "a@b.example"}}).json()
    assert "data" not in body
    assert {error["extensions"]["code"] for error in body["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


def test_a_bad_address_is_refused_before_stripe_is_asked(demo: Demo) -> None:
    before = demo.stripe_requests()
    answer = demo.ask(demo.tenant()["partner_key"], CREATE, {"input": {"email": "nobody"}})["customerCreate"]
    assert answer["errors"] == [{"code": "INVALID_INPUT", "field": "email"}]
    assert demo.stripe_requests() == before


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("nonsense", "UNAUTHENTICATED"),
        ("bgw_test_0123456789abcdef_mistyped", "TOKEN_MALFORMED"),
    ],
)
def test_a_wrong_token_is_told_so(demo: Demo, token: str, code: str) -> None:
    answer = demo.send(token, "{ viewer { role } }")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_an_unsigned_webhook_is_refused(demo: Demo) -> None:
    answer = httpx.post(demo.told["webhooks"], json={"id": "evt_1", "type": "customer.created"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_SIGNATURE"


@pytest.mark.parametrize("body", [b"null", b"1", b'"x"', b"[1]", b"{", b"\xff", b'{"query":5}'])
def test_a_malformed_body_is_a_clear_400(demo: Demo, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {demo.tenant()['partner_key']}", "Content-Type": "application/json"}
    answer = httpx.post(demo.told["graphql"], content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_page_arguments_are_bounded(demo: Demo) -> None:
    for arguments in ("", "(first: 0)", "(first: 101)", "(first: 1, last: 1)", '(first: 1, after: "x")'):
        body = demo.send(demo.tenant()["partner_key"], f"{{ invoices{arguments} {{ nodes {{ id }} }} }}").json()
        assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
