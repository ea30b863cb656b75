"""All state: account → type → id → object, changed only inside a transaction that can be undone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.chaos import Chaos
from sandbox.limits import RateLimits

Object = dict[str, Any]
Key = tuple[str, str, str]


def copy(value: Object) -> Object:
    """A deep copy of plain JSON data; several times faster than copy.deepcopy."""
    copied: Object = orjson.loads(orjson.dumps(value))
    return copied


@dataclass(slots=True)
class Store:
    """Committed objects, and during a transaction also its drafts."""

    sequence: int = 0
    accounts: dict[str, dict[str, dict[str, Object]]] = field(default_factory=dict)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)
    chaos: Chaos = field(default_factory=Chaos)
    limits: RateLimits = field(default_factory=RateLimits)

    def table(self, account: str, kind: str) -> dict[str, Object]:
        return self.accounts.setdefault(account, {}).setdefault(kind, {})

    def holder(self, object_id: str, kind: str) -> str | None:
        """The account that holds the object of this type."""
        return next((account for account in self.accounts if self.kinds.get((account, object_id)) == kind), None)

    def put(self, account: str, kind: str, value: Object) -> None:
        self.table(account, kind)[value["id"]] = value
        self.kinds[account, value["id"]] = kind

    def drop(self, account: str, kind: str, object_id: str) -> None:
        self.table(account, kind).pop(object_id, None)
        self.kinds.pop((account, object_id), None)


class Transaction:
    """One request's changes: readable at once, undone by `rollback`, written to the log as one record."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._before: dict[Key, Object | None] = {}
        self._deleted: set[Key] = set()

    def get(self, account: str, kind: str, object_id: str) -> Object | None:
        """Read only: to change an object, `edit` it."""
        if (account, kind, object_id) in self._deleted:
            return None
        return self.store.table(account, kind).get(object_id)

    def find(self, account: str, object_id: str) -> Object | None:
        kind = self.store.kinds.get((account, object_id))
        return None if kind is None else self.get(account, kind, object_id)

    def newest(self, account: str, kind: str) -> Iterator[Object]:
        """The objects of a type, newest first."""
        for object_id, value in reversed(self.store.table(account, kind).items()):
            if (account, kind, object_id) not in self._deleted:
                yield value

    def edit(self, account: str, kind: str, object_id: str) -> Object:
        """The draft of this transaction, made at the first call; changes to it are changes to the store."""
        key = (account, kind, object_id)
        current = self.store.table(account, kind)[object_id]
        if key in self._before:
            return current
        self._before[key] = current
        draft = copy(current)
        self.store.put(account, kind, draft)
        return draft

    def insert(self, account: str, kind: str, value: Object) -> Object:
        self._before.setdefault((account, kind, value["id"]), None)
        self._deleted.discard((account, kind, value["id"]))
        self.store.put(account, kind, value)
        return value

    def delete(self, account: str, kind: str, object_id: str) -> None:
        # Taken out only at the commit, so that an undo keeps the object's place in the list.
        key = (account, kind, object_id)
        self._before.setdefault(key, self.store.table(account, kind)[object_id])
        self._deleted.add(key)

    def rollback(self) -> None:
        for (account, kind, object_id), before in self._before.items():
            if before is None:
                self.store.drop(account, kind, object_id)
            else:
                self.store.put(account, kind, before)
        self._before.clear()
        self._deleted.clear()

    def commit(self) -> bytes | None:
        """The log record of the changes, or None where nothing changed."""
        if not self._before:
            return None
        put = [
            (account, kind, self.store.table(account, kind)[object_id])
            for account, kind, object_id in self._before
            if (account, kind, object_id) not in self._deleted
        ]
        record = orjson.dumps(
            {"n": self.store.sequence, "put": put, "del": list(self._deleted)},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for account, kind, object_id in self._deleted:
            self.store.drop(account, kind, object_id)
        self._before.clear()
        self._deleted.clear()
        return record

    def inserted(self, kind: str) -> list[tuple[str, Object]]:
        """The objects of a type that this transaction made, each with its account."""
        return [
            (key[0], self.store.table(*key[:2])[key[2]])
            for key, before in self._before.items()
            if before is None and key[1] == kind
        ]
