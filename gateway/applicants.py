"""Looks at what a new tenant is said to be before anything is done: what the database or Stripe would refuse anyway."""

import re
from dataclasses import replace
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from babel import Locale
from babel.numbers import get_territory_currencies

from billing.onboarding import INDUSTRIES, Applicant
from gateway.user_error import UserError

SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")  # as the table of tenants checks it
LONGEST_NAME: Final = 100
_EMAIL: Final = re.compile(r"[^\s@,;<>\"]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def checked(applicant: Applicant) -> Applicant:
    """The same with its category code filled in; raises UserError, which names the option."""
    if not SLUG.fullmatch(applicant.slug):
        raise UserError(
            f"{applicant.slug!r} is no slug: 1 to 40 small letters, digits and hyphens, with no hyphen at either end"
        )
    check_name(applicant.name)
    industry = INDUSTRIES[applicant.industry]
    codes = (industry.mcc, *industry.other_mcc)
    mcc = applicant.mcc or industry.mcc
    if mcc not in codes:
        raise UserError(f"--mcc: {mcc!r} is no category of {applicant.industry}; these are: {', '.join(codes)}")
    if not _used_in(applicant.country):
        raise UserError(f"--country: {applicant.country!r} is no country's code of two letters, as US or DE")
    if applicant.default_currency not in currencies():
        raise UserError(f"--currency: {applicant.default_currency!r} is no currency's code of three letters, as usd")
    if not _EMAIL.fullmatch(applicant.email) or len(applicant.email) > 254:
        raise UserError("--email: that is no address, as billing@clinic.example")
    return replace(applicant, mcc=mcc)


def check_name(name: str) -> None:
    """Of a tenant or of a key; raises UserError."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise UserError(f"--name: 1 to {LONGEST_NAME} characters that can be printed")


def check_address(option: str, address: str) -> None:
    """An address of the web; raises UserError."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in {"http", "https"} and parts.hostname
    except ValueError:
        known = None
    if not known:
        raise UserError(f"{option}: must be an address that begins with http:// or https://")


def _used_in(country: str) -> list[str]:
    """The currencies that a country uses now; none for what is no country."""
    if not re.fullmatch("[A-Z]{2}", country) or country == "EU":  # a currency's area, not a country
        return []
    found: list[str] = get_territory_currencies(country)
    return found


@cache
def currencies() -> frozenset[str]:
    """Every currency that some country uses now, as Stripe writes it."""
    countries = [code for code in map(str, Locale("en").territories) if re.fullmatch("[A-Z]{2}", code)]
    return frozenset(one.lower() for country in countries for one in _used_in(country))
