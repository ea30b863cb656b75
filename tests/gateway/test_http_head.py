"""A request's first lines: how long they may be, and how long they may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from gateway import http_head
from gateway.http_head import MOST_BYTES, BoundedHttp


async def _answer(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())} {len(request.headers)}")


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", _answer, methods=["GET", "POST"]), WebSocketRoute("/ws", _echo)])
    config = uvicorn.Config(
        app, port=0, http=BoundedHttp, ws="websockets-sansio", log_level="error", access_log=False, lifespan="off"
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
            return await asyncio.wait_for(reader.read(), 10)
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
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert b"200 OK" in head
            assert await reader.readexactly(8) == b"%d 2" % len(body)
        writer.write(last)
        assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"0 2")


async def test_who_takes_too_long_with_its_head_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "SECONDS", 0.3)
    assert await _sent(port) == b""
    assert await _sent(port, b"POST / HTTP/1.1\r\nhost: x\r\n") == b""
    async with _open(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nx")
        await asyncio.sleep(0.6)  # the body may take its time: whoever sends one was let in
        writer.write(b"y")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)


async def test_a_websocket_outlives_the_time_for_its_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "SECONDS", 0.2)
    async with connect(f"ws://127.0.0.1:{port}/ws") as socket:
        await asyncio.sleep(0.5)
        await socket.send("there")
        assert await socket.recv() == "there"
