"""One client connection of the simulator: HTTP/1.1 in, planned bytes out, and the sight of a client that leaves.

One task a connection writes the answers, in the order of the requests.
Knows nothing of Messages: the server decides what to answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from fastgate import clock
from fastgate.sim.faults import Plan
from fastgate.sim.log import Ended, Unread
from fastgate.sim.usage import NOTHING, Usage, sent_so_far
from fastgate.sim.wire import head

if TYPE_CHECKING:
    from fastgate.sim.server import Simulator

BACKLOG_MAX = 64
"""Pipelined requests that wait for the answer before theirs; reading pauses above."""

RST_GRACE_S = 0.02
"""Between the last byte and a reset, so that the other side has read what was sent."""

YIELD_EVERY = 64
"""Pieces written in a row before other connections get their turn."""

BAD_REQUEST = head(400, [("content-length", "0"), ("connection", "close")])
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """One request as received. `body` is joined when first asked for."""

    __slots__ = ("at_ns", "chunks", "connection", "headers", "keep_alive", "method", "size", "target")

    def __init__(self, connection: int) -> None:
        self.connection = connection
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.method = ""
        self.keep_alive = True
        self.at_ns = 0

    @property
    def body(self) -> bytes:
        if len(self.chunks) != 1:
            self.chunks = [b"".join(self.chunks)]
        return self.chunks[0]

    def header(self, name: bytes) -> str:
        """The first value of a header, `name` in lower case; "" where absent."""
        for key, value in self.headers:
            if len(key) == len(name) and key.lower() == name:
                return value.decode("latin-1")
        return ""


class Work:
    """A planned answer under way, and the line that its end leaves in the log."""

    def __init__(self, id: str, plan: Plan, usage: Usage, output_bytes: int) -> None:
        self.id = id
        self.plan = plan
        self.usage = usage
        self.output_bytes = output_bytes
        self.sent_bytes = 0
        self.sent_events = 0
        self.sent_output_bytes = 0
        self.written = False
        """The last planned piece is out: whatever ends the connection now is not a client that left early."""

    def ended(self, gone_ns: int) -> Ended:
        told = NOTHING
        if self.sent_events:
            output = sent_so_far(self.usage.output_tokens, self.sent_output_bytes, self.output_bytes)
            told = replace_output(self.usage, output)
        whole = self.written and self.plan.complete
        return Ended(
            id=self.id,
            at_ns=clock.mono_ns(),
            outcome="client_gone" if gone_ns else "complete" if whole else "cut",
            status=self.plan.status,
            sent_bytes=self.sent_bytes,
            sent_events=self.sent_events,
            told=told,
            gone_ns=gone_ns,
        )


def replace_output(usage: Usage, output_tokens: int) -> Usage:
    if output_tokens == usage.output_tokens:
        return usage
    fields = {name: getattr(usage, name) for name in usage.__struct_fields__}
    return Usage(**(fields | {"output_tokens": output_tokens}))


class Connection(asyncio.Protocol):
    """Parses requests, lets the server plan the answers, writes them one after another."""

    def __init__(self, server: Simulator, number: int) -> None:
        self._server = server
        self._number = number
        self._parser = httptools.HttpRequestParser(self)
        self._exchange = Exchange(number)
        self._waiting: deque[Exchange] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Event | None = None
        self._received = 0
        self._gone_ns = 0
        self.transport: asyncio.Transport

    # -- asyncio ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # Written means that the kernel has it: the log counts only that. (At 0, uvloop's TLS never resumes.)
        self.transport.set_write_buffer_limits(high=1)
        self._server.transports.add(self.transport)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.transport.close()
        except httptools.HttpParserError as error:
            self._server.log.add(
                Unread(at_ns=clock.mono_ns(), received_bytes=self._received, reason=f"no HTTP: {error}")
            )
            self.transport.write(BAD_REQUEST)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone_ns = clock.mono_ns()
        self._server.transports.discard(self.transport)
        if self._writable is not None:
            self._writable.set()
        if self._task is not None:
            self._task.cancel()
        elif self._received and not self._server.closing:
            reason = f"left before the request was whole: {exc or 'closed'}"
            self._server.log.add(Unread(at_ns=self._gone_ns, received_bytes=self._received, reason=reason))

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # -- httptools ----------------------------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._exchange.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._exchange.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._exchange.header(b"expect").lower() == "100-continue" and self._task is None:
            self.transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        exchange.chunks.append(body)
        exchange.size += len(body)

    def on_message_complete(self) -> None:
        exchange = self._exchange
        exchange.method = self._parser.get_method().decode("ascii")
        exchange.keep_alive = self._parser.should_keep_alive()
        exchange.at_ns = clock.mono_ns()
        self._exchange = Exchange(self._number)
        self._received = 0
        if self._task is not None:
            self._waiting.append(exchange)
            if len(self._waiting) >= BACKLOG_MAX:
                self.transport.pause_reading()
        else:
            self._task = asyncio.get_running_loop().create_task(self._answer_all(exchange))

    # -- answers ------------------------------------------------------------------------------------------------

    async def _answer_all(self, exchange: Exchange) -> None:
        """This request's answer, then those of the requests that came meanwhile."""
        try:
            while True:
                if not await self._answer(exchange):
                    return
                if not self._waiting:
                    return
                exchange = self._waiting.popleft()
                self.transport.resume_reading()
        finally:
            self._task = None

    async def _answer(self, exchange: Exchange) -> bool:
        """One planned answer; False when the connection ends with it."""
        work = self._server.plan(exchange)
        try:
            await self._write(work)
            await self._finish(work, exchange)
        finally:
            gone_ns = 0 if work.written or self._server.closing else self._gone_ns
            self._server.finished(work, gone_ns)
        return not self.transport.is_closing()

    async def _write(self, work: Work) -> None:
        for number, piece in enumerate(work.plan.pieces):
            if piece.delay_s > 0:
                await asyncio.sleep(piece.delay_s)
            elif number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            self.transport.write(piece.data)
            if self._writable is not None:
                await self._writable.wait()
            work.sent_bytes += len(piece.data)
            work.sent_events = piece.events
            work.sent_output_bytes = piece.output_bytes
        work.written = True

    async def _finish(self, work: Work, exchange: Exchange) -> None:
        if work.plan.end == "rst":
            await asyncio.sleep(RST_GRACE_S)
            plug = self.transport.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif work.plan.end != "keep" or not exchange.keep_alive:
            self.transport.close()
