"""One HTTP client for all vendors: a POST with a deadline, a cap on the answer, connections kept for the next one.

It owns connections and framing (httptools). It must not know what is asked or what an answer means.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from fastgate.clock import mono_ns

ANSWER_BYTES = 4 * 1024 * 1024
"""The longest answer that is read: vendors return the text they were sent and a few kilobytes about it."""

READ_BYTES = 65_536

IDLE_S = 15
"""How long a connection is kept unused: under the 20 to 60 s after which vendors' load balancers close it."""

IDLE_MAX = 32
"""Connections kept to one address: twice the questions that one guard asks at once."""


class ClientError(Exception):
    """No answer; the message says why, without address parameters, headers or the text."""


class Answer(NamedTuple):
    status: int
    body: bytes


class _Parsed:
    """What httptools calls back; one for each answer."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, part: bytes) -> None:
        self.body += part
        if len(self.body) > ANSWER_BYTES:
            raise ClientError(f"the answer has more than {ANSWER_BYTES} bytes")

    def on_message_complete(self) -> None:
        self.complete = True


class _Line(NamedTuple):
    """A connection and, once it is idle, since when."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since_ns: int = 0


class _ClosedError(Exception):
    """The connection ended before a byte of the answer."""


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Client:
    """A worker's connections to vendors. Belongs to one event loop."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int, bool], list[_Line]] = {}

    async def post(
        self, url: str, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float, method: str = "POST"
    ) -> Answer:
        """Sends the body and reads the whole answer. ClientError if that does not happen within `timeout_s`. A method
        other than POST must be one that may be sent twice."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(method, url, headers, body)
        except TimeoutError:
            raise ClientError(f"no answer within {timeout_s:g} s") from None
        except (OSError, ssl.SSLError) as exc:
            raise ClientError(f"no connection: {type(exc).__name__}") from None
        except _ClosedError:
            raise ClientError("the connection ended before the answer") from None
        except httptools.HttpParserError as exc:
            if isinstance(exc.__context__, ClientError):
                raise exc.__context__ from None
            raise ClientError("what came back is no HTTP") from None

    async def _post(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError("the address is no http or https URL")
        secure = parts.scheme == "https"
        place = (parts.hostname, parts.port or (443 if secure else 80), secure)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc.rpartition('@')[2]}"]
        lines.append(f"content-length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        if any("\r" in line or "\n" in line for line in lines):
            raise ClientError("a header or the address holds a line break")
        sent = "\r\n".join((*lines, "", "")).encode("latin-1") + body
        kept = self._take(place)
        if kept is not None:
            # One that the vendor closed in the same moment is no failure of the vendor: a new one is asked.
            with contextlib.suppress(_ClosedError, ConnectionError):
                return await self._exchange(place, kept, sent)
        reader, writer = await asyncio.open_connection(place[0], place[1], ssl=_tls() if secure else None)
        return await self._exchange(place, _Line(reader, writer), sent)

    async def _exchange(self, place: tuple[str, int, bool], line: _Line, sent: bytes) -> Answer:
        keep = False
        try:
            line.writer.write(sent)
            await line.writer.drain()
            answer, keep = await _read(line.reader)
            return answer
        finally:
            if keep:
                self._give(place, line)
            else:
                line.writer.close()

    def _take(self, place: tuple[str, int, bool]) -> _Line | None:
        """The connection that was used last, if it is young enough; older ones are closed."""
        oldest_ns = mono_ns() - IDLE_S * 1_000_000_000
        lines = self._idle.get(place, [])
        while lines:
            line = lines.pop()
            if line.since_ns >= oldest_ns and not line.reader.at_eof() and not line.writer.is_closing():
                return line
            line.writer.close()
        return None

    def _give(self, place: tuple[str, int, bool], line: _Line) -> None:
        lines = self._idle.setdefault(place, [])
        if len(lines) < IDLE_MAX:
            lines.append(line._replace(since_ns=mono_ns()))
        else:
            line.writer.close()

    def close(self) -> None:
        for lines in self._idle.values():
            for line in lines:
                line.writer.close()
        self._idle.clear()


async def _read(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether its connection may be used again."""
    parsed = _Parsed()
    parser = httptools.HttpResponseParser(parsed)
    begun = False
    while not parsed.complete:
        chunk = await reader.read(READ_BYTES)
        if not chunk:
            break
        begun = True
        parser.feed_data(chunk)
    if not begun:
        raise _ClosedError
    status = parser.get_status_code()
    if not status or (not parsed.complete and not parsed.body):
        raise ClientError("the answer was cut off")
    return Answer(status, bytes(parsed.body)), parsed.complete and parser.should_keep_alive()
