"""The end of a broken stream: what the server writes late comes first, a client that takes nothing waits for nobody."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from fastgate._core.credit import Credit, locate_all
from fastgate.gateway.parting import LOOK_S, PARTING_S, QUIET_LOOKS, STUCK_S, part

PIECE = b"x" * 1000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """A client, the server's end of its connection, and the client's name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, (host, port) = listener.accept()
    client.settimeout(10)
    with client, server:
        yield client, server, f"{host}:{port}"


def scan(found: Callable[[], None]) -> None:
    locate_all()
    asyncio.get_running_loop().call_soon(found)


def rest(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


async def test_what_is_written_late_comes_before_the_end(pair: tuple[socket.socket, socket.socket, str]) -> None:
    client, server, name = pair
    parting = asyncio.ensure_future(part(Credit(name), scan))
    for _ in range(4):
        await asyncio.sleep(LOOK_S * 2)
        assert not parting.done()
        server.sendall(PIECE)
    await parting
    assert rest(client) == PIECE * 4


async def test_a_slow_reader_gets_all_of_it(pair: tuple[socket.socket, socket.socket, str]) -> None:
    """More than its socket takes: the server has the rest in hand."""
    client, server, name = pair
    server.setblocking(False)
    written = fill(server)
    parting = asyncio.ensure_future(part(Credit(name), scan))
    await asyncio.sleep(LOOK_S * QUIET_LOOKS * 2)
    assert not parting.done(), "it cannot write now"
    reading = asyncio.create_task(asyncio.to_thread(rest, client))
    await asyncio.get_running_loop().sock_sendall(server, PIECE * 5)
    await parting
    assert len(await reading) == written + 5 * len(PIECE)


async def test_a_client_that_takes_nothing_holds_nobody_up(pair: tuple[socket.socket, socket.socket, str]) -> None:
    _, server, name = pair
    server.setblocking(False)
    fill(server)
    begun = time.monotonic()
    await part(Credit(name), scan)
    assert STUCK_S <= time.monotonic() - begun < PARTING_S


async def test_one_that_has_gone_is_let_go(pair: tuple[socket.socket, socket.socket, str]) -> None:
    begun = time.monotonic()
    await part(Credit("192.0.2.1:9"), scan)
    assert time.monotonic() - begun < STUCK_S


def fill(server: socket.socket) -> int:
    """Write until the socket takes no more; how much it took."""
    written = 0
    while True:
        try:
            written += server.send(b"x" * 262_144)
        except BlockingIOError:
            return written
