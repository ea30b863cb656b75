"""Stripe's rate limits: so many requests a second of an account, and of one endpoint of it; off until they are set."""

from collections import Counter
from typing import Any

MOST = 1_000_000


class RateLimits:
    """Counts by whole seconds of the sandbox's clock; 0 is no limit."""

    def __init__(self) -> None:
        self.per_account = 0
        self.per_endpoint = 0
        self._second = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def set(self, given: dict[str, Any]) -> None:
        """Replace both; ValueError for what can't be read."""
        if unknown := given.keys() - {"per_account", "per_endpoint"}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; there are per_account, per_endpoint")
        wanted = {name: int(given.get(name, 0)) for name in ("per_account", "per_endpoint")}
        if not all(0 <= each <= MOST for each in wanted.values()):
            raise ValueError(f"a limit must be from 0 to {MOST}")
        self.per_account, self.per_endpoint = wanted["per_account"], wanted["per_endpoint"]
        self._counts.clear()

    def described(self) -> dict[str, int]:
        return {"per_account": self.per_account, "per_endpoint": self.per_endpoint}

    def exceeded(self, account: str, operation: str, now: float) -> str | None:
        """Count a request; the reason for which it is refused, as Stripe-Rate-Limited-Reason says it, or None."""
        if not (self.per_account or self.per_endpoint):
            return None
        if int(now) != self._second:
            self._second = int(now)
            self._counts.clear()
        self._counts[account, ""] += 1
        if self.per_account and self._counts[account, ""] > self.per_account:
            return "global-rate"
        self._counts[account, operation] += 1
        if self.per_endpoint and self._counts[account, operation] > self.per_endpoint:
            return "endpoint-rate"
        return None
