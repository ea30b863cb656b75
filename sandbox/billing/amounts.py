"""What Stripe can charge: the smallest and the largest amount."""

from sandbox.errors import StripeError, invalid

LARGEST = 99_999_999
# In the currency's smallest unit, as Stripe documents them; currencies that are not here: 1.
SMALLEST = {
    "aud": 50, "brl": 50, "cad": 50, "chf": 50, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "inr": 50,
    "jpy": 50, "mxn": 1000, "nok": 300, "nzd": 50, "pln": 200, "sek": 300, "sgd": 50, "usd": 50,
}  # fmt: skip
# https://docs.stripe.com/currencies, in the order of Stripe's message.
CURRENCIES = (
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd",
    "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "byr", "bzd", "cad", "cdf", "chf", "clf", "clp", "cny",
    "cop", "crc", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip",
    "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "hrk", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy",
    "kes", "kgs", "khr", "kmf", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga",
    "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd",
    "omr", "pab", "pen", "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr",
    "sek", "sgd", "shp", "sle", "sll", "sos", "srd", "std", "svc", "szl", "thb", "tjs", "tnd", "top", "try", "ttd",
    "twd", "tzs", "uah", "ugx", "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf", "yer", "zar",
    "zmw", "usdc", "btn", "ghs", "eek", "lvl", "ltl", "vef",
)  # fmt: skip
WHOLE = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
})  # fmt: skip
SIGNS = {"aud": "A$", "brl": "R$", "cad": "CA$", "eur": "€", "gbp": "£", "hkd": "HK$", "inr": "₹", "jpy": "¥",
         "mxn": "MX$", "nzd": "NZ$", "usd": "$"}  # fmt: skip


def smallest(currency: str) -> int:
    """The least that can be charged in the currency."""
    return SMALLEST.get(currency, 1)


def check(amount: int, currency: str) -> int:
    """The amount, if it can be charged; an error in Stripe's words where it can't."""
    if currency not in CURRENCIES:
        raise invalid_currency(currency)
    if amount < 0:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    if amount < smallest(currency):
        message = f"Amount must be at least {told(smallest(currency), currency)} {currency}"
        raise invalid(message, param="amount", code="amount_too_small")
    if amount > LARGEST:
        message = f"Amount must be no more than {told(LARGEST, currency)} {currency}"
        raise invalid(message, param="amount", code="amount_too_large")
    return amount


def told(amount: int, currency: str) -> str:
    """An amount as Stripe's messages write it: $0.50, €0.50, ¥50."""
    sign = SIGNS.get(currency, "")
    return f"{sign}{amount:,}" if currency in WHOLE else f"{sign}{amount / 100:,.2f}"


def invalid_currency(currency: str) -> StripeError:
    """400 for what is no currency; the message lists those that are."""
    listed = ", ".join(CURRENCIES)
    message = f"Invalid currency: {currency}. Stripe currently supports these currencies: {listed}"
    return invalid(message, param="currency")
