"""Waits until a process that was just started answers over HTTP."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import aiohttp

from gateway.user_error import UserError

_LOOK_EVERY: Final = 0.03


async def wait_until_ready(name: str, url: str, *, early_deaths: Callable[[], int], patience: float) -> None:
    """Return once the address answers 200. Raises UserError when it does not, or when the process keeps dying."""
    deadline = time.monotonic() + patience
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            if early_deaths() >= 3:
                raise UserError(f"{name} does not start: its own lines above say why")
            await asyncio.sleep(_LOOK_EVERY)
    raise UserError(f"{name} was not ready within {patience:g} s ({url})")
