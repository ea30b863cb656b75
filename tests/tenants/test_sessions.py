"""A session token holds for what it says, for as long as it says, and only if we signed it."""

import base64
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from tenants.sessions import AUDIENCE, ISSUER, LONGEST, ExpiredSessionError, InvalidSessionError, Session, SessionKeys

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = OKPKey.generate_key("Ed25519")
OTHER = OKPKey.generate_key("Ed25519")
KEYS = SessionKeys([KEY.as_pem(private=True).decode()])
MINUTE = timedelta(minutes=1)
_DEEP = b'{"a":' * 20_000


def _mint(lifetime: timedelta = 15 * MINUTE) -> str:
    return KEYS.mint(tenant="clinic", customer="cus_1", livemode=False, now=NOW, lifetime=lifetime)


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "cus_1", "tenant": "clinic", "livemode": False}
    return claims | {"iat": int(NOW.timestamp()), "exp": int((NOW + MINUTE).timestamp())} | changes


def _signed(claims: dict[str, Any], *, key: OKPKey = KEY, **header: Any) -> str:
    key.ensure_kid()
    given = {"alg": "Ed25519", "typ": "session+jwt", "kid": key.kid} | header
    return jwt.encode(given, claims, key, algorithms=["Ed25519"])


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else orjson.dumps(value)).decode().rstrip("=")


def test_a_token_says_whom_it_speaks_for() -> None:
    assert KEYS.verify(_mint(), now=NOW) == Session("clinic", "cus_1", False, NOW + 15 * MINUTE, NOW)
    assert KEYS.verify(_signed(_claims()), now=NOW).customer == "cus_1"


def test_a_token_ends_with_its_last_second() -> None:
    token = _mint(MINUTE)
    assert KEYS.verify(token, now=NOW + MINUTE - timedelta(seconds=1))
    with pytest.raises(ExpiredSessionError):
        KEYS.verify(token, now=NOW + MINUTE)


@pytest.mark.parametrize("lifetime", [timedelta(0), -MINUTE, LONGEST + timedelta(seconds=1)])
def test_no_token_lives_longer_than_an_hour_or_not_at_all(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="one hour"):
        _mint(lifetime)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": [AUDIENCE, "another"]},
        {"iss": "another"},
        {"sub": None},
        {"sub": 7},
        {"tenant": None},
        {"livemode": None},
        {"livemode": "false"},
        {"exp": None},
        {"exp": "9999999999"},
    ],
)
def test_wrong_claims_are_refused_even_with_our_signature(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSessionError):
        KEYS.verify(_signed(_claims(**changes)), now=NOW)


@pytest.mark.parametrize("type_", ["JWT", "at+jwt", ""])
def test_another_type_of_token_is_refused(type_: str) -> None:
    with pytest.raises(InvalidSessionError):
        KEYS.verify(_signed(_claims(), typ=type_), now=NOW)


def test_another_key_is_refused_even_under_our_keys_name() -> None:
    for token in (_signed(_claims(), key=OTHER), _signed(_claims(), key=OTHER, kid=KEY.kid)):
        with pytest.raises(InvalidSessionError):
            KEYS.verify(token, now=NOW)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "EdDSA", "RS256", "", None])
def test_no_other_algorithm_is_taken(algorithm: str | None) -> None:
    body = f"{_part({'alg': algorithm, 'typ': 'session+jwt', 'kid': KEY.kid})}.{_part(_claims())}"
    for signature in ("", _signed(_claims()).rpartition(".")[2]):
        with pytest.raises(InvalidSessionError):
            KEYS.verify(f"{body}.{signature}", now=NOW)


def test_our_public_key_is_no_shared_secret() -> None:
    secret = OctKey.import_key(KEY.as_pem(private=False).hex())
    token = jwt.encode({"alg": "HS256", "typ": "session+jwt", "kid": KEY.kid}, _claims(), secret, algorithms=["HS256"])
    with pytest.raises(InvalidSessionError):
        KEYS.verify(token, now=NOW)


@pytest.mark.parametrize("changes", [{"sub": "cus_2"}, {"tenant": "school"}, {"exp": 9_999_999_999}])
def test_changed_claims_are_refused(changes: dict[str, Any]) -> None:
    header, _, signature = _mint().split(".")
    with pytest.raises(InvalidSessionError):
        KEYS.verify(f"{header}.{_part(_claims(**changes))}.{signature}", now=NOW)


def test_every_changed_character_is_refused() -> None:
    token = _mint()
    # the last letter of 64 bytes in base64 carries four bits that mean nothing
    for place in range(len(token) - 1):
        wrong = "A" if token[place] != "A" else "B"
        with pytest.raises(InvalidSessionError):
            KEYS.verify(token[:place] + wrong + token[place + 1 :], now=NOW)


def test_keys_roll_through_several_processes_without_a_refused_token() -> None:
    """By the steps of docs/operating.md: whoever was restarted already, and whoever was not yet, know each other's."""
    old, new = (key.as_pem(private=True).decode() for key in (KEY, OTHER))
    steps = [[old], [old, new], [new, old]]
    for before, after in itertools.pairwise(steps):
        for restarted in range(4):
            processes = [SessionKeys(after if number < restarted else before) for number in range(3)]
            for minting, verifying in itertools.product(processes, repeat=2):
                token = minting.mint(tenant="clinic", customer="cus_1", livemode=False, now=NOW, lifetime=MINUTE)
                assert verifying.verify(token, now=NOW).customer == "cus_1"
    # an hour later no token of the old key lives any more, and it is dropped
    late = SessionKeys(steps[-1]).mint(tenant="t", customer="cus_1", livemode=False, now=NOW, lifetime=MINUTE)
    assert SessionKeys([new]).verify(late, now=NOW).customer == "cus_1"


def test_a_rolled_key_still_verifies_and_a_dropped_one_does_not() -> None:
    old, new = (key.as_pem(private=True).decode() for key in (KEY, OTHER))
    assert SessionKeys([new, old]).verify(_mint(), now=NOW).tenant == "clinic"
    with pytest.raises(InvalidSessionError):
        SessionKeys([new]).verify(_mint(), now=NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        f"{_part([])}.{_part({})}.",
        f"{_part(7)}.{_part({})}.",
        f"{_part(b'[' * 20_000)}.{_part({})}.{_part(b'x')}",
        f"{_part(_DEEP)}.{_part({})}.{_part(b'x')}",
        f"{_part({'alg': 'Ed25519', 'kid': {'a': 1}})}.{_part({})}.{_part(b'x')}",
        f"{_part({'alg': ['Ed25519']})}.{_part({})}.{_part(b'x')}",
        f"{_part({'alg': 'Ed25519', 'crit': 'b64', 'b64': False})}.{_part({})}.{_part(b'x')}",
        f"{_part({'alg': 'Ed25519', 'typ': 1})}.{_part({})}.{_part(b'x' * 64)}",
        "é.é.é",
    ],
)
def test_rubbish_is_refused_and_nothing_worse(token: str) -> None:
    with pytest.raises(InvalidSessionError):
        KEYS.verify(token, now=NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]), inner),
    max_leaves=5,
)


@given(header=_JSON, claims=_JSON, signature=st.binary(max_size=70))
def test_no_header_or_claims_of_any_form_raise_anything_else(header: Any, claims: Any, signature: bytes) -> None:
    token = ".".join(_part(json.dumps(part).encode()) for part in (header, claims)) + "." + _part(signature)
    with pytest.raises(InvalidSessionError):
        KEYS.verify(token, now=NOW)
