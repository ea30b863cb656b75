"""The settings of one sandbox."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a sandbox is told from outside; `data=None` keeps all state in memory."""

    api_keys: tuple[str, ...]
    data: Path | None = None
    retry_schedule: tuple[float, ...] = (1, 2, 5, 10)
    public_url: str = "http://127.0.0.1:12111"
    seed: int = 0
    platform: str = "acct_1Sandb0xPlatform"
    clock: Callable[[], float] = time.time
    deliveries_per_endpoint: int = 16
    delivery_timeout: float = 20.0
    body_limit: int = 1_000_000
    state_limit: int = 1_000_000_000
    events_kept: int = 100_000
    idempotency_keys_kept: int = 100_000

    def __post_init__(self) -> None:
        if not self.api_keys:
            raise ValueError("The sandbox needs at least one API key.")
        for key in self.api_keys:
            if not key.startswith("sk_test_"):
                raise ValueError("The sandbox takes only keys that begin with sk_test_.")
