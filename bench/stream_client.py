"""`python -m bench.stream_client PORT COUNT KEY`: holds COUNT streams open and counts their events; started by
bench.streams.

The first line of its input is the body of every call. For each further line it writes one, as JSON: `events` so far,
once all streams have begun, or a `fault`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvloop

from bench.probe import head
from fastgate.proc import take_limits

AT_ONCE = 50
"""Openings under way: streams come one after another, as developers do, not as a flood."""

OPEN_S = 60.0
"""Longest wait for all of them to have begun."""

BEGUN = b"event: message_start"


class Client:
    """All streams together."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.events = 0
        self.fault = ""


class Stream(asyncio.Protocol):
    """One of them."""

    def __init__(self, client: Client, begun: asyncio.Future[None]) -> None:
        self.client, self.begun = client, begun
        self.start = b""

    def connection_made(self, transport: Any) -> None:
        transport.write(self.client.request)

    def data_received(self, data: bytes) -> None:
        if not self.begun.done():
            self.start += data
            if self.start.startswith(b"HTTP/1.1 200 ") and BEGUN not in self.start:
                return
            self.begun.set_result(None)
            if BEGUN not in self.start:
                self.client.fault = f"a stream was refused: {self.start[:300]!r}"
        self.client.events += data.count(b"\n\n")

    def connection_lost(self, _error: Exception | None) -> None:
        self.client.fault = self.client.fault or f"a stream has ended: {self.start[:300]!r}"
        if not self.begun.done():
            self.begun.set_result(None)


async def run(port: int, count: int, key: str) -> None:
    loop = asyncio.get_running_loop()
    body = (await loop.run_in_executor(None, sys.stdin.buffer.readline)).rstrip(b"\n")
    client = Client(head(key, len(body)) + body)
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> None:
        async with gate:
            begun: asyncio.Future[None] = loop.create_future()
            await loop.create_connection(lambda: Stream(client, begun), "127.0.0.1", port)
            await begun

    await asyncio.wait_for(asyncio.gather(*(open_one() for _ in range(count))), OPEN_S)
    while await loop.run_in_executor(None, sys.stdin.buffer.readline):
        told = {"fault": client.fault} if client.fault else {"events": client.events}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    take_limits()
    uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
