"""How many requests a second the sandbox answers on one core, beside a bare server that answers with ready bytes.

    python -m bench.sandbox [SECONDS]

Server and client have a core each where there are two; the sandbox keeps its state on disk.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KEY = "sk_test_bench"
_AT_ONCE = 16
_AUTH = b64encode(f"{_KEY}:".encode()).decode()
_FLOOR = """
import sys, uvicorn
BODY = b"x" * int(sys.argv[2])
async def app(scope, receive, send):
    headers = [(b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
"""


def _pinned(core: int) -> Callable[[], None] | None:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (lambda: os.sched_setaffinity(0, {cores[core]})) if len(cores) > 1 else None


@contextmanager
def _server(*command: str, port: int) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603 (ours)
        [sys.executable, *command], stdout=subprocess.DEVNULL, preexec_fn=_pinned(0)
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


def _request(method: str, path: str, body: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Authorization: Basic {_AUTH}"]
    lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"refused: {head!r}")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def _one(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await _answer(reader)
    writer.close()
    return answer


async def _rate(port: int, request: bytes, seconds: float) -> float:
    """Answers a second over a few connections that are kept open."""
    end = time.perf_counter() + seconds
    count = 0

    async def lane() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            writer.write(request)
            await _answer(reader)
            count += 1
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
    return count / (time.perf_counter() - begun)


def main() -> None:
    """The command line."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    port = 12_311
    if pin := _pinned(1):
        pin()
    with tempfile.TemporaryDirectory() as folder:
        state = str(Path(folder) / "state")
        with _server("-m", "sandbox", "serve", "--port", str(port), "--api-key", _KEY, "--data", state, port=port):
            made = asyncio.run(_one(port, _request("POST", "/v1/customers", "name=Ada&email=a%40example.org")))
            read = _request("GET", f"/v1/customers/{json.loads(made)['id']}")
            create = _request("POST", "/v1/customers", "name=Ada&email=a%40example.org&metadata[a]=b")
            rates = {"retrieve a customer": asyncio.run(_rate(port, read, seconds))}
            rates["create a customer"] = asyncio.run(_rate(port, create, seconds))
        with _server("-c", _FLOOR, str(port), str(len(made)), port=port):
            floor = asyncio.run(_rate(port, read, seconds))
    for name, rate in rates.items():
        print(f"sandbox: {name}: {rate:,.0f} requests/s on one core; ready bytes {floor:,.0f}/s; "
              f"ratio {rate / floor:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
