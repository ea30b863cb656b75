"""Checks and converts the parameters of a request against the table derived from the SDK."""

import json
import re
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any

from sandbox.errors import StripeError, invalid

# Notation: "int", "string?" ("?" = '' clears); ["a", "b"] an enum; {"fields": {"name!": …}} ("!" = required);
# {"list": …}; {"map": …}; {"any": [...]}; "clear": true on a dict = '' clears it.
TABLE: dict[str, Any] = json.loads(files("sandbox").joinpath("parameters.json").read_text("utf-8"))
# A card in `payment_method_data` is in no SDK, because servers should not see numbers; Stripe takes it all the same.
_CARD = TABLE["POST /v1/payment_methods"]["fields"]["card"]
for _spec in TABLE.values():
    _data = _spec["fields"].get("payment_method_data")
    if _data is not None and "type!" in _data["fields"]:
        _data["fields"] |= {"card": _CARD, "type!": sorted([*_data["fields"]["type!"], "card"])}
# What names an object or a currency can't be unset, though the SDK calls it a plain string.
NEVER_EMPTY = frozenset(
    {
        "charge", "coupon", "currency", "customer", "from_subscription", "invoice", "payment_intent", "payment_method",
        "plan", "price", "product", "promotion_code", "source", "subscription", "test_clock",
    }
)  # fmt: skip
INTEGER = re.compile(r"-?\d{1,18}")


def names_of() -> dict[str, frozenset[str]]:
    """The names of the parameters of each operation."""
    return {name: frozenset(field.removesuffix("!") for field in spec["fields"]) for name, spec in TABLE.items()}


def check(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """The converted parameters; a cleared one is None (a list: []), a map keeps '' (it removes that key)."""
    if operation not in TABLE:
        raise KeyError(f"{operation} is not in parameters.json")
    rest = {name: value for name, value in given.items() if name != "expand"}
    converted = _fields(TABLE[operation]["fields"], rest, "")
    if "expand" in given:
        converted["expand"] = _convert({"list": "string"}, given["expand"], "expand")
    return converted


def _fields(specs: dict[str, Any], given: dict[str, Any], prefix: str) -> dict[str, Any]:
    converted = {}
    unknown = [f"{prefix}[{name}]" if prefix else name for name in given if not {name, name + "!"} & specs.keys()]
    if unknown:
        words = "parameter" if len(unknown) == 1 else "parameters"
        message = f"Received unknown {words}: {', '.join(unknown)}"
        raise invalid(message, param=unknown[0], code="parameter_unknown")
    for name, value in given.items():
        full = f"{prefix}[{name}]" if prefix else name
        spec = specs.get(name, specs.get(name + "!"))
        if value == "" and spec == "string" and (name + "!" in specs or name in NEVER_EMPTY):
            raise empty(full)
        converted[name] = _convert(spec, value, full)
    for name in specs:
        if name.endswith("!") and name[:-1] not in given:
            full = f"{prefix}[{name[:-1]}]" if prefix else name[:-1]
            raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    return converted


def _convert(spec: Any, value: Any, name: str) -> Any:
    if isinstance(spec, str):
        return _scalar(spec, value, name)
    if isinstance(spec, list):
        return _choice(spec, value, name)
    if "any" in spec:
        return _union(spec, value, name)
    if value == "":
        if spec.get("clear") or "list" in spec:
            return [] if "list" in spec else None
        raise empty(name)
    if not isinstance(value, dict):
        kind = "array" if "list" in spec else "object"
        raise invalid(f"Invalid {kind}", param=name)
    if "fields" in spec:
        return _fields(spec["fields"], value, name)
    if "map" in spec:
        return {key: _map_value(spec["map"], item, f"{name}[{key}]") for key, item in value.items()}
    if not all(key.isdecimal() for key in value):
        raise invalid("Invalid array", param=name)
    ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
    return [_convert(spec["list"], item, f"{name}[{key}]") for key, item in ordered]


def _map_value(spec: Any, value: Any, name: str) -> Any:
    return "" if value == "" else _convert(spec, value, name)


def _union(spec: dict[str, Any], value: Any, name: str) -> Any:
    if value == "" and spec.get("clear"):
        return None
    refused: StripeError | None = None
    # The words of an enum first: "now" is not a bad integer.
    for member in sorted(spec["any"], key=lambda member: not isinstance(member, list)):
        try:
            return _convert(member, value, name)
        except StripeError as error:
            if refused is None or isinstance(value, dict) == isinstance(member, dict):
                refused = error
    assert refused is not None, name
    raise refused


def _choice(words: list[str], value: Any, name: str) -> str | None:
    if value == "" and "" in words:
        return None
    if value not in words:
        choices = [word for word in words if word]
        listed = ", ".join(choices[:-1]) + f", or {choices[-1]}" if len(choices) > 1 else choices[0]
        raise invalid(f"Invalid {name}: must be one of {listed}", param=name)
    return str(value)


def _scalar(spec: str, value: Any, name: str) -> Any:
    kind = spec.removesuffix("?")
    if kind == "any":
        return value
    if not isinstance(value, str):
        raise invalid(f"Invalid {kind}: {value}", param=name)
    if value == "":
        # Real Stripe takes name='' on a customer though the SDK calls it a plain string.
        if spec.endswith("?") or kind == "string":
            return None
        raise empty(name)
    if kind == "string":
        return value
    if kind == "bool":
        if value not in {"true", "false"}:
            raise invalid(f"Invalid boolean: {value}", param=name)
        return value == "true"
    if kind == "int":
        if not INTEGER.fullmatch(value):
            raise invalid(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
        return int(value)
    return _number(kind, value, name)


def _number(kind: str, value: str, name: str) -> float | str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise invalid(f"Invalid decimal: {value}", param=name)
    return value if kind == "decimal" else float(number)


def empty(name: str) -> StripeError:
    return invalid(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
        f"parameter; however '{name}' cannot be unset.",
        param=name,
        code="parameter_invalid_empty",
    )
