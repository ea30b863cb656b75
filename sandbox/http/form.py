"""Stripe's form encoding: nested brackets, list indexes and `[]`, to nested dicts of strings."""

from typing import Any
from urllib.parse import parse_qsl

from sandbox.errors import invalid

MAX_FIELDS = 2_000
MAX_DEPTH = 8


def parse(encoded: bytes) -> dict[str, Any]:
    """`items[0][price]=p` gives {"items": {"0": {"price": "p"}}}; lists stay keyed by index until checked."""
    try:
        pairs = parse_qsl(encoded.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise invalid("Invalid request: the form could not be read.") from error
    found: dict[str, Any] = {}
    for name, value in pairs:
        _put(found, _path(name), value)
    return found


def _path(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket:
        return [name]
    path = [head, *rest.removesuffix("]").split("][")]
    if not head or not rest.endswith("]") or len(path) > MAX_DEPTH:
        raise invalid(f"Invalid parameter name: {name}", param=head or name)
    return path


def _put(found: dict[str, Any], path: list[str], value: str) -> None:
    here = found
    for step in path[:-1]:
        below = here.setdefault(step or str(len(here)), {})
        if not isinstance(below, dict):
            raise invalid("Invalid hash", param=path[0])
        here = below
    here[path[-1] or str(len(here))] = value
