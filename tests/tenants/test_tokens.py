"""A mistyped key is refused by itself, before anyone looks it up."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import tokens
from tenants.tokens import MalformedTokenError, generate, parse

TEXT, KEY = generate(livemode=False)
ANY_CHARACTER = string.digits + string.ascii_letters + "_- "


def _refused(text: str) -> bool:
    try:
        parse(text)
    except MalformedTokenError:
        return True
    return False


@pytest.mark.parametrize("livemode", [True, False])
def test_a_key_is_read_as_it_was_made(livemode: bool) -> None:
    text, key = generate(livemode=livemode)
    assert parse(text) == key
    assert key.livemode is livemode
    assert text.startswith(f"bgw_{'live' if livemode else 'test'}_{key.public_id}_")
    assert tokens.looks_like_key(text)


def test_no_two_keys_share_a_part() -> None:
    keys = [generate(livemode=False) for _ in range(200)]
    assert len({key.public_id for _, key in keys}) == len({key.secret_hash for _, key in keys}) == 200


def test_what_is_stored_and_shown_holds_no_secret() -> None:
    secret = TEXT.rpartition("_")[2][:43]
    assert secret not in repr(KEY)
    assert secret.encode() not in KEY.secret_hash


def test_a_secret_matches_its_own_hash_only() -> None:
    other = generate(livemode=False)[1]
    assert KEY.matches(KEY.secret_hash)
    assert not KEY.matches(other.secret_hash)
    assert not KEY.matches(b"")


def test_every_change_of_a_single_character_is_refused() -> None:
    for place, right in enumerate(TEXT):
        for wrong in ANY_CHARACTER.replace(right, ""):
            assert _refused(TEXT[:place] + wrong + TEXT[place + 1 :]), (place, wrong)


def test_every_swap_of_neighbours_is_refused() -> None:
    for place in range(len(TEXT) - 1):
        if TEXT[place] != TEXT[place + 1]:
            assert _refused(TEXT[:place] + TEXT[place + 1] + TEXT[place] + TEXT[place + 2 :]), place


def test_every_loss_and_every_repetition_of_a_character_is_refused() -> None:
    for place in range(len(TEXT)):
        assert _refused(TEXT[:place] + TEXT[place + 1 :]), place
        assert _refused(TEXT[: place + 1] + TEXT[place:]), place


def test_a_key_of_one_mode_is_none_of_the_other() -> None:
    assert _refused(TEXT.replace("bgw_test_", "bgw_live_"))


@given(st.text(max_size=120))
def test_other_text_is_refused_and_nothing_worse(text: str) -> None:
    assert _refused(text)
    assert _refused("bgw_test_" + text)


@given(st.text(alphabet=st.characters(min_codepoint=128, max_codepoint=0xFFFF), min_size=1, max_size=1), st.data())
def test_letters_that_look_alike_are_refused(letter: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(TEXT) - 1))
    assert _refused(TEXT[:place] + letter + TEXT[place + 1 :])
