"""Ports for servers that have to be told theirs before they listen; for tests too."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

FIRST = 10_000
"""Above what the services of a machine listen on."""
TURNS = 16
"""Processes of one run of the tests that each have ports of their own; there are as many as cores, or a few more."""


def _ports() -> Iterator[int]:
    """None that the kernel gives to connections that go out: such a port would be free when it is asked for and taken
    when the server listens, in one of some fifty runs of the suite."""
    outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    turn = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % TURNS
    ports = range(FIRST + turn, outgoing, TURNS)
    begin = os.getpid() % len(ports)
    return cycle((*ports[begin:], *ports[:begin]))


_NEXT = _ports()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens; not the same again for a thousand calls."""
    for port in _NEXT:
        with socket.socket() as plug:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                plug.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a cycle has no end")
