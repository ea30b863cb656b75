"""A client over a few connections that are kept open, and servers on a core of their own, for measuring by HTTP."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

_AT_ONCE = 16


def pinned(core: int) -> Callable[[], None] | None:
    """What ties a process to one core; None where there is only one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (lambda: os.sched_setaffinity(0, {cores[core]})) if len(cores) > 1 else None


@contextmanager
def server(*command: str, port: int, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """A Python program on the first core, from when it listens until the block ends."""
    process = subprocess.Popen(  # noqa: S603 (ours)
        [sys.executable, *command],
        stdout=subprocess.DEVNULL,
        preexec_fn=pinned(0),
        env=os.environ | (environment or {}),
    )
    try:
        asyncio.run(_ready(port))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


async def _ready(port: int) -> None:
    for _ in range(400):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise SystemExit("the server did not start")


def request(method: str, path: str, body: str = "", **headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body]).encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"refused: {head!r}")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def one(port: int, asked: bytes) -> bytes:
    """The body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    answer = await _answer(reader)
    writer.close()
    return answer


async def rate(port: int, asked: bytes, seconds: float) -> float:
    """Answers a second."""
    end = time.perf_counter() + seconds
    count = 0

    async def lane() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            writer.write(asked)
            await _answer(reader)
            count += 1
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
    return count / (time.perf_counter() - begun)
