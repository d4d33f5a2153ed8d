"""HTTP by hand: exact bytes out, exact bytes back, and how the connection ended. For tests about framing and faults."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Literal

READ_BYTES = 1 << 16


@dataclass
class Reply:
    """What came back. `ended`: open (the answer was whole and the connection lives), fin, rst or timeout."""

    data: bytes = b""
    ended: Literal["open", "fin", "rst", "timeout"] = "open"
    reads: list[bytes] = field(default_factory=list)

    @property
    def head(self) -> bytes:
        return past_interim(self.data).partition(b"\r\n\r\n")[0]

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def body(self) -> bytes:
        """The body without its framing; as far as it came."""
        rest = past_interim(self.data).partition(b"\r\n\r\n")[2]
        return dechunk(rest) if self.headers.get("transfer-encoding") == "chunked" else rest

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[tuple[str, Any]]:
        """The stream's whole events as (type, data)."""
        found = []
        for block in self.body.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if fields:
                found.append((fields["event"], json.loads(fields["data"])))
        return found


def past_interim(data: bytes) -> bytes:
    """What follows the 1xx heads."""
    while data.startswith(b"HTTP/1.1 1"):
        data = data.partition(b"\r\n\r\n")[2]
    return data


def dechunk(data: bytes) -> bytes:
    """The payload of a chunked body; a body that ends early gives what is there."""
    found = []
    while data:
        size, separator, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16) if separator else 0
        if not length:
            break
        found.append(data[:length])
        data = data[length + 2 :]
    return b"".join(found)


def post(body: bytes | dict[str, Any], path: str = "/v1/messages", **headers: str) -> bytes:
    """A Messages request as bytes; header names with `_` for `-`, an empty value leaves one out."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"host": "test", "x-api-key": "key", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    fields["content-length"] = str(len(data))
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value), "", ""]
    return "\r\n".join(lines).encode() + data


async def read_reply(reader: asyncio.StreamReader, timeout_s: float = 5.0) -> Reply:
    """Read one answer to its end by its own framing, or until the connection or the time ends."""
    reply = Reply()
    try:
        async with asyncio.timeout(timeout_s):
            while not _whole(reply.data):
                data = await reader.read(READ_BYTES)
                if not data:
                    reply.ended = "fin"
                    break
                reply.data += data
                reply.reads.append(data)
    except TimeoutError:
        reply.ended = "timeout"
    except ConnectionError:
        reply.ended = "rst"
    return reply


def _whole(data: bytes) -> bool:
    head, separator, rest = past_interim(data).partition(b"\r\n\r\n")
    if not separator:
        return False
    lower = head.lower()
    if b"\r\ncontent-length: " in lower:
        return len(rest) >= int(lower.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
    return b"\r\ntransfer-encoding: chunked" in lower and rest.endswith(
        (b"0\r\n\r\n", b"\r\nx-sim-trailer: yes\r\n\r\n")
    )


async def exchange(port: int, request: bytes, timeout_s: float = 5.0) -> Reply:
    """Send one request on its own connection and read the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await read_reply(reader, timeout_s)
    finally:
        writer.close()
