"""A snapshot compares equal however the object was asked for, and keeps no secret."""

from typing import Any

import orjson
import pytest

from mirror.snapshot import Snapshot, Source, UnmirroredTypeError, snapshot
from tests.support.snapshots import at


def _taken(body: dict[str, Any]) -> Snapshot:
    return snapshot(body, stamp=at(0), source=Source.API, livemode=False)


PAYMENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "livemode": False,
    "created": 1,
    "amount": 500,
    "currency": "usd",
    "status": "succeeded",
    "customer": "cus_1",
    "payment_method": "pm_1",
    "last_payment_error": None,
}


def test_no_client_secret_is_kept_at_any_depth() -> None:
    secret = "pi_1_secret_abc"
    body = PAYMENT | {"client_secret": secret, "last_payment_error": {"payment_intent": {"client_secret": secret}}}
    body |= {"extra": [{"confirmation_secret": {"client_secret": secret}}]}
    assert secret.encode() not in orjson.dumps(_taken(body).body)


def test_a_secret_does_not_make_the_same_state_look_new() -> None:
    assert _taken(PAYMENT | {"client_secret": "pi_1_secret_abc"}).digest == _taken(PAYMENT).digest


def test_an_expanded_object_collapses_to_its_id() -> None:
    expanded = PAYMENT | {
        "customer": {"id": "cus_1", "object": "customer", "name": "Ada"},
        "payment_method": {"id": "pm_1", "object": "payment_method", "card": {"last4": "4242"}},
    }
    assert _taken(expanded).body["customer"] == "cus_1"
    assert _taken(expanded).digest == _taken(PAYMENT).digest


def test_the_order_of_keys_means_nothing() -> None:
    assert _taken(dict(reversed(PAYMENT.items()))).digest == _taken(PAYMENT).digest


@pytest.mark.parametrize("change", [{"status": "processing"}, {"amount": 501}, {"metadata": {"a": "b"}}])
def test_a_changed_field_changes_the_digest(change: dict[str, Any]) -> None:
    assert _taken(PAYMENT | change).digest != _taken(PAYMENT).digest


def test_parts_stay_whole_and_collapse_what_they_refer_to() -> None:
    item = {"id": "si_1", "object": "subscription_item", "price": {"id": "price_1", "object": "price"}, "quantity": 2}
    taken = _taken({"id": "sub_1", "object": "subscription", "items": {"object": "list", "data": [item]}})
    assert taken.body["items"]["data"] == [item | {"price": "price_1"}]


def test_metadata_is_the_tenants_own_and_stays_whole_whatever_its_keys() -> None:
    metadata = {"id": "7", "object": "building", "external_id": "student-7"}
    taken = _taken({"id": "cus_1", "object": "customer", "metadata": metadata})
    assert taken.body["metadata"] == metadata


@pytest.mark.parametrize(("has_more", "truncated"), [(True, True), (False, False), (None, False)])
def test_an_invoice_with_more_lines_than_were_sent_is_truncated(has_more: bool | None, truncated: bool) -> None:
    lines: dict[str, Any] = {"object": "list", "data": [], "has_more": has_more}
    assert _taken({"id": "in_1", "object": "invoice", "lines": lines}).truncated is truncated


def test_the_mode_is_the_objects_own_and_the_callers_where_it_has_none() -> None:
    live = snapshot(
        {"id": "cus_1", "object": "customer", "livemode": True}, stamp=at(0), source=Source.API, livemode=False
    )
    account = snapshot({"id": "acct_1", "object": "account"}, stamp=at(0), source=Source.API, livemode=True)
    assert live.livemode
    assert account.livemode


@pytest.mark.parametrize("object_", ["charge", None, "", ["customer"]])
def test_other_types_are_refused(object_: object) -> None:
    with pytest.raises(UnmirroredTypeError):
        _taken({"id": "x", "object": object_})


def test_a_nul_in_stripes_words_is_replaced() -> None:
    """PostgreSQL would refuse the row, and with it each batch and each check of the tenant's mirror."""
    body = PAYMENT | {"description": "a\0b", "metadata": {"external_id": "x\0", "n": 1}, "shipping": {"name": "\0"}}
    found = _taken(body).body
    assert (found["description"], found["metadata"]) == ("a\ufffdb", {"external_id": "x\ufffd", "n": 1})
    assert found["shipping"] == {"name": "\ufffd"}
