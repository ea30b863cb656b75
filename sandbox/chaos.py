"""How untidily events are made and delivered: repeated, late, out of order, lost or never made; seeded."""

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Chaos:
    """Shares are from 0 to 1, times in seconds; all zero is a tidy sandbox.

    `never`: events that are not even made, as Stripe forgets some; `never_types` names types that never are. `drop`:
    deliveries that are not sent. `duplicate`: deliveries that are sent twice. `delay`: each delivery waits for a random
    time up to this, which shuffles them. `clock_skew` moves the API's Date and the times of events. `api_versions`
    are accounts whose events come in another version. `accounts` limits all of it to some accounts.
    """

    seed: int = 0
    never: float = 0.0
    never_types: tuple[str, ...] = ()
    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    clock_skew: float = 0.0
    api_versions: dict[str, str] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()
    _random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 (no secret)

    def set(self, given: dict[str, Any]) -> None:
        """Replace all of it; ValueError for what can't be read. What is not given is tidy."""
        known = {each.name for each in fields(self) if not each.name.startswith("_")}
        if unknown := given.keys() - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        new = Chaos(**(given | {name: tuple(given.get(name, ())) for name in ("never_types", "accounts")}))
        for name in ("never", "drop", "duplicate"):
            if not 0 <= getattr(new, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1")
        if not 0 <= new.delay <= 86_400 or abs(new.clock_skew) > 86_400:
            raise ValueError("delay must be from 0 to 86400, clock_skew from -86400 to 86400")
        for name in known:
            setattr(self, name, getattr(new, name))
        self._random = random.Random(new.seed)  # noqa: S311 (no secret)

    def described(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}

    def forgets(self, account: str, kind: str) -> bool:
        """Whether an event of this type is not made this time."""
        if not self._concerns(account):
            return False
        return kind in self.never_types or (self.never > 0 and self._random.random() < self.never)

    def waits(self, account: str) -> list[float]:
        """How long each copy of a delivery waits before it is sent; none where it is lost."""
        if not self._concerns(account) or not (self.drop or self.duplicate or self.delay):
            return [0.0]
        if self._random.random() < self.drop:
            return []
        copies = 2 if self._random.random() < self.duplicate else 1
        return [self._random.uniform(0, self.delay) for _ in range(copies)]

    def _concerns(self, account: str) -> bool:
        return not self.accounts or account in self.accounts
