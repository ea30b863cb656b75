"""Cards as payment methods: from a test token or a test number, with the checks of their expiry."""

from datetime import UTC, datetime

from sandbox.billing import cards
from sandbox.context import Context
from sandbox.errors import StripeError, declined, invalid, not_implemented
from sandbox.ids import letters
from sandbox.resources.shared import ADDRESS
from sandbox.store import Object


def named_card(name: str, whole: str, param: str = "payment_method") -> cards.TestCard:
    """The card that Stripe names like this, or 501."""
    card = cards.CARDS.get(name)
    if card is None:
        raise not_implemented("POST", f"{param}={whole}")
    return card


def from_data(ctx: Context, given: Object) -> Object:
    """A card from a token or from a number."""
    preferred = (given.get("networks") or {}).get("preferred")
    if "token" in given:
        made = new_card(ctx, named_card(given["token"].removeprefix("tok_"), given["token"], "card[token]"))
    else:
        made = _from_number(ctx, given)
    if preferred is not None:
        prefer(made, preferred)
    return made


def prefer(method: Object, network: str) -> None:
    """The network that the customer chose; a test card is in one only."""
    if network not in method["card"]["networks"]["available"]:
        message = f"The card does not support the network `{network}`."
        raise invalid(message, param="card[networks][preferred]")
    method["card"]["networks"] = method["card"]["networks"] | {"preferred": network}


def check_expiry(ctx: Context, card: Object) -> None:
    """402 for a month that does not exist or a date that has passed."""
    today = datetime.fromtimestamp(ctx.now, UTC)
    if not 1 <= card["exp_month"] <= 12:
        raise _bad_expiry("month")
    if (card["exp_year"], card["exp_month"]) < (today.year, today.month) or card["exp_year"] > today.year + 50:
        raise _bad_expiry("year")


def new_card(ctx: Context, card: cards.TestCard, expiry: Object | None = None) -> Object:
    """A stored payment method of a test card; without an expiry, one a year from now."""
    today = datetime.fromtimestamp(ctx.now, UTC)
    shown: Object = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "display_brand": card.brand,
        **(expiry or {"exp_month": today.month, "exp_year": today.year + 1}),
        "fingerprint": letters(f"card:{card.number}", 16),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return stored(ctx, "card", shown, behaviour=card.behaviour, decline=card.decline)


def stored(
    ctx: Context, kind: str, shown: Object, *, behaviour: str = cards.Behaviour.GOOD, decline: str | None = None
) -> Object:
    """A payment method of any type; `shown` is what stands under its type's name."""
    made: Object = {
        "id": ctx.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict.fromkeys(ADDRESS),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        kind: shown,
        "created": ctx.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        "_authenticated": False,
        "_behaviour": behaviour,
        "_decline": decline,
        "_mandate": None,
        "_spent": False,
    }
    return ctx.insert(made)


def _from_number(ctx: Context, given: Object) -> Object:
    """Keeps of the number its brand, last four digits, fingerprint and behaviour, and of the CVC nothing."""
    number = (given.get("number") or "").replace(" ", "").replace("-", "")
    if not number or not number.isdecimal() or not cards.luhn(number):
        words = {"code": "incorrect_number", "message": "Your card number is incorrect."}
        raise declined(words, param="number")
    card = cards.BY_NUMBER.get(number)
    if card is None:
        words = {
            "code": "card_declined",
            "decline_code": "test_mode_live_card",
            "message": "Your card was declined. Your request was in test mode, but used a non test card. "
            "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
        }
        raise declined(words)
    for name in ("exp_month", "exp_year"):
        if name not in given:
            full = f"card[{name}]"
            raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    year = given["exp_year"]
    expiry = {"exp_month": given["exp_month"], "exp_year": year + 2000 if year < 100 else year}
    check_expiry(ctx, expiry)
    made = new_card(ctx, card, expiry)
    cvc = given.get("cvc")
    if cvc is not None and not (cvc.isdecimal() and len(cvc) in {3, 4}):
        words = {"code": "invalid_cvc", "message": "Your card's security code is invalid."}
        raise declined(words, param="cvc")
    if cvc is None:
        made["card"]["checks"]["cvc_check"] = None
    return made


def _bad_expiry(part: str) -> StripeError:
    words = {"code": f"invalid_expiry_{part}", "message": f"Your card's expiration {part} is invalid."}
    return declined(words, param=f"exp_{part}")
