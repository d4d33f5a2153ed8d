"""A stub of a vendor: an HTTP server on the loopback that keeps what it was sent and answers what it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Reply = Callable[["Received"], "tuple[int, Any] | bytes | None"]


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Stub:
    """Where it listens and what came. `reply` gives a status and a value, raw bytes, or None to stay silent."""

    reply: Reply
    url: str = ""
    received: list[Received] = field(default_factory=list)
    together: int = 0
    most_together: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            came = Received(first.split()[1], headers, body)
            self.received.append(came)
            answer = self.reply(came)
            if answer is None:
                await reader.read()
            elif isinstance(answer, bytes):
                writer.write(answer)
            else:
                status, value = answer
                payload = json.dumps(value).encode()
                await asyncio.sleep(0.005)
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(payload)}\r\n\r\n".encode() + payload)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.together -= 1
            writer.close()


@contextlib.asynccontextmanager
async def stub(reply: Reply) -> AsyncIterator[Stub]:
    """A stub that runs while the block does."""
    made = Stub(reply)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@contextlib.contextmanager
def stub_beside(reply: Reply) -> Iterator[Stub]:
    """The same on a thread of its own, for a gateway that runs in other processes. `reply` may be changed."""
    made: list[Stub] = []
    ready = threading.Event()
    over: list[Callable[[], object]] = []

    async def run() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with stub(reply) as server:
            made.append(server)
            over.append(lambda: loop.call_soon_threadsafe(ended.set))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield made[0]
    finally:
        over[0]()
        thread.join(10)
