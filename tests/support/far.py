"""A client's machine of its own: a network namespace behind a pair of virtual interfaces, which can vanish."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
NOBODY = "02:00:00:00:00:01"
"""A hardware address that no interface has."""


@dataclass
class Far:
    """`here` is the address at which its clients find this machine."""

    name: str
    here: str
    there: str

    def connect(self, port: int) -> socket.socket:
        """A connection from there to `port` here."""
        return self._threads.submit(socket.create_connection, (self.here, port), 10).result()

    def vanish(self) -> None:
        """From now on no packet arrives there, and nothing says so."""
        ip("neigh", "replace", self.there, "lladdr", NOBODY, "nud", "permanent", "dev", self.name)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, initializer=self._enter)

    def _enter(self) -> None:
        """Sockets belong to the namespace that the thread which makes them is in."""
        with Path(f"/run/netns/{self.name}").open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")

    def close(self) -> None:
        self._threads.shutdown()


@contextmanager
def far() -> Iterator[Far]:
    """One such machine. Skips where this process may not make one."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("a network namespace takes `ip` and root")
    name = f"fg{os.getpid() % 100_000}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    net = f"10.213.{os.getpid() % 250}"
    machine = Far(name, f"{net}.1", f"{net}.2")
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{machine.here}/24", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{machine.there}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield machine
    finally:
        machine.close()
        subprocess.run(["ip", "netns", "del", name], check=False)  # the pair goes with it


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
