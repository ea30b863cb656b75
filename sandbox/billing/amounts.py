"""What Stripe can charge: the smallest and the largest amount."""

LARGEST = 99_999_999
# In the currency's smallest unit, as Stripe documents them; currencies that are not here: 1.
SMALLEST = {
    "aud": 50, "brl": 50, "cad": 50, "chf": 50, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "inr": 50,
    "jpy": 50, "mxn": 1000, "nok": 300, "nzd": 50, "pln": 200, "sek": 300, "sgd": 50, "usd": 50,
}  # fmt: skip


def smallest(currency: str) -> int:
    """The least that can be charged in the currency."""
    return SMALLEST.get(currency, 1)
