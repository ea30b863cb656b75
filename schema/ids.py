"""Global ids: opaque to clients, the type and Stripe's id inside; the tenant is never in them, but in the token."""

import base64
import binascii
from dataclasses import dataclass

from strawberry import ID


@dataclass(frozen=True, slots=True)
class GlobalId:
    """What an id names."""

    type: str
    stripe_id: str


class MalformedIdError(ValueError):
    """Not an id of this API."""


def encode(type_: str, stripe_id: str) -> ID:
    """The id of an object as clients see it."""
    return ID(base64.urlsafe_b64encode(f"{type_}:{stripe_id}".encode()).decode().rstrip("="))


def decode(text: str) -> GlobalId:
    """Read an id of this API, or raise MalformedIdError."""
    try:
        plain = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise MalformedIdError from error
    type_, colon, stripe_id = plain.partition(":")
    if not (type_ and colon and stripe_id) or "\0" in plain or len(plain) > 300:
        raise MalformedIdError
    return GlobalId(type_, stripe_id)


def stripe_id(text: str, type_: str) -> str | None:
    """Stripe's id from an id that must name this type; Stripe's own id is taken as well."""
    try:
        found = decode(text)
    except MalformedIdError:
        return text if text.isascii() and text.replace("_", "").isalnum() and len(text) < 256 else None
    return found.stripe_id if found.type == type_ else None
