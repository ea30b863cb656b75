"""HTTP's first lines within bounds: the server's own protocol takes headers and addresses of any size, for any time."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.stuck_writes import MovingWrites

MOST_BYTES = 65_536  # of a request's line and headers
SECONDS = 10.0  # in which they must have come
_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class BoundedHttp(MovingWrites, HttpToolsProtocol):
    """Ends a connection whose next request has too long a head, or takes too long with it."""

    _in_head = False
    _size = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._size = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:  # now a WebSocket
            return
        if self._in_head:
            self._size += len(data)
            if self._size > MOST_BYTES:
                line = f"HTTP/1.1 {_TOO_LARGE.value} {_TOO_LARGE.phrase}\r\n"
                self.transport.write(f"{line}content-length: 0\r\nconnection: close\r\n\r\n".encode())
                self.transport.close()
                return
        if self._in_head or self.cycle is None or self.cycle.response_complete:
            self._wait()

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
