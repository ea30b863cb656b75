"""What an operation works with: its parameters, its account's objects, events, the time."""

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from sandbox.config import API_VERSION, Config
from sandbox.errors import missing
from sandbox.ids import identifier
from sandbox.old_versions import told_in
from sandbox.store import Object, Transaction, copy


@dataclass(slots=True)
class Context:
    """One request, inside its transaction and in one account."""

    tx: Transaction
    config: Config
    account: str
    now: int
    params: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None
    _told: dict[str, Object] = field(default_factory=dict)

    @property
    def application(self) -> str | None:
        """The platform's application, which stands on what it makes in a connected account."""
        return None if self.account == self.config.platform else f"ca_{self.config.platform[-16:]}"

    def inside(self, account: str) -> "Context":
        """The same request and transaction in another account, to reach the platform's or a connected one's."""
        return replace(self, account=account)

    def new_id(self, prefix: str) -> str:
        self.tx.store.sequence += 1
        return identifier(prefix, self.config.seed, self.tx.store.sequence, self.account)

    def get(self, kind: str, object_id: str, *, param: str | None = None) -> Object:
        """The object, to read; `param` names the parameter that held the id (None: it was in the path)."""
        found = self.tx.get(self.account, kind, object_id)
        if found is None or (found.get("deleted") and param is not None):
            raise missing(kind, object_id, param=param)
        return found

    def edit(self, kind: str, object_id: str) -> Object:
        """The object, to change in place; the first edit is what `updated` compares with."""
        current = self.get(kind, object_id)
        if current.get("deleted"):
            raise missing(kind, object_id)
        self._told.setdefault(object_id, current)
        return self.tx.edit(self.account, kind, object_id)

    def insert(self, value: Object) -> Object:
        return self.tx.insert(self.account, value["object"], value)

    def delete(self, value: Object) -> None:
        self.tx.delete(self.account, value["object"], value["id"])

    def emit(self, kind: str, value: Object, previous: Object | None = None) -> None:
        """An event with a snapshot of the object as it is now, and its deliveries."""
        chaos = self.tx.store.chaos
        shown = public(value)
        self._told[value["id"]] = copy(shown)
        if chaos.forgets(self.account, kind):
            return
        version = chaos.api_versions.get(self.account, API_VERSION)
        told = shown if version == API_VERSION else told_in(version, copy(shown))
        data: Object = {"object": orjson.Fragment(orjson.dumps(told))}
        if previous is not None:
            data["previous_attributes"] = previous
        endpoints = self._endpoints(kind)
        event: Object = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": version,
            "created": self.now + int(chaos.clock_skew),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
            "_endpoints": [endpoint["id"] for endpoint in endpoints],
            "_failed": 0,
        }
        if self.account != self.config.platform:
            event["account"] = self.account
        self.insert(event)
        for endpoint in endpoints:
            self._deliver(event, endpoint)

    def _deliver(self, event: Object, endpoint: Object) -> None:
        for number, wait in enumerate(self.tx.store.chaos.waits(self.account)):
            delivery = {
                "id": delivery_id(event["id"], endpoint["id"]) + (f":{number}" if number else ""),
                "object": "_delivery",
                "account": self.account,
                "event": event["id"],
                "endpoint": endpoint["id"],
                "owner": endpoint["_owner"],
                "attempts": 0,
                "due": self.config.clock() + wait if wait else 0,
            }
            self.tx.insert(self.account, "_delivery", delivery)

    def updated(self, kind: str, value: Object) -> None:
        """An event with previous_attributes since the edit or the last event; none where nothing changed."""
        previous = difference(public(self._told[value["id"]]), public(value))
        if previous:
            self.emit(kind, value, previous)

    def _endpoints(self, kind: str) -> list[Object]:
        found = []
        connected = self.account != self.config.platform
        own = self.tx.get(self.config.platform, "account", self.account) or {}
        # Who has taken the platform's access away is not told about to it any more.
        heard = (self.account,) if own.get("_deauthorized") else (self.account, self.config.platform)
        for owner in dict.fromkeys(heard):
            for endpoint in self.tx.newest(owner, "webhook_endpoint"):
                wanted = "*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"]
                scope = endpoint["_connect"] is (connected and owner == self.config.platform)
                if wanted and scope and endpoint["status"] == "enabled":
                    found.append(endpoint)
        return found


def delivery_id(event: str, endpoint: str) -> str:
    """A delivery is known by what goes where, so that an event's deliveries are found without a search."""
    return f"{event}:{endpoint}"


def public(value: Object) -> Object:
    """Without the keys the sandbox keeps for itself, which begin with an underscore."""
    return {name: item for name, item in value.items() if name[0] != "_"}


def difference(before: Object, after: Object) -> Object:
    """The old values of what changed: hashes key by key, lists and everything else whole."""
    changed: Object = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        changed[name] = difference(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return dict(sorted(changed.items()))
