"""Money as people write it: Stripe's decimals, which are not ISO's, and a language's own signs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.currencies import UnknownLanguageError, decimals, formatted


@pytest.mark.parametrize(
    ("amount", "currency", "language", "written"),
    [
        (1250, "usd", "en-US", "$12.50"),
        (1250, "usd", "de", "12,50\xa0$"),
        (-1250, "eur", "fr-FR", "-12,50\xa0€"),
        (1000, "jpy", "ja", "￥1,000"),
        (1_234_560, "kwd", "en", "KWD\xa01,234.560"),
        (500, "isk", "en", "ISK\xa05.00"),  # none in ISO 4217
        (500, "ugx", "en-US", "UGX\xa05.00"),  # none in ISO 4217
        (500, "mga", "en", "MGA\xa0500"),  # two in ISO 4217
        (0, "usd", "en-US", "$0.00"),
        (5, "xyz", "en", "XYZ\xa00.05"),
        (2**53 - 1, "usd", "en-US", "$90,071,992,547,409.91"),
    ],
)
def test_an_amount_is_written_as_people_do(amount: int, currency: str, language: str, written: str) -> None:
    assert formatted(amount, currency, language) == written


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(["usd", "jpy", "kwd", "isk", "mga"]))
def test_nothing_is_rounded(amount: int, currency: str) -> None:
    written = formatted(amount, currency, "en-US")
    digits = int("".join(one for one in written if one.isdigit()))
    assert (-digits if "-" in written else digits) == amount
    assert len(written.partition(".")[2]) == decimals(currency)


@pytest.mark.parametrize("language", ["", "xx", "../../etc", "en_US", "a" * 99, "en-US-x", "en-\0", "1"])
def test_a_language_that_is_none_is_refused(language: str) -> None:
    with pytest.raises(UnknownLanguageError):
        formatted(1, "usd", language)
