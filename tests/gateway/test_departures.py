"""What is called when a client leaves is called on the event loop, whether that was known before it was asked for or
comes later: rooms change a call in there, and have no lock."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from bench.load.ports import free_port
from bench.load.processes import Server

APP = """
import asyncio, os, sys, threading

from fastgate.gateway.serve import RUNTIME, Server

told = os.open(os.environ.get("FASTGATE_TEST_TOLD", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


class App:
    def __rsgi_init__(self, loop):
        self.loop, self.thread, self.kept = loop, threading.get_ident(), []

    async def __rsgi__(self, scope, proto):
        if scope.path == "/":
            return proto.response_bytes(200, [], b"")
        gone = proto.client_disconnect()
        asked = threading.get_ident()
        if scope.path == "/over":
            until = self.loop.time() + 10
            while not gone.done() and self.loop.time() < until:
                await asyncio.sleep(0.01)
        was_over, heard = gone.done(), asyncio.Event()

        def leave(_):
            on_loop = asyncio._get_running_loop() is self.loop and threading.get_ident() == asked
            os.write(told, f"{scope.path} over={was_over} on_loop={on_loop} within={asking}\\n".encode())
            heard.set()

        asking = True
        gone.add_done_callback(leave)
        asking = False
        self.kept.append(heard)
        await heard.wait()


app = App()

if __name__ == "__main__":
    Server("departing:app", address="127.0.0.1", port=int(sys.argv[1]), workers=1, **RUNTIME).serve()
"""


def test_a_departure_is_told_on_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`over`: the client had left before anybody asked to be told. Then Granian tells the loop as from within, which is
    right on the loop's own thread and nowhere else; the rooms ask there (gateway/arrivals.py, which does not, looks
    first)."""
    (tmp_path / "departing.py").write_text(APP)
    told = tmp_path / "told"
    monkeypatch.setenv("FASTGATE_TEST_TOLD", str(told))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    port = free_port()
    command = [sys.executable, str(tmp_path / "departing.py"), str(port)]
    with Server("app", f"http://127.0.0.1:{port}", command, tmp_path / "log"):
        for path in ("/over", "/later") * 5:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                time.sleep(0.05)
        until = time.monotonic() + 10
        while (not told.exists() or told.read_text().count("\n") < 10) and time.monotonic() < until:
            time.sleep(0.01)
    assert sorted(told.read_text().splitlines()) == [
        *["/later over=False on_loop=True within=False"] * 5,
        *["/over over=True on_loop=True within=False"] * 5,
    ]
