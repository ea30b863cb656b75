"""A headless Chromium that notes each request and console message, and a server for it to visit."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.async_api import ConsoleMessage, Page, async_playwright
from starlette.types import ASGIApp

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# A busy machine of two cores may take this long for a step; a test that passes never waits for it.
STEP_MILLISECONDS = 60_000


@dataclass
class Visit:
    """A page, and what it did: the URLs it asked for, its console messages, its uncaught errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def foreign_requests(self) -> list[str]:
        """Return the requests to anywhere but 127.0.0.1; data: and blob: URLs stay in the browser."""
        return [url for url in self.requests if not _is_local(url)]

    def policy_violations(self) -> list[str]:
        """Return what Chromium reported as refused by a Content-Security-Policy."""
        return [text for text in self.console if "Content Security Policy" in text or "violates" in text]


@pytest.fixture
async def chromium_page() -> AsyncIterator[Visit]:
    """Give a fresh page in a Chromium of its own; the test is skipped where there is none, but not in CI."""
    _require_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(STEP_MILLISECONDS)
        visit = Visit(page)
        # The context sees the requests of workers too, the page only its own.
        page.context.on("request", lambda request: visit.requests.append(request.url))
        page.context.on("console", lambda message: visit.console.append(_line(message)))
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        yield visit
        await browser.close()


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app` on a free port of 127.0.0.1 and give its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        # The socket listens already: a request that comes before the server runs waits in its queue.
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


def _require_chromium() -> None:
    if CHROMIUM.exists():
        return
    message = f"{CHROMIUM} is missing: install Debian's package chromium, or set CHROMIUM"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"data", "blob"} or parts.hostname == "127.0.0.1"


def _line(message: ConsoleMessage) -> str:
    return f"{message.type}: {message.text}"
