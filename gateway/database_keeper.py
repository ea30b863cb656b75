"""Owns the embedded PostgreSQL for the supervisor: starts it, notices its death, starts it again, stops it last."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gateway.child import FIRST_DELAY, Say, next_delay
from gateway.user_error import UserError
from storage.embedded import EmbeddedPostgres
from storage.embedded_install import EmbeddedPostgresError

NAME: Final = "postgres"
_LOOK_EVERY: Final = 0.1


class DatabaseKeeper:
    """The server's calls block: one thread makes them one after another, so that a stop never meets a start."""

    def __init__(self, folder: Path, *, say: Say) -> None:
        self._server = EmbeddedPostgres(folder)
        self._say = say
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=NAME)
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Start the server and keep it running; the URL of the database's owner."""
        try:
            await self._in_thread_start()
        except EmbeddedPostgresError as error:
            raise UserError(str(error)) from None
        self._watcher = asyncio.create_task(self._watch(), name="keep postgres")
        return self._server.owner_url()

    async def stop(self, *, patience: float) -> None:
        """Stop the server, after a start that may be under way."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, lambda: self._server.stop(patience=patience))
        self._thread.shutdown()

    async def _in_thread_start(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._server.start)

    async def _watch(self) -> None:
        delay = FIRST_DELAY
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if self._server.running:
                continue
            self._say(NAME, "ended unexpectedly; starting it again")
            try:
                await self._in_thread_start()
            except EmbeddedPostgresError as error:
                self._say(NAME, f"{error}; trying again in {delay:g} s")
                await asyncio.sleep(delay)
            delay = next_delay(delay, loop.time() - began)
            began = loop.time()
