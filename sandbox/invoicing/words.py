"""The words on invoice lines: amounts of money, intervals, days, quantities."""

from datetime import UTC, datetime
from decimal import Decimal

from sandbox.billing.pricing import Charge
from sandbox.store import Object

SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "CA$", "aud": "A$"}
# Currencies whose smallest unit is the whole one.
WHOLE = frozenset({"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof"})


def money(smallest: Decimal, currency: str) -> str:
    """$25.00; more places where the price has a fraction of a cent."""
    symbol = SYMBOLS.get(currency, currency.upper() + " ")
    if currency in WHOLE:
        return f"{symbol}{smallest.normalize():f}"
    exact = smallest / 100
    return f"{symbol}{exact:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"{symbol}{exact.normalize():f}"


def counted(quantity: int, product: Object) -> str:
    """How many of what; without a unit where the product has none."""
    unit = f" {product['unit_label']}" if product["unit_label"] else ""
    return f"{quantity}{unit} × {product['name']}"


def recurring(charge: Charge, price: Object, product: Object) -> str:
    """The description of a period's line."""
    interval, count = price["recurring"]["interval"], price["recurring"]["interval_count"]
    every = interval if count == 1 else f"every {count} {interval}s"
    tier = "" if charge.tier is None else f"Tier {charge.tier} "
    at = money(charge.unit_amount, price["currency"])
    return f"{counted(charge.quantity, product)} ({tier}at {at} / {every})"


def prorated(kind: str, quantity: int, product: Object, moment: int) -> str:
    """`Unused time on Seats after 10 Nov 2025`, with the quantity where it is not one."""
    name = product["name"] if quantity == 1 else f"{quantity} × {product['name']}"
    at = datetime.fromtimestamp(moment, UTC)
    return f"{kind} time on {name} after {at.day:02} {at:%b %Y}"
