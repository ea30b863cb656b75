"""The cache keeps answers under their revision, tells spaces apart, and stays small."""

from collections.abc import Awaitable, Callable

import pytest

from storage.cache import BoundedMemoryCache, LookupCache


class _Loads:
    """Counts how often something had to be loaded."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, value: object) -> Callable[[], Awaitable[object]]:
        async def load() -> object:
            self.count += 1
            return value

        return load


@pytest.mark.parametrize("value", ["x", None, 0, "", (), False])
async def test_an_answer_is_loaded_once_whatever_it_is(value: object) -> None:
    cache, loads = LookupCache(), _Loads()
    assert [await cache.get("space", 1, "key", loads.of(value)) for _ in range(3)] == [value] * 3
    assert loads.count == 1


async def test_a_new_revision_is_loaded_anew() -> None:
    cache, loads = LookupCache(), _Loads()
    assert await cache.get("space", 1, "key", loads.of("old")) == "old"
    assert await cache.get("space", 2, "key", loads.of("new")) == "new"


async def test_no_two_names_fall_together() -> None:
    cache, loads = LookupCache(), _Loads()
    names = [("t1", 0, "k"), ("t10", 0, "k"), ("t1", 0, "0:k"), ("t", 10, "k"), ("t1:0", 0, "k"), ("t1", 10, "k")]
    for name in names:
        assert await cache.get(*name, loads.of(name)) == name
    for name in names:
        assert await cache.get(*name, loads.of("loaded again")) == name


async def test_what_fails_to_load_is_not_kept() -> None:
    async def fail() -> object:
        raise LookupError

    cache, loads = LookupCache(), _Loads()
    with pytest.raises(LookupError):
        await cache.get("space", 1, "key", fail)
    assert await cache.get("space", 1, "key", loads.of("x")) == "x"


async def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    cache = BoundedMemoryCache(max_entries=2)
    await cache.set("a", 1)
    await cache.set("b", 2)
    await cache.get("a")
    await cache.set("c", 3)
    assert [await cache.get(key) for key in ("a", "b", "c")] == [1, None, 3]
