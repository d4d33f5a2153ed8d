"""One HTTP client for all vendors: a POST with a deadline, a cap on the answer, nothing kept between calls.

It owns the connection and the framing (httptools). It must not know what is asked or what an answer means.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

ANSWER_BYTES = 4 * 1024 * 1024
"""The longest answer that is read: vendors return the text they were sent and a few kilobytes about it."""

READ_BYTES = 65_536


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


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def post(url: str, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float) -> Answer:
    """Sends the body and reads the whole answer. ClientError if that does not happen within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(url, headers, body)
    except TimeoutError:
        raise ClientError(f"no answer within {timeout_s:g} s") from None
    except (OSError, ssl.SSLError) as exc:
        raise ClientError(f"no connection: {type(exc).__name__}") from None
    except httptools.HttpParserError as exc:
        if isinstance(exc.__context__, ClientError):
            raise exc.__context__ from None
        raise ClientError("what came back is no HTTP") from None


async def _exchange(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientError("the address is no http or https URL")
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if secure else 80), ssl=_tls() if secure else None
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc.rpartition('@')[2]}", f"content-length: {len(body)}"]
        lines += ["connection: close", *(f"{name}: {value}" for name, value in headers)]
        if any("\r" in line or "\n" in line for line in lines):
            raise ClientError("a header or the address holds a line break")
        writer.write("\r\n".join((*lines, "", "")).encode("latin-1") + body)
        await writer.drain()
        return await _read(reader)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Answer:
    parsed = _Parsed()
    parser = httptools.HttpResponseParser(parsed)
    while not parsed.complete:
        chunk = await reader.read(READ_BYTES)
        if not chunk:
            break
        parser.feed_data(chunk)
    status = parser.get_status_code()
    if not status or (not parsed.complete and not parsed.body):
        raise ClientError("the answer was cut off")
    return Answer(status, bytes(parsed.body))
