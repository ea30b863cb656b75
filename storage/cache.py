"""Bounded aiocache in memory: what is kept is keyed by the revision of its scope, so that nothing need be cleared."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from aiocache import SimpleMemoryCache
from aiocache.serializers import NullSerializer

T = TypeVar("T")


class BoundedMemoryCache(SimpleMemoryCache):  # type: ignore[misc]  # aiocache has no types
    """The stock memory cache grows for ever; this one forgets what was used longest ago."""

    def __init__(self, *, max_entries: int) -> None:
        super().__init__(serializer=NullSerializer(), timeout=None, key_builder=_separated)
        self._cache: OrderedDict[str, Any] = OrderedDict()
        self.max_entries = max_entries

    async def _get(self, key: str, encoding: str | None = None, _conn: Any = None) -> Any:
        if key in self._cache:
            self._cache.move_to_end(key)
        return self._cache.get(key)

    async def _set(
        self, key: str, value: Any, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        self._cache[key] = value
        self._cache.move_to_end(key)
        while len(self._cache) > self.max_entries:
            self._cache.popitem(last=False)
        return True


def _separated(key: str, namespace: str | None = None) -> str:
    """Namespaces of the stock builder have no separator: `t1` + `0` would be `t10`."""
    space = namespace or ""
    return f"{len(space)}:{space}:{key}"


class LookupCache:
    """Keeps immutable answers under (space, revision, key): a new revision makes the old ones unreachable."""

    def __init__(self, *, max_entries: int = 10_000) -> None:
        self._store = BoundedMemoryCache(max_entries=max_entries)

    async def get(self, space: str, revision: int, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """The kept answer, or what `load` answers now. Answers must not be changed by who receives them."""
        name = f"{revision}:{key}"
        kept = await self._store.get(name, namespace=space)
        if kept is not None:
            return cast(T, kept[0])
        loaded = await load()
        await self._store.set(name, (loaded,), namespace=space)
        return loaded

    async def peek(self, space: str, key: str) -> Any:
        """What `keep` was given last, or None: the caller judges whether it still holds."""
        return await self._store.get(key, namespace=space)

    async def keep(self, space: str, key: str, value: object) -> None:
        """Keep a value that carries its own revision, for look-ups whose scope is known only from the answer."""
        await self._store.set(key, value, namespace=space)
