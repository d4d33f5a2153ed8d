"""A TCP proxy that misbehaves on demand: latency, bandwidth, cuts, resets, black holes, half-closes, corruption.

Stands between any two parts (client and gateway, gateway and upstream, gateway and store) and knows no protocol. Faults
may be changed while connections are open; they hold for the bytes that come after.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Literal

import msgspec

READ_BYTES = 64 * 1024

BANDWIDTH_STEP_S = 0.02
"""A limited direction forwards slices of this length."""

CONNECT_S = 5.0
"""The target is on this machine; longer means that it is gone."""

Direction = Literal["up", "down"]
"""up: client to target. down: target to client."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one direction. The defaults forward untouched."""

    latency_ms: float = 0.0
    bytes_per_s: float = 0.0
    """0 is unlimited."""
    after_bytes: int = -1
    """The byte after which `then` happens; -1 never."""
    then: Literal["rst", "fin", "half_close", "blackhole"] = "rst"
    """rst, fin: both sides are reset or closed. half_close: this direction ends, the other lives. blackhole: this
    direction is read no more and nothing is said."""
    corrupt_at: int = -1
    """The byte of this direction whose bits are inverted."""


CLEAN = Faults()


class FaultProxy:
    """Listens on `port` of the loopback and forwards to the target. `await start()`, set `up` and `down`,
    `await close()`."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self.target = (target_host, target_port)
        self.up: Faults = CLEAN
        self.down: Faults = CLEAN
        self.refuse = False
        """New connections are reset before a byte is forwarded."""
        self.port = 0
        self.connections = 0
        """Accepted so far."""
        self.open: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cut(self) -> None:
        """Reset every open connection now, on both sides."""
        for link in list(self.open):
            link.reset()
        await asyncio.sleep(0)

    def faults(self, direction: Direction) -> Faults:
        return self.up if direction == "up" else self.down

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.refuse:
            _reset(writer)
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)
            return
        link = Link(self, writer, far_writer)
        self.open.add(link)
        try:
            await asyncio.gather(link.forward("up", reader, far_writer), link.forward("down", far_reader, writer))
        except asyncio.CancelledError:
            pass  # by close(), while a black hole was open; the server's own callback could not take it
        finally:
            self.open.discard(link)
            link.close()


class Link:
    """One client connection and its twin to the target."""

    def __init__(self, proxy: FaultProxy, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._near = near
        self._far = far

    async def forward(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction until its end or its fault."""
        passed = 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(READ_BYTES):
                faults = self._proxy.faults(direction)
                if faults.latency_ms:
                    await asyncio.sleep(faults.latency_ms / 1000)
                ends = 0 <= faults.after_bytes <= passed + len(data)
                if ends:
                    data = data[: max(0, faults.after_bytes - passed)]
                await self._send(writer, _corrupted(data, faults.corrupt_at - passed), faults.bytes_per_s)
                passed += len(data)
                if ends:
                    await self._end(faults, writer)
                    return
            if writer.can_write_eof():
                writer.write_eof()
            return
        self.reset()

    async def _send(self, writer: asyncio.StreamWriter, data: bytes, bytes_per_s: float) -> None:
        if not bytes_per_s:
            writer.write(data)
            await writer.drain()
            return
        step = max(1, int(bytes_per_s * BANDWIDTH_STEP_S))
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            await writer.drain()
            await asyncio.sleep(step / bytes_per_s)

    async def _end(self, faults: Faults, writer: asyncio.StreamWriter) -> None:
        match faults.then:
            case "rst":
                self.reset()
            case "fin":
                self.close()
            case "half_close":
                writer.write_eof()
            case "blackhole":
                await asyncio.Event().wait()

    def reset(self) -> None:
        _reset(self._near)
        _reset(self._far)

    def close(self) -> None:
        self._near.close()
        self._far.close()


def _corrupted(data: bytes, at: int) -> bytes:
    if not 0 <= at < len(data):
        return data
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _reset(writer: asyncio.StreamWriter) -> None:
    plug = writer.get_extra_info("socket")
    if plug is not None and not writer.is_closing():
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
