"""Says what is wrong with an answer: by the SDK's annotations, and by the keys that Stripe always sends.

`always_present.json` holds those keys per object type and path inside it ("" is the object itself), learned
from Stripe's example objects and from recorded traffic.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from sandbox.config import API_VERSION
from tests.contract.operations import core_operations
from tests.contract.sdk_modules import fields, module, resolve
from tests.contract.sdk_schema import Definitions, Schema

DEFINITIONS = "urn:stripe-sdk"
ALWAYS_PRESENT: dict[str, dict[str, list[str]]] = orjson.loads(
    Path(__file__).with_name("always_present.json").read_bytes()
)
MAX_PROBLEMS = 20  # of one answer: more of them say nothing new


def validate_response(operation: str, status: int, body: Any) -> None:
    """Raise AssertionError, naming every problem, if Stripe would not answer `operation` like this."""
    found = problems(operation, status, body)
    assert not found, f"{operation} answered {status}:\n  " + "\n  ".join(found)


def problems(operation: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer; empty where nothing is."""
    if status >= 400:
        return _problems_of_error(body)
    found = [*_mismatches(_answer_validator(operation), body), *_missing_keys(body)]
    if operation.startswith("GET /v1/events"):
        for event in body.get("data", ()) if body.get("object") == "list" else (body,):
            found += _problems_of_snapshot(event)
    return found[:MAX_PROBLEMS]


def problems_of_event(event: Any) -> list[str]:
    """What is wrong with a delivered event, or one from the list, and with the snapshot in it."""
    found = _mismatches(_object_validator("event"), event)
    return [*found, *_problems_of_snapshot(event), *_missing_keys(event)][:MAX_PROBLEMS]


def _problems_of_error(body: Any) -> list[str]:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ["a refusal has no error object"]
    return [f"error has no {key}" for key in ("message", "type") if key not in error]


def _problems_of_snapshot(event: Any) -> Iterator[str]:
    snapshot = {} if _of_another_version(event) else event.get("data", {}).get("object", {})
    kind = snapshot.get("object", "") if isinstance(snapshot, dict) else ""
    if kind in _object_classes() and not snapshot.get("deleted"):
        for problem in _mismatches(_object_validator(kind), snapshot):
            yield f"in {event.get('type')}: {problem}"


def _of_another_version(body: Any) -> bool:
    """An event that the sandbox was told to tell in an older version: its object has other fields."""
    return body.get("object") == "event" and body.get("api_version") not in (None, API_VERSION)


def _missing_keys(body: Any, kind: str = "", path: tuple[str, ...] = ()) -> Iterator[str]:
    """Walk the answer; each object with an `object` of its own starts the paths anew."""
    if isinstance(body, list):
        for element in body:
            yield from _missing_keys(element, kind, (*path, "[]"))
    if not isinstance(body, dict) or body.get("deleted") or _of_another_version(body):
        return
    own_kind = body.get("object")
    if isinstance(own_kind, str) and own_kind in ALWAYS_PRESENT:
        kind, path = own_kind, ()
    wanted = ALWAYS_PRESENT.get(kind, {}).get(".".join(path), [])
    lacking = [key for key in wanted if key not in body]
    if lacking:
        yield f"{'.'.join((kind, *path))} lacks {', '.join(lacking)}"
    for key, value in body.items():
        if key != "previous_attributes":  # holds only what changed
            yield from _missing_keys(value, kind, (*path, key))


def _mismatches(validator: jsonschema_rs.Validator, body: Any) -> list[str]:
    found: list[str] = []
    for error in validator.iter_errors(body):
        kind = error.instance.get("object") if isinstance(error.instance, dict) else None
        place = ".".join(map(str, error.instance_path))
        if place and isinstance(kind, str) and kind in _object_classes():
            # "matches none of" about an expanded object says nothing: say what is wrong inside it.
            found += [f"{place}: {inner}" for inner in _mismatches(_object_validator(kind), error.instance)]
        else:
            found.append(f"{place or 'body'}: {_short(error.message)}")
        if len(found) >= MAX_PROBLEMS:
            break
    return found


def _short(message: str) -> str:
    return message if len(message) < 300 else f"{message[:140]} … {message[-140:]}"


@functools.cache
def _schemas() -> tuple[dict[str, Schema], dict[str, Schema], jsonschema_rs.Registry]:
    """Answers by operation, objects by type, and the definitions of both (0.7 s, once a process)."""
    definitions = Definitions()
    answers = {name: definitions.answer(operation) for name, operation in core_operations().items()}
    objects = {kind: definitions.object(*place) for kind, place in _object_classes().items()}
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions.defs}
    return answers, objects, jsonschema_rs.Registry([(DEFINITIONS, root)])


@functools.cache
def _object_classes() -> dict[str, tuple[str, str]]:
    """Where the SDK keeps the class of each object type that this contract knows."""
    for node in module("stripe._object_classes").tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "OBJECT_CLASSES":
            assert node.value is not None
            classes: dict[str, tuple[str, str]] = ast.literal_eval(node.value)
            return {kind: classes[kind] for kind in ALWAYS_PRESENT if kind in classes}
    raise RuntimeError("stripe._object_classes has no table of classes")


@functools.cache
def _answer_validator(operation: str) -> jsonschema_rs.Validator:
    return _validator(_schemas()[0][operation])


@functools.cache
def _object_validator(kind: str) -> jsonschema_rs.Validator:
    return _validator(_schemas()[1][kind])


def _validator(schema: Schema) -> jsonschema_rs.Validator:
    absolute = orjson.loads(orjson.dumps(schema).replace(b'"#/$defs/', f'"{DEFINITIONS}#/$defs/'.encode()))
    return jsonschema_rs.validator_for(absolute, registry=_schemas()[2])


@functools.cache
def object_properties(kind: str) -> frozenset[str] | None:
    """The keys that the SDK knows for an object type, or None for a type outside this contract."""
    if kind not in _object_classes():
        return None
    return frozenset(fields(resolve(_object_classes()[kind][1], module(_object_classes()[kind][0]), "")))
