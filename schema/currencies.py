"""Shows amounts of money to people: Stripe's own number of decimals, a locale's words for the rest.

Stripe counts some currencies otherwise than ISO 4217 does, as its page on zero-decimal and special currencies says: ISK
and UGX are sent with two decimals, MGA with none. A library's table would be wrong by a factor of a hundred.
"""

import re
from contextlib import suppress
from copy import copy
from decimal import Context, Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberPattern

_NONE = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
_THREE = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
_EXACT = Context(prec=40)
_CODE_AND_DIGIT = re.compile(
    r"([A-Z]{3})(\d)"
)  # a currency without a sign: CLDR has a space that the library leaves out
_LONGEST_TAG = 35  # of what BCP 47 says to be prepared for


class UnknownLanguageError(ValueError):
    """The tag names no language that is known."""


def decimals(currency: str) -> int:
    """How many decimals Stripe's integer amounts of a currency have: 0, 2 or 3."""
    return 0 if currency in _NONE else 3 if currency in _THREE else 2


def formatted(amount: int, currency: str, language: str) -> str:
    """An amount in smallest units as people write it, `$12.50` for 1250 usd in en-US; raises UnknownLanguageError."""
    places = decimals(currency)
    locale, pattern = _pattern(language, places)
    value = Decimal(amount).scaleb(-places, _EXACT)
    written = pattern.apply(value, locale, currency=currency.upper(), currency_digits=False)
    return _CODE_AND_DIGIT.sub("\\1\N{NO-BREAK SPACE}\\2", written)


@lru_cache(maxsize=500)
def _pattern(language: str, places: int) -> tuple[Locale, NumberPattern]:
    """How a language writes money with so many decimals; the library would round to ISO's."""
    locale = _locale(language)
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return locale, pattern


def _locale(language: str) -> Locale:
    if len(language) <= _LONGEST_TAG:
        with suppress(ValueError, UnknownLocaleError):
            return Locale.parse(language, sep="-")
    raise UnknownLanguageError("`locale` takes a language tag as en-US or de.")
