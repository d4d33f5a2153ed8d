"""What finds the listening sockets of a process tells them alone, and leaves no descriptor behind."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
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


def test_locks_on_files_are_kept(tmp_path: Path) -> None:
    """SQLite's and LMDB's belong to the process and a file: to close any descriptor of that file gives them up."""
    path = tmp_path / "locked"
    with path.open("wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        Vanished().give_up_after(60.0)
        ask = f"import fcntl; fcntl.lockf(open({str(path)!r}, 'wb'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        other = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=30, check=False)
        assert "BlockingIOError" in other.stderr
