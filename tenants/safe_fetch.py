"""Fetches what a tenant told us the address of: only over https, only from public addresses, little and soon."""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

MOST_BYTES = 65_536
SECONDS = 5.0
_UNICAST = ipaddress.ip_network("2000::/3")


class UnsafeAddressError(ValueError):
    """The address is not one that a tenant may send us to."""


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead into our own network: checked where the connection is made."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            if not is_public(each["host"]):
                raise OSError(None, "not a public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large."""
    ip = ipaddress.ip_address(address)
    found = getattr(ip, "ipv4_mapped", None) or ip
    if isinstance(found, ipaddress.IPv6Address):
        # outside of it, and in the part for 6to4, an address may be an IPv4 one in another dress
        return found in _UNICAST and found.sixtofour is None and found.is_global
    return found.is_global and not found.is_multicast


def check_address(url: str, *, private: bool = False) -> str:
    """The address, if it may be fetched; `private` is for tests and lets plain http and this machine through."""
    parts = urlsplit(url)
    schemes = {"https", "http"} if private else {"https"}
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.fragment or len(url) > 500:
        raise UnsafeAddressError("it must be a whole https address without a user")
    try:
        # as the client will read it: of full-width digits, say, it makes a number
        literal = ipaddress.ip_address(URL(url).raw_host or "")
    except ValueError:
        if not url.isascii():
            raise UnsafeAddressError("it must be written in ASCII") from None
        return url
    if not private and not is_public(str(literal)):
        raise UnsafeAddressError("it must be a public address")
    return url


async def fetch(url: str, *, private: bool = False) -> bytes:
    """The content behind an address: no redirects, no compression, no more than it may have."""
    check_address(url, private=private)
    more: dict[str, Any] = {} if private else {"resolver": PublicResolver()}
    connector = aiohttp.TCPConnector(use_dns_cache=False, **more)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=headers, trust_env=False, auto_decompress=False
        ) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise OSError(f"answered {answer.status}")
        content = bytearray()
        async for part in answer.content.iter_any():
            content += part
            if len(content) > MOST_BYTES:
                raise OSError("too long")
        return bytes(content)
