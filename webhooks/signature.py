"""Checks that bytes come from Stripe: before anything is parsed, against every secret that is valid now."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import stripe

TOLERANCE = timedelta(minutes=5)


class BadSignatureError(ValueError):
    """Unsigned, signed with another secret, or signed too long ago or too far ahead."""


def verify(payload: bytes, header: str | None, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise BadSignatureError unless one of the secrets signed this payload within the tolerance of `now`.

    The SDK refuses old signatures only; one from the future is refused here.
    """
    stamped = _stamped(header)
    if header is None or stamped is None or abs(now.timestamp() - stamped) > TOLERANCE.total_seconds():
        raise BadSignatureError
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise BadSignatureError from error
    for secret in secrets:
        try:
            # the age was judged above, by our clock's value: the SDK is asked about the signature alone
            stripe.WebhookSignature.verify_header(text, header, secret, tolerance=None)
        except stripe.SignatureVerificationError:
            continue
        return
    raise BadSignatureError


def _stamped(header: str | None) -> int | None:
    for part in (header or "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            return int(value) if value.isdecimal() and len(value) < 15 else None
    return None
