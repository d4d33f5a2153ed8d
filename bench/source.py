"""`python -m bench.source --port P`: an upstream of streams that costs little itself; started by bench.streams.

The simulator works some 20 µs on an event, so a thousand streams of 50 a second would keep a core busy for it alone.
This one does no more than write: streams in groups, a group a millisecond of their gap. A call says what it wants, as
it would to the simulator: `[[sim:text gap_ms=20 …]]` is a stream that goes on until its client leaves,
`[[sim:stall …]]` one that says nothing after its beginning, anything else a short answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench.load import payloads
from bench.load.ports import free_port
from bench.load.processes import Server
from fastgate.proc import die_with_parent, take_limits

TICK_S = 0.001
"""How finely the events of different streams are spread."""

CATCH_UP_S = 0.01
"""How many events are made up for that were due while this process did not run."""

GAP = re.compile(rb"\[\[sim:text gap_ms=(\d+)")
STALL = b"[[sim:stall"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
HEALTH = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(kind: str, **fields: Any) -> bytes:
    """One event as one HTTP chunk."""
    event = f"event: {kind}\ndata: {json.dumps({'type': kind} | fields, separators=(',', ':'))}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


MESSAGE = payloads.ANSWER | {"content": [], "stop_reason": None}
START = chunk("message_start", message=MESSAGE)
BLOCK = chunk("content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTA = chunk("content_block_delta", index=0, delta={"type": "text_delta", "text": "so far and on. "})
STOP = (
    chunk("content_block_stop", index=0)
    + chunk("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 8})
    + chunk("message_stop")
)


class Wheel:
    """Streams that go on, by the millisecond of their gap in which their event is due."""

    def __init__(self) -> None:
        self.groups: dict[int, list[list[Any]]] = {}
        self.tick = 0

    def add(self, stream: Stream, gap_ms: int) -> None:
        """Into the group that has the fewest."""
        groups = self.groups.setdefault(gap_ms, [[] for _ in range(gap_ms)])
        stream.group = min(groups, key=len)
        stream.group.append(stream)

    def turn(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        """Sends what is due, also for a few milliseconds that were missed; on a machine that cannot keep up the rest is
        left out, or the connections would not be heard."""
        now = loop.time()
        due = max(due, now - CATCH_UP_S)
        while due <= now:
            for groups in self.groups.values():
                for stream in groups[self.tick % len(groups)]:
                    stream.transport.write(DELTA)
            self.tick += 1
            due += TICK_S
        loop.call_later(TICK_S, self.turn, loop, due)  # what is due in less is due at once, to uvloop: it would spin


class Stream(asyncio.Protocol):
    """One connection; calls come one after the other."""

    def __init__(self, wheel: Wheel) -> None:
        self.wheel = wheel
        self.transport: Any = None
        self.group: list[Any] = []
        self.asked = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        if self in self.group:
            self.group.remove(self)

    def data_received(self, data: bytes) -> None:
        self.asked += data
        top, mark, body = self.asked.partition(b"\r\n\r\n")
        length = LENGTH.search(top)
        if mark and len(body) >= (int(length[1]) if length else 0):
            self.asked = b""
            self.answer(top, body)

    def answer(self, top: bytes, body: bytes) -> None:
        if top.startswith(b"GET "):
            self.transport.write(HEALTH)
        elif gap := GAP.search(body):
            self.transport.write(HEAD + START + BLOCK + DELTA)
            self.wheel.add(self, int(gap[1]))
        elif STALL in body:
            self.transport.write(HEAD + START + BLOCK + DELTA)
        else:
            self.transport.write(HEAD + START + BLOCK + 2 * DELTA + STOP + END)


async def serve(port: int) -> None:
    loop, wheel = asyncio.get_running_loop(), Wheel()
    server = await loop.create_server(lambda: Stream(wheel), "127.0.0.1", port, backlog=4_096)
    wheel.turn(loop, loop.time())
    await server.serve_forever()


def source(folder: Path) -> Server:
    """The upstream as a server of a run."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "bench.source", "--port", str(port)]
    return Server("mock", f"http://127.0.0.1:{port}", command, folder / "source.log")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.source", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    die_with_parent()
    take_limits()
    uvloop.run(serve(parser.parse_args().port))
