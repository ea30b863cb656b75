"""Only bytes that Stripe signed, just now, with a secret that is valid now, are taken."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.events import signature
from webhooks.signature import TOLERANCE, BadSignatureError, verify

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
LIMIT = int(TOLERANCE.total_seconds())
BODY = '{"id": "evt_1", "name": "Zoë"}'.encode()


def _refused(header: str | None, *, body: bytes = BODY, secrets: tuple[str, ...] = ("whsec_a",)) -> bool:
    try:
        verify(body, header, secrets, now=NOW)
    except BadSignatureError:
        return True
    return False


@pytest.mark.parametrize("age", [0, LIMIT, -LIMIT])
def test_a_signature_holds_within_the_tolerance(age: int) -> None:
    assert not _refused(signature(BODY, "whsec_a", second=SECOND - age))


@pytest.mark.parametrize("age", [LIMIT + 1, -LIMIT - 1, SECOND, -(10**9)])
def test_an_old_one_and_one_from_the_future_are_refused(age: int) -> None:
    assert _refused(signature(BODY, "whsec_a", second=SECOND - age))


def test_any_of_several_secrets_is_taken_and_no_other() -> None:
    for secret in ("whsec_a", "whsec_b"):
        assert not _refused(signature(BODY, secret, second=SECOND), secrets=("whsec_a", "whsec_b"))
    assert _refused(signature(BODY, "whsec_c", second=SECOND), secrets=("whsec_a", "whsec_b"))
    assert _refused(signature(BODY, "whsec_a", second=SECOND), secrets=())


def test_a_header_with_the_signatures_of_two_secrets_is_taken() -> None:
    old, new = (signature(BODY, secret, second=SECOND) for secret in ("whsec_old", "whsec_a"))
    assert not _refused(f"{old},{new.partition(',')[2]}")


def test_another_body_is_refused_even_by_a_space() -> None:
    header = signature(BODY, "whsec_a", second=SECOND)
    assert _refused(header, body=BODY + b" ")
    assert _refused(header, body=b"")


def test_bytes_that_are_no_text_are_refused_even_with_a_right_signature() -> None:
    body = b'{"id": "\xff"}'
    signed = hmac.new(b"whsec_a", f"{SECOND}.".encode() + body, hashlib.sha256).hexdigest()
    assert _refused(f"t={SECOND},v1={signed}", body=body)


@pytest.mark.parametrize(
    "spaced", ["x=1, t={now},t={old},v1={v1}", " t={now},t={old},v1={v1}", "t={now} ,t={old},v1={v1}"]
)
def test_a_second_time_in_the_header_makes_no_old_delivery_young(spaced: str) -> None:
    old = SECOND - 10 * LIMIT
    v1 = signature(BODY, "whsec_a", second=old).rpartition("v1=")[2]
    assert _refused(spaced.format(now=SECOND, old=old, v1=v1))


@pytest.mark.parametrize(
    "header",
    [None, "", ",", "t", "t=", "v1=", f"t={SECOND}", f"t={SECOND},v0=abc", f"t=-{SECOND}", "t=²", "t=9" + "9" * 5000],
)
def test_no_header_and_a_broken_one_are_refused(header: str | None) -> None:
    assert _refused(header)


@given(st.text(alphabet=st.sampled_from("tv10=, é\t") | st.characters(), max_size=40))
def test_no_header_raises_anything_else(header: str) -> None:
    assert _refused(header)
    assert _refused(f"t={SECOND},v1={header}")
