"""Answers that another worker of this machine is getting now: followed live, over a socket in the state directory.

Whoever asks a question first claims it (claims.py) and serves its tape to those who come after, each worker once: there
a `Mirror` is the tape, and calls follow it as they follow one of their own. A worker that dies closes its sockets; one
that hangs falls silent, and is given up. Either way those who followed ask by themselves, or break off where they had
begun to pass the stream on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fastgate.caching.claims import Claims
from fastgate.caching.entry import Entry, unpack
from fastgate.caching.flights import Flight, Stage
from fastgate.caching.lender import CHUNK, END, HEAD_BYTES, ORIGIN, REFUSED, SILENT_S, End, Lender
from fastgate.clock import mono_ns
from fastgate.errors import Kind
from fastgate.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate.caching.key import Key

FIRST_S = 0.25
"""How long a worker may take to say that it is buying: one that is alive does so at its loop's next turn. A call waits
so long for a neighbour that hangs, and then for none."""

FRAME_BYTES_MAX = 128 * 1024 * 1024
"""Longer than any answer (pump.BODY_BYTES_MAX)."""

BACKLOG = 1024

_origin = msgspec.msgpack.Decoder(tuple[str, str, str]).decode

_end = msgspec.msgpack.Decoder(End).decode

log = Log("cache")


class Neighbours:
    """One worker's questions under way, by what finds their answers: its own, and those of others that it follows."""

    def __init__(self, directory: Path | None, loop: asyncio.AbstractEventLoop) -> None:
        """Without a directory, or where it takes no sockets, calls share within this worker only."""
        self.flights: dict[bytes, Flight] = {}
        self.loop = loop
        self._links: set[Any] = set()
        self._directory = -1
        self._claims: Claims | None = None
        self._listening: socket.socket | None = None
        self._server: asyncio.Task[asyncio.Server] | None = None
        self._beginning: asyncio.Handle | None = None
        if directory is not None:
            try:
                self._listen(directory)
            except OSError as error:
                log.warning("workers do not share answers under way: no socket", folder=directory, why=error)
                self._close_files()

    def _listen(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        forget_the_dead(directory)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listening.bind(self._path(os.getpid()))
        self._listening.listen(BACKLOG)
        self._claims = Claims(directory)
        self._beginning = self.loop.call_soon(self._serve)

    @property
    def connected(self) -> bool:
        return self._claims is not None

    def _serve(self) -> None:
        self._server = self.loop.create_task(self.loop.create_unix_server(lambda: Lender(self), sock=self._listening))

    def _path(self, pid: int) -> str:
        """Its socket, by way of the open directory: a socket's path may have 107 bytes, and a state directory more."""
        return f"/proc/self/fd/{self._directory}/{pid}"

    def lead(self, key: Key, call_id: str, pump: Callable[[], Any]) -> Flight:
        """The flight of a call that buys."""
        flight = self.flights[key.find] = Flight(key.proof, call_id, pump)
        return flight

    def ahead(self, key: Key, *, here: bool = False) -> Flight | None:
        """The flight to follow; `here`: of this worker's own. None where there is none: the question is to be bought,
        and this worker's from now on where nobody else has claimed it."""
        found = self.flights.get(key.find)
        if found is not None and here and self.is_afar(found):
            found = None
        if found is None and self._claims is not None:
            pid = self._claims.take(key.find)
            if pid and not here:
                found = self._follow(key, pid)
        return found

    def is_afar(self, flight: Flight) -> bool:
        """Whether it is another worker's."""
        return isinstance(flight.pump(), Mirror)

    def _follow(self, key: Key, pid: int) -> Flight:
        mirror = Mirror(self, key, pid)
        self.flights[key.find] = mirror.flight
        mirror.dialling = self.loop.create_task(mirror.dial(self._path(pid)))
        return mirror.flight

    def land(self, find: bytes, flight: Flight) -> None:
        """It is over."""
        if self.flights.get(find) is flight:
            del self.flights[find]
            if self._claims is not None:
                self._claims.give(find)

    def opened(self, transport: Any) -> None:
        self._links.add(transport)

    def closed(self, transport: Any) -> None:
        self._links.discard(transport)

    def close(self) -> None:
        """Who follows falls back, here and elsewhere."""
        if self._beginning is not None:
            self._beginning.cancel()
        if self._server is not None and not self._server.cancel() and not self._server.cancelled():
            self._server.result().close()
        for flight in list(self.flights.values()):
            source = flight.pump()
            if isinstance(source, Mirror):
                source.give_up()
        for transport in list(self._links):
            transport.abort()
        if self._claims is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(str(os.getpid()), dir_fd=self._directory)
        self._close_files()

    def _close_files(self) -> None:
        if self._listening is not None:
            self._listening.close()
        if self._claims is not None:
            self._claims.close()
            self._claims = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1


def forget_the_dead(directory: Path) -> None:
    """Sockets that killed workers left."""
    for path in directory.iterdir():
        if path.name.isdecimal() and (path.name == str(os.getpid()) or not Path(f"/proc/{path.name}").exists()):
            path.unlink(missing_ok=True)


class Mirror(asyncio.Protocol):
    """The side of those who follow: stands for the pump of a flight that is another worker's."""

    def __init__(self, here: Neighbours, key: Key, pid: int) -> None:
        self.here = here
        self.flight = Flight(key.proof, "", lambda: self)
        self.tape: list[bytes] | None = None
        self.dialling: asyncio.Task[None] | None = None
        self._key = key
        self._pid = pid
        self._transport: Any = None
        self._listener: Callable[[], object] | None = None
        self._buffer = bytearray()
        self._heard_ns = 0
        self._watching = here.loop.call_later(FIRST_S, self._watch)

    async def dial(self, path: str) -> None:
        try:
            await self.here.loop.create_unix_connection(lambda: self, path)
        except OSError:  # it has ended, or listens no more
            self._end(None, 0, "", broken=False)

    # -- as a pump --------------------------------------------------------------------------------------------------

    def share(self, listener: Callable[[], object]) -> None:
        self._listener = listener

    def unshare(self) -> None:
        """Nobody follows any more."""
        self._end(None, 0, "", broken=False)

    def give_up(self) -> None:
        """Whoever has begun to pass the stream on breaks off; the others ask by themselves."""
        streaming = self.flight.stage is Stage.STREAMING
        self._end(None, 0, Kind.TRUNCATED.value if streaming else "", broken=streaming)

    # -- asyncio protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.here.opened(transport)
        if self._over():
            self._transport.abort()
        else:
            self._transport.write(self._key.find + self._key.proof)

    def data_received(self, data: bytes) -> None:
        self._heard_ns = mono_ns()
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= HEAD_BYTES and not self._over():
            size = int.from_bytes(self._buffer[at + 1 : at + HEAD_BYTES], "little")
            if size > FRAME_BYTES_MAX:
                self._transport.abort()
                return
            end = at + HEAD_BYTES + size
            if len(self._buffer) < end:
                break
            self._take(bytes(self._buffer[at : at + 1]), bytes(self._buffer[at + HEAD_BYTES : end]))
            at = end
        del self._buffer[:at]

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == CHUNK and self.tape is not None:
            self.tape.append(data)
            if self._listener is not None:
                self._listener()
        elif kind == ORIGIN and self.tape is None:
            self.tape = []
            self.flight.stream_begins(_origin(data))
        elif kind == END:
            told = _end(data)
            self._end(self._entry(told.blob), told.cost_nano, told.error, broken=told.broken)
        elif kind == REFUSED:
            self._end(None, 0, "", broken=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.here.closed(self._transport)
        self.give_up()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _entry(self, blob: bytes) -> Entry | None:
        if not blob:
            return None
        entry = unpack(blob)
        return entry if self.tape is None else Entry(entry.head, b"".join(self.tape), entry.pace)

    def _watch(self) -> None:
        """Give up a neighbour that has said nothing for too long."""
        silent_ns = mono_ns() - self._heard_ns
        if not self._heard_ns or silent_ns > SILENT_S * 1e9:
            log.warning("another worker does not answer; its answer is bought again", worker=self._pid)
            self.give_up()
        else:
            self._watching = self.here.loop.call_later(SILENT_S - silent_ns / 1e9, self._watch)

    def _over(self) -> bool:
        return self.flight.stage in (Stage.DONE, Stage.FAILED)

    def _end(self, entry: Entry | None, cost_nano: int, error: str, *, broken: bool) -> None:
        if self._over():
            return
        self._watching.cancel()
        if self.dialling is not None:
            self.dialling.cancel()
        if self.here.flights.get(self._key.find) is self.flight:
            del self.here.flights[self._key.find]
        self.flight.end(entry, cost_nano, error, broken=broken)
        if self._transport is not None:
            self._transport.abort()
