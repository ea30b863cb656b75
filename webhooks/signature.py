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
    """The header's only time: of two, the SDK might check the signature of one and we the age of the other."""
    if header is None or not header.isascii():  # the SDK stumbles over other letters
        return None
    parts = (part.partition("=") for part in header.split(","))
    times = [value for name, _, value in parts if name.strip() == "t"]
    return int(times[0]) if len(times) == 1 and times[0].isdecimal() and len(times[0]) < 15 else None
