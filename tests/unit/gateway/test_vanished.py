"""What finds the listening sockets of a process tells them alone, and leaves no descriptor behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from fastgate.gateway.vanished import Vanished


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_listening_sockets_are_told_and_nothing_stays_open(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0] as accepted,
        socket.socket(socket.AF_UNIX) as local,
        (tmp_path / "file").open("wb"),
    ):
        local.bind(str(tmp_path / "local"))
        local.listen()
        before = descriptors()
        vanished = Vanished()
        for idle_s in (60.0, 60.0, 90.0):
            vanished.give_up_after(idle_s)
        assert descriptors() == before
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 45
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000
        for other in (client, accepted):
            assert not other.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    os.close(reads)
    os.close(writes)


def test_without_a_listening_socket_nothing_stays_open_either() -> None:
    before = descriptors()
    vanished = Vanished()
    for _ in range(3):
        vanished.give_up_after(60.0)
    assert descriptors() == before
