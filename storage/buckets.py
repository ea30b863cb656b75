"""Leaky buckets of points: in memory, or in Redis for all machines together."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket holds `limit` points and gains `restore` a second."""

    limit: int
    restore: float


@dataclass(frozen=True, slots=True)
class Level:
    """What a bucket holds after a request for points; `granted` says whether they were taken."""

    granted: bool
    available: float


class Store(Protocol):
    """Where the levels are kept."""

    async def take(self, key: str, rate: Rate, points: float) -> Level:
        """Take points, all or none; a negative number gives points back."""


class MemoryStore:
    """Levels of this process, those used longest ago forgotten: a forgotten bucket is full."""

    def __init__(self, *, kept: int = 50_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._kept, self._clock = kept, clock

    async def take(self, key: str, rate: Rate, points: float) -> Level:
        now = self._clock()
        level, at = self._levels.pop(key, (float(rate.limit), now))
        level = min(rate.limit, level + (now - at) * rate.restore)
        granted = points <= max(level, 0)
        if granted:
            level = min(rate.limit, level - points)
        self._levels[key] = (level, now)
        if len(self._levels) > self._kept:
            self._levels.popitem(last=False)
        return Level(granted, level)


# One bucket is a hash of its level and the server's time of the last change; it goes when it would be full again.
_SCRIPT = """
local limit, restore, points = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = limit
if kept[1] then level = math.min(limit, tonumber(kept[1]) + (now - tonumber(kept[2])) * restore) end
local granted = 0
if points <= math.max(level, 0) then
  granted = 1
  level = math.min(limit, level - points)
end
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil((limit - level) / restore) + 1)
return {granted, tostring(level)}
"""


class RedisStore:
    """Levels that several machines share; while Redis is away each counts for itself."""

    def __init__(self, client: Redis, on_away: Callable[[str], None]) -> None:
        self._client = client
        self._script = client.register_script(_SCRIPT)
        self._own = MemoryStore()
        self._on_away = on_away

    async def take(self, key: str, rate: Rate, points: float) -> Level:
        try:
            granted, level = await self._script(keys=[f"bgw:cost:{key}"], args=[rate.limit, rate.restore, points])
        except (RedisError, OSError) as error:
            self._on_away(type(error).__name__)
            return await self._own.take(key, rate, points)
        return Level(bool(granted), float(level))


def make_store(redis_url: str, on_away: Callable[[str], None]) -> tuple[Store, Redis | None]:
    """Redis where there is one, else this process's memory; the client is the caller's to close."""
    if not redis_url:
        return MemoryStore(), None
    client: Redis = Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)
    return RedisStore(client, on_away), client
