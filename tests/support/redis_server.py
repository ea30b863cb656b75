"""A real Redis on a port of its own, for as long as a test needs it."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError


@asynccontextmanager
async def redis_running() -> AsyncIterator[str]:
    """Its address; the server is gone at the end of the block."""
    binary = shutil.which("redis-server")
    if binary is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is missing: apt-get install redis-server")
        pytest.skip("redis-server is missing: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no")
    process = await asyncio.create_subprocess_exec(binary, *arguments, stdout=asyncio.subprocess.DEVNULL)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        async with Redis.from_url(url) as client:
            await asyncio.wait_for(_answering(client), 20)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answering(client: Redis) -> None:
    while True:
        with suppress(RedisError, OSError):
            await client.ping()
            return
        await asyncio.sleep(0.02)
