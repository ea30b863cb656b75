"""Reads recordings of real Stripe traffic from a folder: JSON lists of requests with their answers.

A recording is a list of objects with method, path, query and form (ordered pairs), request_headers, status,
response_headers, api_version, recorded_at and body. The folder is never copied into this repository.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import orjson

LONGEST_PAUSE = 120  # seconds between two requests of one run


@dataclass(frozen=True)
class Exchange:
    """One request and Stripe's answer to it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...]
    account: str | None
    status: int
    body: Any
    version: str
    at: int

    @property
    def title(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Scenario:
    """The last contiguous run of one recording: older runs in the same file used older API versions."""

    name: str
    exchanges: tuple[Exchange, ...]


def scenarios(folder: Path) -> list[Scenario]:
    """Every recording of the folder, by name."""
    return [
        Scenario(file.stem, _last_run([_exchange(row) for row in orjson.loads(file.read_bytes())]))
        for file in sorted(folder.glob("*.json"))
    ]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every Stripe object inside an answer, the outer ones first."""
    if isinstance(value, dict):
        if isinstance(value.get("object"), str) and isinstance(value.get("id"), str):
            yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def _exchange(row: dict[str, Any]) -> Exchange:
    # `recorded_at` may be frozen by the recorded test; the answer's own date is not.
    date = row["response_headers"].get("date", row["recorded_at"])
    return Exchange(
        row["method"],
        row["path"],
        tuple((name, value) for name, value in row["query"]),
        tuple((name, value) for name, value in row["form"]),
        row["request_headers"].get("stripe-account"),
        row["status"],
        row["body"],
        row["api_version"],
        int(parsedate_to_datetime(date).timestamp()),
    )


def _last_run(exchanges: list[Exchange]) -> tuple[Exchange, ...]:
    start = len(exchanges) - 1
    while start > 0:
        before, after = exchanges[start - 1], exchanges[start]
        if before.version != after.version or not -5 <= after.at - before.at <= LONGEST_PAUSE:
            break
        start -= 1
    return tuple(exchanges[start:])
