"""Clients that vanish: a machine falls asleep, a network goes away. No packet says so.

Left alone the kernel gives such a connection up after a quarter of an hour where something is to be sent, and after two
hours where nothing is; the provider would go on meanwhile. So it is told to: after `limits.idle_s` in which the client
has acknowledged nothing, or answered no probe of a silent connection, the connection is at its end and the call ends
as when a client leaves. A connection has this from the socket that it was accepted at.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

PROBES = 3


class Vanished:
    """The listening sockets of this process, once it has any."""

    def __init__(self) -> None:
        self._found: list[int] = []
        self.idle_s = 0.0
        """After which they are given up now; 0 where no socket was found yet."""

    def give_up_after(self, idle_s: float) -> None:
        """From here on; connections that are open keep what they have. Looks at every descriptor of the process until
        it has found one that listens: not for the loop."""
        if not self._found:
            self._found = [fd for fd in map(int, os.listdir("/proc/self/fd")) if listens(fd)]
        for fd in self._found:
            tell(fd, idle_s)
            self.idle_s = idle_s


def listens(fd: int) -> bool:
    """Whether it is a TCP socket that takes connections."""
    try:
        with borrowed(fd) as sock:
            internet = sock.family in (socket.AF_INET, socket.AF_INET6)
            return internet and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False  # no socket, or closed since


def tell(fd: int, idle_s: float) -> None:
    """Probes fill the second half of the time."""
    with borrowed(fd) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, min(32_767, int(idle_s / 2))))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, min(32_767, int(idle_s / 2 / PROBES))))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(idle_s * 1e3))


@contextmanager
def borrowed(fd: int) -> Iterator[socket.socket]:
    """The socket behind somebody else's descriptor; OSError where it is none. Without a copy, as to close the copy of a
    file's descriptor takes from this whole process the locks that SQLite and LMDB hold on it."""
    sock = socket.socket(fileno=fd)
    try:
        yield sock
    finally:
        sock.detach()
