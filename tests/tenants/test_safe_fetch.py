"""Addresses that tenants give us: which may be fetched, and what of the answer is taken."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tenants.safe_fetch import UnsafeAddressError, check_address, fetch, is_public
from tests.sandbox.server import serving


@asynccontextmanager
async def _answering(content: bytes, status: int = 200, **headers: str) -> AsyncIterator[str]:
    async def answer(_: Request) -> Response:
        return Response(content, status, headers)

    async with serving(Starlette(routes=[Route("/keys", answer)])) as address:
        yield f"{address}/keys"


async def test_keys_are_fetched_with_care() -> None:
    async with _answering(b"{}") as url:
        assert await fetch(url, private=True) == b"{}"
        with pytest.raises(UnsafeAddressError):
            await fetch(url)
    async with _answering(b"x" * 70_000) as url:
        with pytest.raises(OSError, match="too long"):
            await fetch(url, private=True)
    async with _answering(b"", 302, location="http://127.0.0.1:1/") as url:
        with pytest.raises(OSError, match="answered 302"):
            await fetch(url, private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/keys", "https://127.0.0.1/keys", "https://10.1.2.3/k", "https://[::1]/k", "https://169.254.169.254/",
        "https://[::ffff:10.0.0.1]/k", "ftp://id.example/k", "https://user@id.example/k", "https:///k", "file:///etc/passwd",
        "https://\uff11\uff12\uff17.0.0.1/k", "https://127\u30020\u30020\u30021/k", "https://\u2460\u2461\u2466.0.0.1/",
        "https://b\u00fccher.example/",
        "https://[64:ff9b::10.0.0.1]/", "https://[2002:a00:1::]/", "https://[::127.0.0.1]/", "https://[fec0::1]/",
        "https://0.0.0.0/", "https://100.64.0.1/", "https://192.168.0.1/",
    ],
)  # fmt: skip
def test_an_address_of_our_own_network_is_refused(url: str) -> None:
    with pytest.raises(UnsafeAddressError):
        check_address(url)


def test_public_addresses_are_public() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1111")
    assert check_address("https://id.example/keys") == "https://id.example/keys"


async def test_keys_that_come_in_pieces_are_read_whole_and_packed_ones_are_not_unpacked() -> None:
    packed = gzip.compress(b'{"keys": []}')

    async def pieces(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b'{"ke', b'ys": ', b"[]}"):
                yield part
                await asyncio.sleep(0.05)

        return StreamingResponse(parts())

    async def zipped(_: Request) -> Response:
        return Response(packed, headers={"content-encoding": "gzip"})

    async with serving(Starlette(routes=[Route("/pieces", pieces), Route("/zipped", zipped)])) as address:
        assert await fetch(f"{address}/pieces", private=True) == b'{"keys": []}'
        assert await fetch(f"{address}/zipped", private=True) == packed


async def test_a_name_that_leads_into_our_own_network_is_not_even_called() -> None:
    """What a name leads to is judged where the connection is made: it may lead elsewhere than a moment ago."""
    called = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal called
        called += 1
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="not a public address"):
            await fetch(f"https://localhost:{port}/keys")
    assert called == 0
