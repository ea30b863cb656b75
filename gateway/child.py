"""One process that the supervisor starts, shows the output of, and starts again when it dies unasked."""

import asyncio
import contextlib
import signal
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Final

FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 5.0
_STEADY: Final = 10.0  # seconds of life after which a death counts as the first one again
_LONGEST_LINE: Final = 65_536

Say = Callable[[str, str], None]


def next_delay(delay: float, lived: float) -> float:
    """How long to wait before the next start, given the last wait and how long the process lived."""
    return FIRST_DELAY if lived >= _STEADY else min(delay * 2, LONGEST_DELAY)


class Child:
    """A named process. `say(name, line)` shows a line; `changed()` is told of each new process id."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        say: Say,
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.early_deaths = 0
        self._command = command
        self._environment = environment
        self._say = say
        self._changed = changed
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def process_id(self) -> int | None:
        """The id of the living process."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Start the process, and keep it running until `stop`."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self, *, patience: float) -> None:
        """Ask it to end; after `patience` seconds end it."""
        self._stopping = True
        if self._keeper is None:
            return
        if self._process is None or self._process.returncode is not None:
            self._keeper.cancel()  # it waits for its next start
        else:
            self._signal(signal.SIGTERM)
        _, late = await asyncio.wait({self._keeper}, timeout=patience)
        if late:
            self._say(self.name, f"did not end within {patience:g} s: killed")
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._keeper}, timeout=2.0)

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            lived = time.monotonic() - began
            self.early_deaths = 1 if lived >= _STEADY else self.early_deaths + 1
            self._say(self.name, f"{_cause(code)} unexpectedly; starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = next_delay(delay, lived)

    async def _run_once(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,  # never written to: its end tells the child that we are gone
            stdout=PIPE,
            stderr=STDOUT,
            env=self._environment,
            start_new_session=True,  # a Ctrl-C must reach us alone: we stop the children in order
        )
        self._changed()
        if self._stopping:
            self._signal(signal.SIGTERM)
        await self._show(self._process)
        return await self._process.wait()

    async def _show(self, process: Process) -> None:
        assert process.stdout
        rest = b""
        while chunk := await process.stdout.read(_LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._say(self.name, line.decode("utf-8", "replace"))
        if rest:
            self._say(self.name, rest.decode("utf-8", "replace"))

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def _cause(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
