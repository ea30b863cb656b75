"""A request's first lines: how long they may be, and how long they may take; and who does not read."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from gateway import http_head, stuck_writes
from gateway.http_head import MOST_BYTES, BoundedHttp
from gateway.stuck_writes import MovingSocket


async def _answer(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())} {len(request.headers)}")


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


GREAT = 32 * 2**20


async def _much(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text("x" * 2**20)


async def _great(_: Request) -> Response:
    return PlainTextResponse("x" * GREAT)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = Starlette(
        routes=[
            Route("/", _answer, methods=["GET", "POST"]),
            WebSocketRoute("/ws", _echo),
            WebSocketRoute("/much", _much),
            Route("/great", _great),
        ]
    )
    config = uvicorn.Config(
        app, port=0, http=BoundedHttp, ws=MovingSocket, log_level="error", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@asynccontextmanager
async def _open(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _sent(port: int, *parts: bytes) -> bytes:
    """What comes back for these parts, sent one after the other."""
    async with _open(port) as (reader, writer):
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET / HTTP/1.1\r\nhost: x\r\n", *[b"a%d: %s\r\n" % (n, b"x" * 10_000) for n in range(200)]],
        [b"GET / HTTP/1.1\r\nhost: x\r\na: ", *[b"x" * 10_000 for _ in range(200)]],
        [b"GET /?query=", *[b"x" * 10_000 for _ in range(200)]],
    ],
    ids=["many headers", "a long header", "a long address"],
)
async def test_a_head_without_end_ends_the_connection(port: int, parts: list[bytes]) -> None:
    told = await _sent(port, *parts)
    assert told == b"" or told.startswith(b"HTTP/1.1 431 ")  # a reset may swallow the answer


async def test_a_body_is_not_counted_and_connections_are_kept(port: int) -> None:
    body = b"x" * (3 * MOST_BYTES)
    one = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with _open(port) as (reader, writer):
        for _ in range(2):
            for place in range(0, len(one), 50_000):
                writer.write(one[place : place + 50_000])
                await writer.drain()
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            assert b"200 OK" in head
            assert await reader.readexactly(8) == b"%d 2" % len(body)
        writer.write(last)
        assert (await asyncio.wait_for(reader.read(), 30)).endswith(b"0 2")


async def test_who_takes_too_long_with_its_head_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "SECONDS", 0.3)
    assert await _sent(port) == b""
    assert await _sent(port, b"POST / HTTP/1.1\r\nhost: x\r\n") == b""
    async with _open(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nx")
        await asyncio.sleep(0.6)  # the body may take its time: whoever sends one was let in
        writer.write(b"y")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)


async def test_a_websocket_outlives_the_time_for_its_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "SECONDS", 0.2)
    async with connect(f"ws://127.0.0.1:{port}/ws") as opened:
        await asyncio.sleep(0.5)
        await opened.send("there")
        assert await opened.recv() == "there"


async def _hurried(port: int, path: str, *more: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)  # else the system takes megabytes
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=narrow, limit=1_024)
    writer.write("\r\n".join((f"GET {path} HTTP/1.1", "host: x", *more, "", "")).encode())
    return reader, writer


async def test_who_reads_nothing_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_writes, "SECONDS", 0.3)
    key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
    asked = ("upgrade: websocket", "connection: upgrade", key, "sec-websocket-version: 13")
    live, kept = await _hurried(port, "/much", *asked)
    plain, also_kept = await _hurried(port, "/great")
    await asyncio.sleep(1.5)
    for reader in (live, plain):
        taken = 0
        with suppress(ConnectionError):
            while part := await asyncio.wait_for(reader.read(2**20), 30):
                taken += len(part)
        assert taken < GREAT
    for writer in (kept, also_kept):
        writer.close()


async def test_who_reads_slowly_gets_it_all(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_writes, "SECONDS", 0.3)
    reader, writer = await _hurried(port, "/great", "connection: close")
    taken = 0
    while part := await asyncio.wait_for(reader.read(2**19), 30):
        taken += len(part)
        await asyncio.sleep(0.001)
    assert taken > GREAT
    writer.close()
