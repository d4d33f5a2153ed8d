"""`limits.connections`: so many at once are served by one worker, the next ones wait until one of them closes."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateway import serving

LIMIT = 4
WAITS_S = 0.7
"""Long enough to see that nobody answers."""


def alive(connection: socket.socket, within_s: float) -> bool:
    """Whether a request on the connection is answered in time."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n")
    connection.settimeout(within_s)
    try:
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except TimeoutError:
        return False


@pytest.mark.timeout(60)
def test_connections_beyond_the_limit_wait_for_their_turn(tmp_path: Path) -> None:
    more = f"limits: {{connections: {LIMIT}}}\n"
    with serving(tmp_path, "http://127.0.0.1:9", workers=1, more=more) as gateway, ExitStack() as stack:
        address = ("127.0.0.1", int(gateway.url.rpartition(":")[2]))
        held = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(LIMIT)]
        assert all(alive(one, 10) for one in held)
        late = stack.enter_context(socket.create_connection(address, 10))
        assert not alive(late, WAITS_S)
        held[0].close()
        late.settimeout(10)
        assert late.recv(4096).startswith(b"HTTP/1.1 200"), "its turn has come"
