"""`python -m bench.load.bare --port P --upstream URL --workers N`: our server and our pump, and no room between them.

Reads the body, sends it on, gives the answer back: no key, no price, no header of ours, no record. What it costs is
what the server and the wire cost; what fastgate costs above it is what fastgate does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastgate._core.flight import FlightTable
from fastgate._core.meter import Meter
from fastgate._core.pump import Pump
from fastgate.config import Limits
from fastgate.gateway import arrivals
from fastgate.gateway.serve import RUNTIME, Server
from fastgate.proc import die_with_parent, keep_freed_memory

UPSTREAM = "FASTGATE_BENCH_UPSTREAM"
FIRST_BYTE_NS = 30_000_000_000


class Request:
    """One that was asked for its body: sent on when that is there, and answered when the answer is."""

    def __init__(self, app: App, watcher: Any) -> None:
        self.app, self.watcher = app, watcher
        self.reading = watcher.proto()

    def begin(self, reading: Any) -> None:
        self.reading = None
        app, scope, body = self.app, self.watcher.scope, reading.result()
        target = f"{scope.path}?{scope.query_string}"
        head = f"POST {target} HTTP/1.1\r\nhost: {app.host}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        if app.idle:
            self.send(app.idle.pop(), head, body)
        else:
            app.loop.create_task(app.dial()).add_done_callback(lambda dialled: self.send(dialled.result(), head, body))

    def send(self, pump: Pump, head: bytes, body: bytes) -> None:
        self.pump = pump
        app, meter = self.app, Meter.of(stream=False)
        pump.start(head, body, meter, app.flight, app.slot, False, FIRST_BYTE_NS, 0, 0, 0, self.answered)

    def answered(self) -> None:
        pump = self.pump
        if pump.usable:
            self.app.idle.append(pump)
        self.watcher.proto.response_bytes(pump.status, pump.headers, pump.body)
        self.watcher.done()


class App:
    """The application that a Granian worker calls, as it calls fastgate's."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        keep_freed_memory()
        arrivals.install(self)
        place = urlsplit(os.environ[UPSTREAM])
        self.loop, self.host, self.port = loop, place.hostname, place.port
        self.idle: list[Pump] = []
        self.folder = tempfile.TemporaryDirectory()
        self.flight = FlightTable.create(Path(self.folder.name) / "bare.flight", "bare00000000")
        self.slot = self.flight.claim(1, 0, b"")

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        proto.response_bytes(200, [], b"")

    def open(self, watcher: Any) -> Request | None:
        return Request(self, watcher) if watcher.scope.method == "POST" else None

    async def dial(self) -> Pump:
        _, pump = await self.loop.create_connection(lambda: Pump(self.loop), self.host, self.port)  # type: ignore[type-var]  # a protocol by shape
        return pump


app = App()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.load.bare", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    die_with_parent()
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # as a busy worker (gateway/precedence.py)
    os.environ[UPSTREAM] = chosen.upstream
    Server(
        "bench.load.bare:app",
        address="127.0.0.1",
        port=chosen.port,
        workers=chosen.workers,
        backpressure=Limits().connections,
        **RUNTIME,
    ).serve()


if __name__ == "__main__":
    main()
