"""Orders events of the same seconds by what each says was there before it: `previous_attributes` as a chain."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import orjson

_SHORT = 12  # bytes of a digest: enough to tell the few states of one object within seconds apart
_MOST = 24


@dataclass(frozen=True, slots=True)
class Link:
    """One event: it led from a state to a state, both as short digests. None before: it made the object."""

    stamp: datetime
    before: bytes | None
    after: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """The links heard of that may still matter; `broken` is the last second in which an event told no link."""

    links: tuple[Link, ...] = ()
    broken: datetime | None = None

    def since(self, stamp: datetime) -> "Chain":
        """Without what is older than this second."""
        broken = self.broken if self.broken and self.broken >= stamp else None
        return Chain(tuple(link for link in self.links if link.stamp >= stamp), broken)

    def joined(self, link: Link) -> "Chain":
        """With one more event."""
        if link in self.links:
            return self
        links = (*self.links, link)
        return self.broke(link.stamp) if len(links) > _MOST else Chain(links, self.broken)

    def broke(self, stamp: datetime) -> "Chain":
        """With an event of this second that told no link: what came before or after it can't be proved."""
        return Chain(self.links, max(stamp, self.broken) if self.broken else stamp)

    @classmethod
    def loaded(cls, stored: Mapping[str, Any]) -> "Chain":
        """What `stored` gave."""
        links = (
            Link(_time(at), before and bytes.fromhex(before), bytes.fromhex(after))
            for at, before, after in stored["links"]
        )
        return cls(tuple(links), _time(stored["broken"]) if stored["broken"] is not None else None)

    def stored(self) -> dict[str, Any] | None:
        """As JSON for the object's row; None where there is nothing to remember."""
        if not self.links and self.broken is None:
            return None
        links = [(int(one.stamp.timestamp()), one.before and one.before.hex(), one.after.hex()) for one in self.links]
        return {"links": links, "broken": int(self.broken.timestamp()) if self.broken else None}

    def order(self) -> Sequence[bytes]:
        """The states from first to last; empty where a cycle, a fork, a gap or a break leaves it open."""
        if self.broken is not None or not self.links:
            return ()
        by_before = {link.before: link for link in self.links}
        afters = {link.after for link in self.links}
        first = [link for link in self.links if link.before not in afters]
        if len(by_before) < len(self.links) or len(afters) < len(self.links) or len(first) != 1:
            return ()
        path = [first[0]]
        while (following := by_before.get(path[-1].after)) is not None:
            path.append(following)
        in_time = all(a.stamp <= b.stamp for a, b in pairwise(path))
        if len(path) < len(self.links) or not in_time:
            return ()
        return [*([path[0].before] if path[0].before else []), *(link.after for link in path)]


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def digest(body: Mapping[str, Any]) -> bytes:
    """Of a normalised object; equal for equal states."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def short(full: bytes) -> bytes:
    """What a link keeps of a digest."""
    return full[:_SHORT]


def earlier(body: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it was: an event's object with its `previous_attributes` put back.

    Objects within are told by their changed keys alone, lists whole. What can't be told (a key that was absent and
    one that was null read alike in metadata) gives a state that was never there: a gap, which proves nothing.
    """
    found = dict(body)
    for key, value in previous.items():
        now = found.get(key)
        if key == "metadata" and isinstance(now, Mapping) and isinstance(value, Mapping):
            merged = {**now, **value}
            found[key] = {name: old for name, old in merged.items() if old is not None}
        elif isinstance(now, Mapping) and isinstance(value, Mapping):
            found[key] = earlier(now, value)
        else:
            found[key] = value
    return found
