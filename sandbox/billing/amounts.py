"""What Stripe can charge: the smallest and the largest amount."""

from sandbox.errors import invalid

LARGEST = 99_999_999
# In the currency's smallest unit, as Stripe documents them; currencies that are not here: 1.
SMALLEST = {
    "aud": 50, "brl": 50, "cad": 50, "chf": 50, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "inr": 50,
    "jpy": 50, "mxn": 1000, "nok": 300, "nzd": 50, "pln": 200, "sek": 300, "sgd": 50, "usd": 50,
}  # fmt: skip


def smallest(currency: str) -> int:
    """The least that can be charged in the currency."""
    return SMALLEST.get(currency, 1)


def check(amount: int, currency: str) -> int:
    """The amount, if it can be charged; an error in Stripe's words where it can't."""
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    if amount < smallest(currency):
        message = f"Amount must be at least {smallest(currency)} in the smallest unit of {currency}."
        raise invalid(message, param="amount", code="amount_too_small")
    if amount > LARGEST:
        raise invalid(f"Amount must be no more than {LARGEST}.", param="amount", code="amount_too_large")
    return amount
