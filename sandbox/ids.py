"""Identifiers in Stripe's shapes, decided by a seed and a counter."""

from hashlib import blake2b

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHORT = frozenset({"cus", "prod", "si", "req"})
PAYMENT = frozenset({"pi", "ch", "re", "txn"})


def identifier(prefix: str, seed: int, number: int, account: str) -> str:
    """`cus_` + 14; `sub_1` + 23 with the account's last ten inside; payments begin with 3."""
    if prefix in SHORT:
        return f"{prefix}_{letters(f'{prefix}:{seed}:{number}', 14)}"
    if prefix == "acct":
        return f"acct_1{letters(f'acct:{seed}:{number}', 15)}"
    body = letters(f"{prefix}:{seed}:{number}", 13)
    lead = "3" if prefix in PAYMENT else "1"
    return f"{prefix}_{lead}{body[:5]}{account[-10:]}{body[5:]}"


def letters(source: str, length: int) -> str:
    """`length` letters and digits, always the same for the same source."""
    size = min(64, length)
    number = int.from_bytes(blake2b(source.encode(), digest_size=size).digest())
    found = []
    for _ in range(length):
        number, rest = divmod(number, len(ALPHABET))
        found.append(ALPHABET[rest])
    return "".join(found)
