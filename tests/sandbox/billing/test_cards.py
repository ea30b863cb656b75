"""The test cards: what the bank says."""

import pytest

from sandbox.billing import cards
from sandbox.billing.cards import CARDS, Behaviour, Result, attach_outcome, luhn, outcome


def method(name: str, *, authenticated: bool = False) -> dict[str, object]:
    card = CARDS[name]
    return {"_behaviour": card.behaviour, "_decline": card.decline, "_authenticated": authenticated}


@pytest.mark.parametrize(
    ("name", "charged", "attached"),
    [
        ("visa", Result.SUCCEEDED, Result.SUCCEEDED),
        ("chargeDeclined", Result.DECLINED, Result.DECLINED),
        ("chargeCustomerFail", Result.DECLINED, Result.SUCCEEDED),
        ("authenticationRequired", Result.REQUIRES_ACTION, Result.SUCCEEDED),
        ("authenticationRequiredOnSetup", Result.REQUIRES_ACTION, Result.SUCCEEDED),
    ],
)
def test_each_kind_of_card_has_its_outcome(name: str, charged: Result, attached: Result) -> None:
    assert (outcome(method(name)).result, attach_outcome(method(name)).result) == (charged, attached)


def test_only_the_card_that_asks_once_remembers_an_authentication() -> None:
    once = method("authenticationRequiredOnSetup", authenticated=True)
    always = method("authenticationRequired", authenticated=True)
    assert outcome(once).result is Result.SUCCEEDED
    assert outcome(always).result is Result.REQUIRES_ACTION
    assert outcome(always, authenticated=True).result is Result.SUCCEEDED


def test_every_decline_says_why() -> None:
    reasons = {
        name: outcome(method(name)).decline_code
        for name, card in CARDS.items()
        if card.behaviour is Behaviour.DECLINED and not name.startswith("visa_")
    }
    assert reasons == {
        "chargeDeclined": "generic_decline",
        "chargeDeclinedInsufficientFunds": "insufficient_funds",
        "chargeDeclinedLostCard": "lost_card",
        "chargeDeclinedStolenCard": "stolen_card",
        "chargeDeclinedVelocityLimitExceeded": "card_velocity_exceeded",
        "chargeDeclinedExpiredCard": "expired_card",
        "chargeDeclinedIncorrectCvc": "incorrect_cvc",
        "chargeDeclinedProcessingError": "processing_error",
    }


def test_every_test_number_is_a_card_number() -> None:
    assert [number for number in cards.BY_NUMBER if not luhn(number)] == []
    assert not luhn("4242424242424241")
