"""Credit: the kernel's account of a client that reads, one that does not, and one that is gone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from fastgate._core.credit import CHECK_BYTES, Credit, locate_all


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["v4", "v6"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket, str]]:
    family, host = request.param
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname()[:2])
        server, peer = listener.accept()
    name = f"{peer[0]}:{peer[1]}" if family == socket.AF_INET else f"[{peer[0]}]:{peer[1]}"
    with client, server:
        yield client, server, name


def push(server: socket.socket, credit: Credit, size: int) -> None:
    """Write as the server would: one HTTP chunk."""
    data = b"x" * size
    server.sendall(b"%x\r\n%b\r\n" % (size, data))
    credit.add(size)


def settled(credit: Credit, expected: int) -> int:
    deadline = time.monotonic() + 5
    while (value := credit.unacknowledged()) != expected and time.monotonic() < deadline:
        time.sleep(0.005)
    return value


def drain(client: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(client.recv(min(size, 65536)))


def test_unknown_until_located(pair: tuple[socket.socket, socket.socket, str]) -> None:
    _, _, name = pair
    credit = Credit("192.0.2.1:9")
    assert credit.unacknowledged() == -1
    assert not credit.cut()
    assert locate_all() >= 2
    assert Credit(name).unacknowledged() == 0


def test_a_reading_client_owes_nothing_and_a_stalled_one_all(pair: tuple[socket.socket, socket.socket, str]) -> None:
    client, server, name = pair
    locate_all()
    credit = Credit(name)
    assert credit.unacknowledged() == 0
    for size in (1, 15, 16, 255, 4096, 70_000):  # every width of the chunk's length field
        push(server, credit, size)
        drain(client, len(b"%x" % size) + size + 4)
    assert settled(credit, 0) == 0
    server.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(64):
        credit.add(CHECK_BYTES)
        try:
            server.send(b"x" * CHECK_BYTES)
        except BlockingIOError:
            break
    assert credit.unacknowledged() > CHECK_BYTES


def test_a_cut_client_sees_the_end_and_is_gone(pair: tuple[socket.socket, socket.socket, str]) -> None:
    client, _, name = pair
    locate_all()
    credit = Credit(name)
    assert credit.unacknowledged() == 0
    assert credit.cut()
    client.settimeout(5)
    assert client.recv(1) == b""
    client.close()
    assert settled(credit, -2) == -2


def test_a_descriptor_that_was_reused_is_not_believed(pair: tuple[socket.socket, socket.socket, str]) -> None:
    client, server, name = pair
    locate_all()
    left, right = socket.socketpair()
    with left, right:
        os.dup2(left.fileno(), server.fileno())  # the number is now another socket's
        assert Credit(name).unacknowledged() == -1
    assert client.fileno() >= 0
