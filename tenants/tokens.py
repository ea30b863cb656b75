"""API keys: their form, their check without a look-up, and their secrets, of which only a hash is ever stored.

`bgw_test_0123456789abcdef_<43 letters and digits><6 of checksum>`: a prefix for secret scanners, the mode, a public id,
256 bits of secret, and a CRC-32 over all before it, so that a mistyped key is refused without asking the database.
"""

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass

_PREFIX = "bgw"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 16
_SECRET_LENGTH = 43
_SUM_LENGTH = 6
_LENGTH = len(f"{_PREFIX}_test_") + _ID_LENGTH + 1 + _SECRET_LENGTH + _SUM_LENGTH


class MalformedTokenError(ValueError):
    """Not a key of ours, or mistyped."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key in parts. Its `repr` shows no secret."""

    public_id: str
    livemode: bool
    secret_hash: bytes

    def matches(self, stored: bytes) -> bool:
        """Compare with the stored hash in constant time."""
        return hmac.compare_digest(self.secret_hash, stored)


def generate(*, livemode: bool) -> tuple[str, ApiKey]:
    """A new key: the text, to be shown once, and what may be stored."""
    public_id = secrets.token_hex(_ID_LENGTH // 2)
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    body = f"{_PREFIX}_{'live' if livemode else 'test'}_{public_id}_{secret}"
    text = body + _checksum(body)
    return text, parse(text)


def parse(text: str) -> ApiKey:
    """Read a key; raises MalformedTokenError for anything that `generate` did not make."""
    body, given = text[:-_SUM_LENGTH], text[-_SUM_LENGTH:]
    if len(text) != _LENGTH or not text.isascii() or not hmac.compare_digest(_checksum(body), given):
        raise MalformedTokenError
    prefix, mode, public_id, secret = (*body.split("_"), "", "", "", "")[:4]
    if (
        prefix != _PREFIX
        or mode not in {"live", "test"}
        or len(public_id) != _ID_LENGTH
        or len(secret) != _SECRET_LENGTH
    ):
        raise MalformedTokenError
    return ApiKey(public_id, mode == "live", hashlib.sha256(secret.encode()).digest())


def looks_like_key(text: str) -> bool:
    """Whether a bearer token claims to be one of our keys (everything else is taken for a signed token)."""
    return text.startswith(f"{_PREFIX}_")


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("utf-8", "surrogatepass"))
    digits = ""
    for _ in range(_SUM_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[rest] + digits
    return digits
