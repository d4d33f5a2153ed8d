"""The fast door of the scenario `plain`: one fixed buffer a connection, no header parsing, no copy of large bodies.

Serves keep-alive `POST /v1/messages` with a Content-Length, so that the mock is not what a load test measures. On
anything else (other routes, chunked bodies, a queued script) it hands the connection over to connection.py for good.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

from fastgate.sim.conversation import PEEK_BYTES, BadRequestError, Brief, peek
from fastgate.sim.wire import error_body, head

BUFFER_BYTES = 256 * 1024
"""What uvloop reads at once; a larger body is drained through it, keeping only its two ends."""

START_LINES = (b"POST /v1/messages HTTP/1.1\r\n", b"POST /v1/messages?beta=true HTTP/1.1\r\n")

LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,12})\r\n", re.IGNORECASE)
UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|connection: *close|x-sim) *:?", re.IGNORECASE)

HEAD_END = b"\r\n\r\n"

Answer = Callable[[Brief, int], bytes | None]
"""Brief and body length to the whole response; None where the general door must answer."""


class PlainConnection(asyncio.BufferedProtocol):
    """Finds request ends in the buffer and writes ready answers."""

    def __init__(
        self, answer: Answer, general: Callable[[], asyncio.Protocol], transports: set[asyncio.Transport]
    ) -> None:
        self._transports = transports
        self._answer = answer
        self._general = general
        self._bytes = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._bytes)
        self._end = 0
        """Received and not yet answered bytes are `_bytes[:_end]`."""
        self._last_head = b""
        self._last_length = 0
        self._size = 0
        self._rest = 0
        """Bytes of a large body still to come, 0 outside one."""
        self._first = b""
        self._tail = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transports.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transports.discard(self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._rest:
            nbytes = self._drain(nbytes)
        self._end += nbytes
        start = 0
        while start < self._end:
            taken = self._request(start)
            if taken < 0:
                self._hand_over(start)
                return
            if not taken:
                break
            start += taken
        if start and not self._rest:
            left = self._bytes[start : self._end]
            self._end = len(left)
            self._bytes[: self._end] = left

    def _request(self, start: int) -> int:
        """Answer the request at `start`: bytes taken, 0 where it is not whole yet, -1 where it is not for this door."""
        end = self._bytes.find(HEAD_END, start, self._end)
        if end < 0:
            return 0 if self._end - start < BUFFER_BYTES // 2 else -1
        head_bytes = self._bytes[start : end + 4]
        if head_bytes != self._last_head and not self._read_head(bytes(head_bytes)):
            return -1
        body = end + 4
        if body + self._last_length <= self._end:
            return self._reply(start, body)
        if body + self._last_length <= BUFFER_BYTES:
            return 0
        self._size, self._rest = self._last_length, self._last_length - (self._end - body)
        self._first = bytes(self._view[body : min(body + PEEK_BYTES, self._end)])
        self._tail = bytes(self._view[max(body, self._end - PEEK_BYTES) : self._end])
        taken, self._end = self._end - start, 0
        return taken

    def _read_head(self, data: bytes) -> bool:
        length = LENGTH.search(data)
        if not data.startswith(START_LINES) or length is None or UNUSUAL.search(data):
            return False
        self._last_head, self._last_length = data, int(length.group(1))
        return self._last_length > 0

    def _reply(self, start: int, body: int) -> int:
        size = self._last_length
        if size <= 2 * PEEK_BYTES:
            ends = [bytes(self._view[body : body + size])]
        else:
            ends = [
                bytes(self._view[body : body + PEEK_BYTES]),
                bytes(self._view[body + size - PEEK_BYTES : body + size]),
            ]
        return body + size - start if self._write(ends, size) else -1

    def _drain(self, nbytes: int) -> int:
        """Take a large body's next bytes; returns how many bytes of the next request lie at the buffer's start."""
        here = min(nbytes, self._rest)
        if len(self._first) < PEEK_BYTES:
            self._first += bytes(self._view[: min(here, PEEK_BYTES - len(self._first))])
        self._tail = (self._tail + bytes(self._view[max(0, here - PEEK_BYTES) : here]))[-PEEK_BYTES:]
        self._rest -= here
        if self._rest:
            return 0
        if not self._write([self._first, self._tail], self._size):
            # A script was queued in the middle of an upload: the body is gone, so only the refusal is left.
            self._refuse("a behaviour was queued while a large body of the plain scenario was under way")
        left = self._bytes[here:nbytes]
        self._bytes[: len(left)] = left
        return len(left)

    def _write(self, ends: list[bytes], size: int) -> bool:
        try:
            brief = peek(ends)
        except BadRequestError as error:
            self._refuse(f"the plain scenario looks for model and stream at the body's two ends: {error}")
            return True
        answer = self._answer(brief, size)
        if answer is None:
            return False
        self._transport.write(answer)
        return True

    def _refuse(self, message: str) -> None:
        body = error_body(400, "", message, "req_sim")
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        self._transport.write(head(400, headers) + body)

    def _hand_over(self, start: int) -> None:
        """Let the general door read what is not answered yet, and all that follows."""
        pending = bytes(self._view[start : self._end])
        general = self._general()
        # The reader callback is chosen when reading starts, so it has to start anew for an unbuffered protocol.
        self._transport.pause_reading()
        self._transport.set_protocol(general)
        general.connection_made(self._transport)
        general.data_received(pending)
        if not self._transport.is_closing():
            self._transport.resume_reading()
