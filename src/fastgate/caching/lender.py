"""The side of the worker that buys an answer: passes it on to a neighbour that follows, as far as that one takes it.

to the worker that buys    find 16 | proof 32
back                       kind 1 | length 4 | that many bytes     again and again, until an end or a refusal
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from fastgate.caching.entry import Entry, pack
from fastgate.caching.flights import Flight, Stage
from fastgate.log import Log

if TYPE_CHECKING:
    from fastgate.caching.neighbours import Neighbours

FIND_BYTES, PROOF_BYTES = 16, 32

HEAD_BYTES = 5

BEAT_S = 0.5
"""How often it says that it still is, while nothing else comes."""

SILENT_S = 3.0
"""Silence after which it is given up; its loop is watched, and stands still for no tenth of that."""

WAITING_BYTES = 256 * 1024
"""What may wait to be sent to one neighbour, beside what the kernel takes: more than a stream brings between two turns
of the neighbour's loop. One that reads nothing for SILENT_S meanwhile is given up."""

REFUSED, BEAT, ORIGIN, CHUNK, END = b"r", b"b", b"o", b"c", b"e"

_encode = msgspec.msgpack.Encoder().encode

log = Log("cache")


class End(msgspec.Struct, array_like=True):
    """How a flight ended (Flight.end); `blob` is the packed entry, without its body where that came as a stream, and
    empty where there is none."""

    cost_nano: int
    error: str
    broken: bool
    blob: bytes


class Lender(asyncio.Protocol):
    """The side of the worker that buys: one neighbour that follows one flight."""

    def __init__(self, here: Neighbours) -> None:
        self.here = here
        self._transport: Any = None
        self._asked = b""
        self._flight: Flight | None = None
        self._given = 0
        self._begun = self._full = False
        self._beating: asyncio.TimerHandle | None = None
        self._giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(high=WAITING_BYTES)
        self.here.opened(transport)

    def data_received(self, data: bytes) -> None:
        if self._flight is not None:
            return
        self._asked += data
        if len(self._asked) < FIND_BYTES + PROOF_BYTES:
            return
        flight = self.here.flights.get(self._asked[:FIND_BYTES])
        if flight is None or self.here.is_afar(flight) or not flight.join(self._asked[FIND_BYTES:]):
            self._send(REFUSED)
            self._transport.close()
            return
        self._flight = flight
        self._beat()
        self._changed(None)

    # -- how fast it reads --------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The neighbour reads too slowly, or not at all."""
        self._full = True
        self._wait()

    def resume_writing(self) -> None:
        self._full = False
        if self._flight is not None:
            self._wait_no_more()
            self._give()

    def _wait(self) -> None:
        """For the neighbour to take what was given, for so long and no longer."""
        if self._giving_up is None:
            self._giving_up = self.here.loop.call_later(SILENT_S, self._give_up)

    def _give_up(self) -> None:
        log.warning("another worker does not take an answer that is passed on to it; it is left to itself")
        self._transport.abort()

    def _wait_no_more(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    # -- what it is given ---------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._send(BEAT)
        self._beating = self.here.loop.call_later(BEAT_S, self._beat)

    def _changed(self, _: object) -> None:
        """There is more, or the end has come; then wait for the next change."""
        flight = self._flight
        if flight is None:
            return
        self._give()
        if flight.stage not in (Stage.DONE, Stage.FAILED):
            flight.changed(self.here.loop).add_done_callback(self._changed)

    def _give(self) -> None:
        """What has come since the last time, as far as the neighbour takes it."""
        flight = self._flight
        if flight is None or self._full:
            return
        if flight.tape is not None:
            if not self._begun:
                self._begun = True
                self._send(ORIGIN, _encode(flight.origin))
            while self._given < len(flight.tape) and not self._full:
                self._given += 1
                self._send(CHUNK, flight.tape[self._given - 1])
            if self._given < len(flight.tape):
                return
        if flight.stage is Stage.DONE or flight.stage is Stage.FAILED:
            self._send(END, _encode(End(flight.cost_nano, flight.error, flight.broken, self._entry(flight.entry))))
            self._part()
            self._wait()
            self._transport.close()

    def _entry(self, entry: Entry | None) -> bytes:
        """The body of a stream has gone over already."""
        return b"" if entry is None else pack(Entry(entry.head, b"", entry.pace) if self._begun else entry)

    def _send(self, kind: bytes, data: bytes = b"") -> None:
        self._transport.writelines((kind + len(data).to_bytes(4, "little"), data))

    def _part(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        if self._flight is not None:
            flight, self._flight = self._flight, None
            flight.part()

    def connection_lost(self, exc: Exception | None) -> None:
        self.here.closed(self._transport)
        self._wait_no_more()
        self._part()
