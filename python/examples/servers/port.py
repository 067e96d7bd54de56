"""Ports for servers."""

from __future__ import annotations

import random
import socket
from pathlib import Path

CANDIDATES = range(10_000, 65_536)  # Every user may listen on these.


class Port:
    """A free port of the loopback interface, reserved until it is released.

    The kernel takes the ports of outgoing connections from a range of its own. It could take the
    port of a server that was killed before that starts again, so this port lies outside of the
    range.
    """

    def __init__(self) -> None:
        outgoing = outgoing_ports()
        ports = [port for port in CANDIDATES if port not in outgoing] or list(CANDIDATES)
        # In random order: processes that start at the same time try different ports.
        for number in random.sample(ports, len(ports)):
            reservation = reserve(number)
            if reservation is not None:
                self.number = number
                self._reservation = reservation
                return
        raise OSError("no port is free")

    def release(self) -> None:
        self._reservation.close()


def reserve(number: int) -> socket.socket | None:
    """Returns the reservation of a port, or `None` if the port is in use.

    It is a UDP socket with the same number. It disturbs no TCP server, and every other process that
    reserves a port in this way passes over it.
    """
    reservation = socket.socket(type=socket.SOCK_DGRAM)
    try:
        reservation.bind(("127.0.0.1", number))
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", number))
    except OSError:
        reservation.close()
        return None
    return reservation


def outgoing_ports() -> range:
    """Returns the ports that the kernel gives to outgoing connections, see ip(7)."""
    try:
        bounds = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        bounds = ["32768", "60999"]
    first, last = map(int, bounds)
    return range(first, last + 1)
