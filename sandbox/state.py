"""The whole state of a sandbox: saved, put back, emptied and compared."""

from collections.abc import Iterator
from typing import Any

import orjson

from sandbox.log import Log
from sandbox.store import Object, Store

# What is on its way to somebody is not state: a saved sandbox sends nothing again.
_LEFT_OUT = frozenset({"_delivery"})
FORMAT = 1


def save(store: Store) -> dict[str, Any]:
    """All objects in their order, with the counter that decides the next identifiers."""
    return {"format": FORMAT, "sequence": store.sequence, "objects": [list(each) for each in _objects(store)]}


def restore(store: Store, log: Log, saved: dict[str, Any] | None) -> None:
    """Make the state what `save` gave, or empty; ValueError, and nothing done, for what is no saved state."""
    sequence, objects = _read(saved) if saved is not None else (0, [])
    gone = [
        (account, kind, object_id)
        for account, tables in store.accounts.items()
        for kind, values in tables.items()
        for object_id in values
    ]
    # one write: whoever reads the log finds both or neither
    log.append(_record(sequence, [], gone) + _record(sequence, objects, []))
    store.accounts.clear()
    store.kinds.clear()
    for account, kind, value in objects:
        store.put(account, kind, value)
    store.sequence = sequence


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What differs between two saved states, object by object and field by field."""
    before, after = ({(a, k, v["id"]): v for a, k, v in _read(each)[1]} for each in (first, second))
    found: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        name = " ".join(key)
        if key not in after:
            found.append(f"- {name}")
        elif key not in before:
            found.append(f"+ {name}")
        else:
            old, new = before[key], after[key]
            fields = sorted(field for field in {*old, *new} if old.get(field) != new.get(field))
            found += [f"~ {name} {field}: {_text(old.get(field))} -> {_text(new.get(field))}" for field in fields]
    return found


def _objects(store: Store) -> Iterator[tuple[str, str, Object]]:
    for account, tables in store.accounts.items():
        for kind, values in tables.items():
            if kind not in _LEFT_OUT:
                for value in values.values():
                    yield account, kind, value


def _read(saved: dict[str, Any]) -> tuple[int, list[tuple[str, str, Object]]]:
    try:
        if saved["format"] != FORMAT:
            raise ValueError(f"a saved state of format {saved['format']}; this sandbox reads {FORMAT}")
        found = [(str(account), str(kind), dict(value)) for account, kind, value in saved["objects"]]
        if not all(isinstance(value["id"], str) for _, _, value in found):
            raise ValueError("an object without an id")
        return int(saved["sequence"]), found
    except (KeyError, TypeError) as error:
        raise ValueError("this is no saved state of a sandbox") from error


def _record(sequence: int, put: list[tuple[str, str, Object]], gone: list[tuple[str, str, str]]) -> bytes:
    return orjson.dumps({"n": sequence, "put": put, "del": gone}, option=orjson.OPT_APPEND_NEWLINE)


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
