"""Searches: what each type of object can be found by."""

from collections.abc import Mapping
from typing import Any

from sandbox.context import Context
from sandbox.http.search import Read, search
from sandbox.operations import operation
from sandbox.store import Object


def _field(name: str) -> Read:
    def read(value: Object) -> Any:
        found: Any = value
        for step in name.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found

    return read


def _subscription(invoice: Object) -> Any:
    return ((invoice["parent"] or {}).get("subscription_details") or {}).get("subscription")


def _fields(*names: str) -> dict[str, Read]:
    return {name: _field(name) for name in (*names, "metadata")}


_CARD = ("brand", "exp_month", "exp_year", "fingerprint", "last4")
_FIELDS: Mapping[str, tuple[str, Mapping[str, Read]]] = {
    "charges": (
        "charge",
        _fields("amount", "created", "currency", "customer", "disputed", "refunded", "status")
        | {f"payment_method_details.card.{name}": _field(f"payment_method_details.card.{name}") for name in _CARD},
    ),
    "customers": ("customer", _fields("created", "email", "name", "phone")),
    "invoices": (
        "invoice",
        _fields("created", "currency", "customer", "number", "receipt_number", "status", "total")
        | {"subscription": _subscription},
    ),
    "payment_intents": ("payment_intent", _fields("amount", "created", "currency", "customer", "status")),
    "prices": ("price", _fields("active", "currency", "lookup_key", "product", "type")),
    "products": ("product", _fields("active", "description", "name", "shippable", "url")),
    "subscriptions": ("subscription", _fields("canceled_at", "created", "status")),
}


def _register(name: str, kind: str, fields: Mapping[str, Read]) -> None:
    url = f"/v1/{name}/search"

    @operation("GET", url)
    def run(ctx: Context) -> Object:
        return search(ctx, kind, url, fields)


for _name, (_kind, _read) in _FIELDS.items():
    _register(_name, _kind, _read)
