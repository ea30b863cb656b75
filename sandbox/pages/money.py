"""Writes amounts of money for people."""

SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}
# Stripe's own exponents, which are not ISO's: currencies without and with three decimals.
NO_DECIMALS = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})


def money(amount: int, currency: str) -> str:
    """1050 and "usd" give "$10.50"; a currency without a symbol is named: "1,000 JPY"."""
    decimals = 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2
    sign = "-" if amount < 0 else ""
    number = f"{abs(amount) / 10**decimals:,.{decimals}f}"
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency.upper()}"
