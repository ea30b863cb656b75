"""Makes sure, before anything starts, that the ports it needs are free."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.user_error import UserError


@dataclass(frozen=True, slots=True)
class WantedPort:
    """A port on the loopback interface, what for, and the option that changes it; 0 lets the system choose."""

    number: int
    purpose: str
    option: str


def claim(wanted: Mapping[str, WantedPort]) -> dict[str, int]:
    """The numbers to use, by name. Raises UserError that names the first port in use and the way around it."""
    held: list[socket.socket] = []
    chosen: dict[str, int] = {}
    try:
        for name, port in wanted.items():
            probe = socket.socket()
            held.append(probe)
            # as servers bind: connections of a former process that linger are no hindrance, a listener is
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port.number))
                probe.listen(1)
            except OSError as error:
                raise UserError(
                    f"port {port.number}, meant for {port.purpose}, can't be used ({error.strerror}): "
                    f"stop what uses it, or choose another one with {port.option}"
                ) from None
            chosen[name] = int(probe.getsockname()[1])
    finally:
        for probe in held:
            probe.close()
    return chosen
