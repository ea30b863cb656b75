"""Stripe's events for tests, signed as Stripe signs them."""

import hashlib
import hmac
import time
from typing import Any

import orjson

SECRET = "whsec_for_tests"


def signature(payload: bytes, secret: str = SECRET, *, second: int | None = None) -> str:
    """The Stripe-Signature header for a body, signed now unless told otherwise."""
    stamp = int(time.time()) if second is None else second
    signed = hmac.new(secret.encode(), f"{stamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={signed}"


def event(id_: str, object_: dict[str, Any], *, account: str | None = "acct_clinic", **changes: Any) -> bytes:
    """One event as bytes; `object_` is what it tells of."""
    given = {
        "id": id_,
        "object": "event",
        "type": f"{object_.get('object')}.updated",
        "account": account,
        "livemode": False,
        "created": 1_793_491_200,
        "data": {"object": object_},
    }
    return orjson.dumps(given | changes)


def customer(id_: str = "cus_1", **changes: Any) -> dict[str, Any]:
    """A customer as an event carries it."""
    return {"id": id_, "object": "customer", "created": 1_793_491_200, "livemode": False, "name": "Ada"} | changes
