"""Charges operations to buckets of cost, one for each token and one for each tenant."""

from dataclasses import dataclass
from typing import Any

from storage.buckets import Level, Rate, Store


@dataclass(frozen=True, slots=True)
class Charge:
    """Points that were taken for one operation, or what stood in the way."""

    requested: int
    granted: bool
    available: float
    rate: Rate

    @property
    def retry_after(self) -> int:
        """Whole seconds until the bucket holds enough."""
        return max(1, int((self.requested - self.available) / self.rate.restore) + 1)

    def shown(self, actual: int | None) -> dict[str, Any]:
        """As `extensions.cost` has it."""
        throttle = {"limit": self.rate.limit, "available": int(self.available), "restoreRate": self.rate.restore}
        return {"requested": self.requested, "actual": actual, "throttle": throttle}


@dataclass(frozen=True, slots=True)
class Throttle:
    """Charges operations to their token and their tenant, and gives back what they did not use."""

    store: Store
    per_token: Rate
    per_tenant: Rate

    async def charge(self, tenant: int, token: str, points: int) -> Charge:
        """Take the points from both buckets, or from none; the tenant's own limit is never told beyond `granted`."""
        own = await self.store.take(f"token:{tenant}:{token}", self.per_token, points)
        if not own.granted:
            return Charge(points, granted=False, available=own.available, rate=self.per_token)
        shared = await self.store.take(f"tenant:{tenant}", self.per_tenant, points)
        if not shared.granted:
            await self.store.take(f"token:{tenant}:{token}", self.per_token, -points)
            return Charge(points, granted=False, available=shared.available, rate=self.per_tenant)
        return Charge(points, granted=True, available=own.available, rate=self.per_token)

    async def settle(self, tenant: int, token: str, charge: Charge, actual: int) -> Charge:
        """Give back what was not used, or take what was used beyond the bound."""
        unused = charge.requested - actual
        if not unused:
            return charge
        # what was used is owed, whether or not the bucket still holds it
        own = await self._settle(f"token:{tenant}:{token}", self.per_token, unused)
        await self._settle(f"tenant:{tenant}", self.per_tenant, unused)
        return Charge(charge.requested, granted=True, available=own.available, rate=charge.rate)

    async def _settle(self, key: str, rate: Rate, unused: int) -> Level:
        if unused > 0:
            return await self.store.take(key, rate, -unused)
        level = await self.store.take(key, rate, -unused)
        return level if level.granted else await self.store.take(key, rate, max(level.available, 0))
