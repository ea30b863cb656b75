"""Ends this process when its supervisor is gone, however that happened: a pipe on standard input says so."""

import contextlib
import os
import signal
import threading
from typing import Final

_PATIENCE: Final = 8.0  # seconds for an orderly end, then a hard one


def follow_supervisor() -> None:
    """Watch standard input from a thread; at its end send ourselves SIGTERM, the ordinary way to stop."""
    threading.Thread(target=_follow, name="lifeline", daemon=True).start()


def _follow() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    # nobody reads our output any more: writing to the broken pipe would disturb the orderly end
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    timer = threading.Timer(_PATIENCE, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)
