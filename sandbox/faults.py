"""Faults on demand: a cut connection or a status, for requests that match."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_FAULTS = 100


class Effect(StrEnum):
    """What happens to a request.

    drop_answer: it takes effect, then the connection is cut; drop_before: it takes none. status: it is refused with a
    status. saved: it takes no effect, and its refusal is kept under its idempotency key, as Stripe keeps a 500;
    saved_after: the same of one that took effect. slow: it takes effect, and the answer waits for `seconds`.
    """

    DROP_ANSWER = "drop_answer"
    DROP_BEFORE = "drop_before"
    STATUS = "status"
    SAVED = "saved"
    SAVED_AFTER = "saved_after"
    SLOW = "slow"


@dataclass(slots=True)
class Fault:
    """A None in the match fits everything, a path that ends in * what begins so; `times` counts down to nothing.

    `share` is how many of the requests that fit are met, from 0 to 1.
    """

    effect: Effect
    method: str | None
    path: str | None
    account: str | None
    status: int
    times: int
    share: float = 1.0
    seconds: float = 0.0

    def fits(self, method: str, path: str, account: str | None) -> bool:
        wanted = self.path is None or self.path == path
        if self.path is not None and self.path.endswith("*"):
            wanted = path.startswith(self.path[:-1])
        return wanted and self.method in (None, method) and self.account in (None, account)

    def described(self) -> dict[str, Any]:
        match = {"method": self.method, "path": self.path, "account": self.account}
        return {"match": match, "effect": self.effect, "status": self.status, "times": self.times} | {
            "share": self.share,
            "seconds": self.seconds,
        }


class Faults:
    """The faults that are set, oldest first."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 (no secret)

    def add(self, given: dict[str, Any]) -> Fault:
        """ValueError for what cannot be read."""
        if len(self._faults) >= MAX_FAULTS:
            raise ValueError(f"At most {MAX_FAULTS} faults at a time.")
        match = given.get("match") or {}
        fault = Fault(
            effect=Effect(given.get("effect", "")),
            method=match.get("method"),
            path=match.get("path"),
            account=match.get("account"),
            status=int(given.get("status", 500)),
            times=int(given.get("times", 1)),
            share=float(given.get("share", 1)),
            seconds=float(given.get("seconds", 0)),
        )
        if fault.times < 1 or not 400 <= fault.status <= 599:
            raise ValueError("times must be at least 1, status from 400 to 599.")
        if not 0 < fault.share <= 1 or not 0 <= fault.seconds <= 300:
            raise ValueError("share must be above 0 and at most 1, seconds from 0 to 300.")
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str, account: str | None) -> Fault | None:
        """The first fault that fits this request, used once."""
        for fault in self._faults:
            if fault.fits(method, path, account) and self._random.random() < fault.share:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._faults.clear()

    def described(self) -> list[dict[str, Any]]:
        return [fault.described() for fault in self._faults]
