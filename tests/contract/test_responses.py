"""The oracle itself: it must find what is wrong, and let pass what real Stripe sends."""

from typing import Any

import pytest

from tests.contract.responses import problems, problems_of_event, validate_response

COUPON: dict[str, Any] = {
    "id": "half",
    "object": "coupon",
    "amount_off": None,
    "created": 1_790_000_000,
    "currency": None,
    "duration": "once",
    "duration_in_months": None,
    "livemode": False,
    "max_redemptions": None,
    "metadata": {},
    "name": None,
    "percent_off": 50.0,
    "redeem_by": None,
    "times_redeemed": 0,
    "valid": True,
}
RETRIEVE = "GET /v1/coupons/{coupon}"


def test_a_whole_object_passes() -> None:
    validate_response(RETRIEVE, 200, COUPON)


def test_a_key_that_stripe_always_sends_may_not_be_absent() -> None:
    body = {key: value for key, value in COUPON.items() if key != "redeem_by"}
    assert problems(RETRIEVE, 200, body) == ["coupon lacks redeem_by"]


def test_an_unknown_key_and_a_wrong_type_are_found() -> None:
    found = problems(RETRIEVE, 200, COUPON | {"colour": "red", "times_redeemed": "0"})
    assert len(found) == 2
    assert any("colour" in problem for problem in found)
    assert any(problem.startswith("times_redeemed: ") for problem in found)


def test_a_deleted_object_is_a_stub() -> None:
    validate_response("DELETE /v1/coupons/{coupon}", 200, {"id": "half", "object": "coupon", "deleted": True})


def test_a_list_is_checked_element_by_element() -> None:
    page = {
        "object": "list",
        "data": [COUPON, COUPON | {"valid": None}],
        "has_more": False,
        "url": "/v1/coupons",
    }
    with pytest.raises(AssertionError, match=r"data\.1\.valid"):
        validate_response("GET /v1/coupons", 200, page)


def test_a_refusal_needs_a_type_and_a_message() -> None:
    assert problems(RETRIEVE, 404, {"error": {"type": "invalid_request_error"}}) == ["error has no message"]
    assert problems(RETRIEVE, 404, {"detail": "Not Found"}) == ["a refusal has no error object"]


def test_the_snapshot_inside_an_event_is_checked() -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "data": {"object": COUPON | {"percent_off": "half"}},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": "coupon.created",
    }
    (problem,) = problems_of_event(event)
    assert problem.startswith("in coupon.created: percent_off: ")
