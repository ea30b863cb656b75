"""Lets go of who does not read: what waits to be sent holds memory and a connection, also after the token has ended."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SECONDS = 5.0  # in which something of what waits to be sent must have gone


class MovingWrites:
    """For a protocol of the server's: aborts its connection where nothing is read. Slow readers may take their time."""

    transport: asyncio.Transport
    _left = 0
    _look_again: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc]  # the protocol's
        self._watch()

    def resume_writing(self) -> None:
        self._unwatch()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)  # type: ignore[misc]

    def _watch(self) -> None:
        self._left = self.transport.get_write_buffer_size()
        self._look_again = asyncio.get_running_loop().call_later(SECONDS, self._look)

    def _look(self) -> None:
        if self.transport.get_write_buffer_size() >= self._left:
            self.transport.abort()
        else:
            self._watch()

    def _unwatch(self) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None


class MovingSocket(MovingWrites, WebSocketsSansIOProtocol):
    """The server's WebSocket."""
