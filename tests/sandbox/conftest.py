"""A running sandbox, the official SDK on it, and a receiver of webhooks."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import stripe

from tests.sandbox.server import KEY, Caller, Receiver, official_client, sandbox_running


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with sandbox_running() as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[stripe.StripeClient]:
    async with official_client(address) as client:
        yield client


@pytest.fixture
async def plain(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP with the key."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(address, headers=headers) as session:
        yield session


@pytest.fixture
async def call(plain: aiohttp.ClientSession) -> Caller:
    return Caller(plain)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().running() as receiver:
        yield receiver
