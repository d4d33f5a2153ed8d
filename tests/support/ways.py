"""A call on its two ways, as a task and without one: a worker whose provider follows a script, and what came of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.load import payloads
from bench.micro import call as micro
from fastgate._core.pump import Pump
from fastgate.gateway.app import App
from fastgate.gateway.rooms import relay
from fastgate.gateway.upstream import Pool
from fastgate.journal import JournalReader
from fastgate.record import CallRecord
from tests.unit.gateway.test_adopting import alone

BODY = payloads.body("small", False)
OK = micro.ANSWER
ID = re.compile(rb"fg-\w+-\d+")
TASK, PLAIN = "as a task", "without a task"
decode = msgspec.msgpack.Decoder(CallRecord).decode


def answer(status: str, body: bytes = b"{}", *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines))
    return f"{head}\r\n".encode() + body


CLOSED = None
"""The connection ends."""
SILENCE = b""


class Provider(micro.Upstream):
    """Answers each request with what comes next in the script, and with more of it until the exchange is over. Of a
    stream each piece comes in a turn of the loop."""

    script: list[bytes | None]
    lost = False

    def writelines(self, parts: tuple[bytes, bytes]) -> None:
        self.loop.call_soon(self.go_on)

    def abort(self) -> None:
        self.lost = True
        self.loop.call_soon(self.pump.connection_lost, None)

    def go_on(self) -> None:
        if self.lost:
            return
        piece = self.script.pop(0)
        if piece is CLOSED:
            self.pump.connection_lost(None)
        elif piece:
            self.pump.data_received(piece)
            if self.pump.over:
                return
            if self.pump.streaming:
                self.loop.call_soon(self.go_on)
            else:
                self.go_on()


class Streaming(micro.Server):
    """One whose client reads a stream, which ends when nobody holds the server's end of it."""

    class Transport:
        def __init__(self, of: Streaming) -> None:
            self.of = of

        def send_bytes(self, piece: bytes) -> None:
            self.of.body_sent += piece
            self.of.pieces += 1

        def __del__(self) -> None:
            self.of.ended += 1

    body_sent = b""
    pieces = ended = 0

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Streaming.Transport:
        self.status, self.headers = status, headers
        return Streaming.Transport(self)


class House:
    """A worker whose provider follows a script, after one call that leaves it a connection."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.script: list[bytes | None] = []

        async def dial(pool: Pool) -> Pump:
            pump = Pump(pool.loop)
            provider = Provider(pool.loop, pump)
            provider.script = self.script
            pump.connection_made(provider)
            return pump

        monkeypatch.setattr(Pool, "dial", dial)
        monkeypatch.setattr(relay, "pause_s", lambda rounds, asked_s: 0.0)
        self.folder = folder
        self.app: App = micro.make_app(folder, asyncio.get_running_loop(), **changes)
        self.worker = self.app.worker

    async def warm(self) -> None:
        self.script[:] = [OK]
        await self.app.__rsgi__(micro.Scope(BODY), micro.Server(BODY))
        self.worker.records.write()

    def begin(
        self, way: str, server: micro.Server, script: list[bytes | None], body: bytes = b""
    ) -> tuple[asyncio.Future[None], Any]:
        """One call: what it ends with, and the client."""
        self.script[:] = script
        scope, client = micro.Scope(body or BODY), micro.Client(micro.Scope(body or BODY), server, 1)
        if way == PLAIN:
            return asyncio.ensure_future(micro.serve(self.app, [client], status=0)), client
        return asyncio.ensure_future(self.app.__rsgi__(scope, server)), client

    def records(self) -> list[dict[str, Any]]:
        """What the journal says, without what differs from call to call or is keyed by the worker's own secret."""
        self.worker.records.write()
        reader = JournalReader(self.folder / "state" / "journal")
        records = [msgspec.structs.asdict(decode(record.body)) for record in reader.records(self.worker.epoch)]
        for record in records:
            for name in ("id", "at_ns", "duration_us", "head_us"):
                del record[name]
            record["sightings"] = [msgspec.structs.replace(seen, marks=b"") for seen in record["sightings"]]
            record["verdicts"] = [msgspec.structs.replace(verdict, match="") for verdict in record["verdicts"]]
            record["attempts"] = [msgspec.structs.replace(attempt, duration_us=0) for attempt in record["attempts"]]
        return records

    def left(self) -> tuple[int, int]:
        """Calls and slots that are still taken."""
        return len(self.worker.calls), self.worker.flight.in_flight


@contextmanager
def house(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Iterator[House]:
    made = House(folder, monkeypatch, **changes)
    try:
        yield made
    finally:
        made.worker.close()


def seen(server: micro.Server) -> tuple[Any, ...]:
    """What the client got, without what differs from call to call."""
    own = ("call-id", "request-id", "latency-ms")
    return server.status, [line for line in server.headers if not line[0].endswith(own)], ID.sub(b"", server.body_sent)


def both(
    folder: Path, monkeypatch: pytest.MonkeyPatch, go: Callable[[House, str], Any], **changes: Any
) -> tuple[Any, Any]:
    """What `go` gives for each way."""

    async def run() -> Any:
        found = []
        for way in (TASK, PLAIN):
            with house(folder / way.split()[0], monkeypatch, **changes) as of:
                await of.warm()
                found.append((await go(of, way), of.records(), of.left()))
        return found

    task, plain = alone(run)
    return task, plain
