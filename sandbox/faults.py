"""Faults on demand: a cut connection or a status, for requests that match."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_FAULTS = 100


class Effect(StrEnum):
    """drop_answer: the request takes effect, then the connection is cut; drop_before: it takes none."""

    DROP_ANSWER = "drop_answer"
    DROP_BEFORE = "drop_before"
    STATUS = "status"


@dataclass(slots=True)
class Fault:
    """A None in the match fits everything; `times` counts down to nothing."""

    effect: Effect
    method: str | None
    path: str | None
    account: str | None
    status: int
    times: int

    def described(self) -> dict[str, Any]:
        match = {"method": self.method, "path": self.path, "account": self.account}
        return {"match": match, "effect": self.effect, "status": self.status, "times": self.times}


class Faults:
    """The faults that are set, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

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
        )
        if fault.times < 1 or not 400 <= fault.status <= 599:
            raise ValueError("times must be at least 1, status from 400 to 599.")
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str, account: str | None) -> Fault | None:
        """The first fault that fits this request, used once."""
        for fault in self._faults:
            pairs = ((fault.method, method), (fault.path, path), (fault.account, account))
            if all(wanted is None or wanted == given for wanted, given in pairs):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._faults.clear()

    def described(self) -> list[dict[str, Any]]:
        return [fault.described() for fault in self._faults]
