"""Stripe's test cards, and what happens when one is attached or charged."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sandbox.billing.banks import MESSAGES


class Result(StrEnum):
    """What the bank says to a payment."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"  # a debit, of which the bank is heard days later


@dataclass(frozen=True, slots=True)
class Outcome:
    """The bank's answer; the codes and the message are there only for a decline."""

    result: Result
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    message: str | None = None

    @property
    def error(self) -> dict[str, str]:
        """The decline as it stands in an error's body and in last_payment_error."""
        names = ("code", "decline_code", "advice_code", "network_decline_code", "message")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


SUCCEEDED = Outcome(Result.SUCCEEDED)
REQUIRES_ACTION = Outcome(Result.REQUIRES_ACTION)
PROCESSING = Outcome(Result.PROCESSING)


class Behaviour(StrEnum):
    """How a test card acts over its life."""

    GOOD = "good"
    DECLINED = "declined"  # already when it is attached to a customer
    CHARGE_FAILS = "charge_fails"  # attaches, then every charge is declined
    AUTHENTICATE = "authenticate"  # every payment
    AUTHENTICATE_ONCE = "authenticate_once"  # until it was set up; then only while its owner is there
    AUTHENTICATE_HERE = "authenticate_here"  # only while its owner is there: it is set up already
    AUTHENTICATE_IF_ASKED = "authenticate_if_asked"  # where request_three_d_secure wants it
    AUTHENTICATE_IN_VAIN = "authenticate_in_vain"  # and is declined all the same
    DEBIT = "debit"  # a bank account: the payment is under way for a while
    DISPUTE = "dispute"  # every charge succeeds, and its payer disputes it at once
    DISPUTE_NOT_RECEIVED = "dispute_not_received"
    INQUIRY = "inquiry"  # the payer's bank only asks


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card number that Stripe gives out for tests."""

    __test__ = False  # pytest collects what is called Test…

    number: str
    brand: str
    behaviour: Behaviour = Behaviour.GOOD
    funding: str = "credit"
    decline: str = "generic_decline"
    country: str = "US"


def _declined(message: str, decline: str, advice: str, network: str, code: str = "card_declined") -> Outcome:
    return Outcome(Result.DECLINED, code, decline, advice, network, message)


# The first is recorded from the real API; the codes of the others are the card networks' usual ones.
DECLINES = {
    "generic_decline": _declined("Your card was declined.", "generic_decline", "try_again_later", "01"),
    "insufficient_funds": _declined("Your card has insufficient funds.", "insufficient_funds", "try_again_later", "51"),
    "fraudulent": _declined("Your card was declined.", "fraudulent", "do_not_try_again", "59"),
    "lost_card": _declined("Your card was declined.", "lost_card", "do_not_try_again", "41"),
    "stolen_card": _declined("Your card was declined.", "stolen_card", "do_not_try_again", "43"),
    "card_velocity_exceeded": _declined(
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        "card_velocity_exceeded",
        "try_again_later",
        "65",
    ),
    "expired_card": _declined("Your card has expired.", "expired_card", "do_not_try_again", "54", "expired_card"),
    "incorrect_cvc": _declined(
        "Your card's security code is incorrect.", "incorrect_cvc", "confirm_card_data", "82", "incorrect_cvc"
    ),
    "processing_error": _declined(
        "An error occurred while processing your card. Try again in a little bit.",
        "processing_error",
        "try_again_later",
        "96",
        "processing_error",
    ),
}
AUTHENTICATION_REQUIRED = Outcome(
    Result.DECLINED,
    "authentication_required",
    "authentication_required",
    message="Your card was declined. This transaction requires authentication.",
)

# By the name in pm_card_<name> and tok_<name>.
CARDS = {
    "visa": TestCard("4242424242424242", "visa"),
    "visa_debit": TestCard("4000056655665556", "visa", funding="debit"),
    "mastercard": TestCard("5555555555554444", "mastercard"),
    "mastercard_debit": TestCard("5200828282828210", "mastercard", funding="debit"),
    "mastercard_prepaid": TestCard("5105105105105100", "mastercard", funding="prepaid"),
    "amex": TestCard("378282246310005", "amex"),
    "discover": TestCard("6011000990139424", "discover"),
    "diners": TestCard("3056930009020004", "diners"),
    "jcb": TestCard("3566002020360505", "jcb"),
    "unionpay": TestCard("6200000000000005", "unionpay"),
    "chargeCustomerFail": TestCard("4000000000000341", "visa", Behaviour.CHARGE_FAILS),
    "createDispute": TestCard("4000000000000259", "visa", Behaviour.DISPUTE),
    "createDisputeProductNotReceived": TestCard("4000000000002685", "visa", Behaviour.DISPUTE_NOT_RECEIVED),
    "createDisputeInquiry": TestCard("4000000000001976", "visa", Behaviour.INQUIRY),
    "authenticationRequired": TestCard("4000002760003184", "visa", Behaviour.AUTHENTICATE),
    "threeDSecure2Required": TestCard("4000000000003220", "visa", Behaviour.AUTHENTICATE),
    "authenticationRequiredOnSetup": TestCard("4000002500003155", "visa", Behaviour.AUTHENTICATE_ONCE),
    "authenticationRequiredSetupForOffSession": TestCard("4000003800000446", "visa", Behaviour.AUTHENTICATE_HERE),
    "authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        "4000008260003178", "visa", Behaviour.AUTHENTICATE_IN_VAIN, decline="insufficient_funds"
    ),
    "threeDSecureRequired": TestCard("4000000000003063", "visa", Behaviour.AUTHENTICATE),
    "threeDSecureOptional": TestCard("4000000000003055", "visa", Behaviour.AUTHENTICATE_IF_ASKED),
    "threeDSecureRequiredChargeDeclined": TestCard("4000008400001629", "visa", Behaviour.AUTHENTICATE_IN_VAIN),
    "threeDSecureRequiredProcessingError": TestCard(
        "4000008400001280", "visa", Behaviour.AUTHENTICATE_IN_VAIN, decline="processing_error"
    ),
    "chargeDeclinedFraudulent": TestCard("4100000000000019", "visa", Behaviour.CHARGE_FAILS, decline="fraudulent"),
    "bypassPending": TestCard("4000000000000077", "visa"),
}
CARDS["radarBlock"] = CARDS["chargeDeclinedFraudulent"]
# https://docs.stripe.com/testing#international-cards
for _country, _number in (
    ("us", "4242424242424242"), ("br", "4000000760000002"), ("ca", "4000001240000000"), ("mx", "4000004840008001"),
    ("at", "4000000400000008"), ("be", "4000000560000004"), ("ch", "4000007560000009"), ("cz", "4000002030000002"),
    ("de", "4000002760000016"), ("dk", "4000002080000001"), ("es", "4000007240000007"), ("fi", "4000002460000001"),
    ("fr", "4000002500000003"), ("gb", "4000008260000000"), ("ie", "4000003720000005"), ("it", "4000003800000008"),
    ("nl", "4000005280000002"), ("no", "4000005780000007"), ("pl", "4000006160000005"), ("pt", "4000006200000007"),
    ("se", "4000007520000008"), ("au", "4000000360000006"), ("in", "4000003560000008"), ("jp", "4000003920000003"),
    ("nz", "4000005540000008"), ("sg", "4000007020000003"),
):  # fmt: skip
    CARDS[_country] = TestCard(_number, "visa", country=_country.upper())
for _name, _number, _decline in (
    ("chargeDeclined", "4000000000000002", "generic_decline"),
    ("chargeDeclinedInsufficientFunds", "4000000000009995", "insufficient_funds"),
    ("chargeDeclinedLostCard", "4000000000009987", "lost_card"),
    ("chargeDeclinedStolenCard", "4000000000009979", "stolen_card"),
    ("chargeDeclinedVelocityLimitExceeded", "4000000000006975", "card_velocity_exceeded"),
    ("chargeDeclinedExpiredCard", "4000000000000069", "expired_card"),
    ("chargeDeclinedIncorrectCvc", "4000000000000127", "incorrect_cvc"),
    ("chargeDeclinedProcessingError", "4000000000000119", "processing_error"),
):
    CARDS[_name] = CARDS["visa_" + _name] = TestCard(_number, "visa", Behaviour.DECLINED, decline=_decline)
BY_NUMBER = {card.number: card for card in CARDS.values()}


_ASKS = frozenset(
    {
        Behaviour.AUTHENTICATE,
        Behaviour.AUTHENTICATE_HERE,
        Behaviour.AUTHENTICATE_IN_VAIN,
        Behaviour.AUTHENTICATE_ONCE,
    }
)
# The reason that the payer gives, and whether the bank only asks.
DISPUTED = {
    Behaviour.DISPUTE: ("fraudulent", False),
    Behaviour.DISPUTE_NOT_RECEIVED: ("product_not_received", False),
    Behaviour.INQUIRY: ("fraudulent", True),
}


def outcome(
    payment_method: dict[str, Any], *, authenticated: bool = False, present: bool = False, asked: bool = False
) -> Outcome:
    """What the bank says to a charge.

    `authenticated` when the customer has just confirmed it, `present` when the customer is there and pays once,
    `asked` when 3-D Secure was asked for. https://docs.stripe.com/testing#regulatory-cards
    """
    behaviour = payment_method["_behaviour"]
    if behaviour == Behaviour.DEBIT:
        return PROCESSING
    if behaviour in {Behaviour.DECLINED, Behaviour.CHARGE_FAILS}:
        return DECLINES[payment_method["_decline"]]
    asks = behaviour in _ASKS or (asked and behaviour == Behaviour.AUTHENTICATE_IF_ASKED)
    known = behaviour == Behaviour.AUTHENTICATE_ONCE and payment_method["_authenticated"]
    if asks and not authenticated and (present or not (known or behaviour == Behaviour.AUTHENTICATE_HERE)):
        return REQUIRES_ACTION
    return DECLINES[payment_method["_decline"]] if behaviour == Behaviour.AUTHENTICATE_IN_VAIN else SUCCEEDED


def debited(payment_method: dict[str, Any]) -> Outcome:
    """What the bank says at last to a debit. The codes are those of a charge's `failure_code`."""
    failure = payment_method["_decline"]
    return SUCCEEDED if failure is None else Outcome(Result.DECLINED, failure, failure, message=MESSAGES[failure])


def attach_outcome(payment_method: dict[str, Any]) -> Outcome:
    """What the bank says when the card is saved, without a charge."""
    refused = payment_method["_behaviour"] == Behaviour.DECLINED
    return DECLINES[payment_method["_decline"]] if refused else SUCCEEDED


def luhn(number: str) -> bool:
    """Whether the last digit of a card number is right."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(sum(divmod(digit * (1 + place % 2), 10)) for place, digit in enumerate(digits)) % 10 == 0
