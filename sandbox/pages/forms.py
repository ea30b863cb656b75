"""Reads what people type into the pages' forms."""

import re

from starlette.requests import Request

from sandbox.checkout.complete import Buyer, Card
from sandbox.errors import invalid

MAX_FIELDS = 20
MAX_LENGTH = 500
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
EXPIRY = re.compile(r"(\d{1,2})\s*[/.-]?\s*(\d{2}|\d{4})")


async def fields(request: Request) -> dict[str, str]:
    """The text fields of a posted form, stripped and cut to a sane length."""
    async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
        return {name: value.strip()[:MAX_LENGTH] for name, value in form.items() if isinstance(value, str)}


def buyer(given: dict[str, str], known_email: str | None) -> Buyer:
    """Who pays; a known e-mail address can't be changed."""
    email = known_email or given.get("email", "")
    if not EMAIL.fullmatch(email):
        raise invalid("Your email is incomplete.", param="email")
    return Buyer(email, given.get("name") or None)


def card(given: dict[str, str]) -> Card:
    """The typed card; what is wrong with it is said in Stripe's words."""
    expiry = EXPIRY.fullmatch(given.get("card-expiry", ""))
    if expiry is None:
        raise invalid("Your card's expiration date is incomplete.", param="card-expiry")
    number = re.sub(r"[\s-]", "", given.get("card-number", ""))
    if not number:
        raise invalid("Your card number is incomplete.", param="card-number")
    month, year = int(expiry[1]), int(expiry[2])
    return Card(number, month, year + 2000 if year < 100 else year, given.get("card-cvc", ""))


# Which field a refusal of Stripe's speaks of, by the parameter it names.
FIELD = {
    "number": "card-number",
    "exp_month": "card-expiry",
    "exp_year": "card-expiry",
    "card[cvc]": "card-cvc",
}


def field_of(param: str | None) -> str | None:
    """The id of the field to mark."""
    return None if not param else FIELD.get(param, param)
