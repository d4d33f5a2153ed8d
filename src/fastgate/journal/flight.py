"""What a slot of the flight table says of its call, and how a table is looked at from outside its worker.

Owns the note (`FlightNote`) and the reading of tables: `peek` at a living worker's header, `abandoned` for the table of
a dead one. The layout and the stores are _core/flight's; what a dead worker's calls cost is control/recover's.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fastgate._core.flight import (
    FLAG_FAST,
    FLAG_FINAL,
    FLAG_MALFORMED,
    FLAG_PRIORITY,
    FLAG_SEEN,
    FLAG_US_GEO,
    HEADER_BYTES,
    MAGIC,
    NOTE_BYTES,
    SLOT_BYTES,
    VERSION,
)
from fastgate._core.pack import Packer
from fastgate._core.segment import crc32c
from fastgate.journal.format import epoch_number, epoch_text, is_epoch

if TYPE_CHECKING:
    from fastgate.call import Call

SUFFIX = ".flight"

CLIP_CHARS = 48
"""What is kept of each string that a client or an operator chose freely, when the note is too long for its slot."""

_HEADER = struct.Struct("=8sIIII12sIqQQ")
_SLOT = struct.Struct("=BBBxIQq2I2I9q")
_STAMP = struct.Struct("=Qq")
_RESCUERS_AT = 64
_RESCUERS_MAX = (HEADER_BYTES - _RESCUERS_AT) // 8
_NOTES_AT = 128
_TAKEN = 1
_CHUNK_SLOTS = 256


class FlightNote(msgspec.Struct, frozen=True, array_like=True):
    """What a CallRecord needs and only the worker knew. New fields go at the end, with a default."""

    org: str
    team: str
    user: str
    key: str
    cost_center: str
    tags: dict[str, str]
    session: str
    agent: str
    parent_agent: str
    request_class: str
    route: str
    model_asked: str
    model_used: str
    endpoint: str
    provider: str
    stream: bool
    policy: str
    system_sha256: str
    tools: tuple[str, ...]
    request_bytes: int
    bound_nano: int
    price: tuple[int, ...]
    """PriceRow.ints(), empty where the route is free."""
    spent_nano: int = 0
    """What attempts before this one may have cost."""
    cache: str = "bypass"
    guard: str = "not-scanned"
    routed: str = ""
    cells: tuple[int, ...] = ()


class FlightHeader(NamedTuple):
    """A table as seen from outside. `in_flight` are the calls that have a slot, `calls` all, as their worker told a
    hundredth of a second ago at most; of a dead worker they are what they were when it died."""

    pid: int
    epoch: str
    started_ns: int
    in_flight: int
    generation: int
    calls: int
    alive: bool

    @property
    def unfinished(self) -> int:
        """Calls that have begun, those whose body is still coming too."""
        return max(self.in_flight, self.calls)


class FlightSlot(NamedTuple):
    """One call that was in flight: its note and the usage seen so far, in the order of the slot's live figures."""

    n: int
    at_ns: int
    note: FlightNote
    tokens: tuple[int, int, int, int, int]
    """input, output, cache write 5 m, cache write 1 h, cache read"""
    server_tools: tuple[int, int, int]
    """web search, web fetch, code execution"""
    output_bytes: int
    seen: bool
    final: bool
    malformed: bool
    fast: bool
    us_geo: bool
    priority: bool
    sent: bool
    """False: the attempt of the note was still to be sent."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(FlightNote).decode


NOTE_FIELDS = 27
"""Of a FlightNote."""

NO_PRICE = b"\x90"
"""An array of none, in MessagePack."""

_packer = Packer()


def encode_note(call: Call) -> bytes:
    """The note of an identified call, for `FlightTable.claim` and, once its endpoint is known or another, `amend`.

    Written field by field in the order of FlightNote. Never longer than a slot takes.
    """
    request, head, endpoint, price, out = call.request, call.head, call.endpoint, call.price, _packer
    assert call.principal is not None
    assert request is not None
    out.begin(NOTE_FIELDS)
    out.packed(call.principal.packed)
    out.text(call.session)
    out.text(head.agent)
    out.text(head.parent_agent)
    out.text(head.request_class)
    out.text(call.route)
    out.text(call.model_asked or request.model)
    out.text(call.model or request.model)
    out.value(endpoint.name if endpoint is not None else "")
    out.value(endpoint.kind if endpoint is not None else "")
    out.flag(request.stream)
    out.text(call.snapshot.version)
    out.text(call.system_sha256)
    out.value(request.tools)
    out.number(len(call.body))
    out.value(call.bound_nano)
    out.packed(price.packed() if price is not None else NO_PRICE)
    out.value(call.attempted_nano)
    out.text(call.cache)
    out.text(call.guard)
    out.text(call.routed)
    out.value(call.cells)
    blob = out.taken()
    return blob if len(blob) <= NOTE_BYTES else fit_note(_decode(blob))


def fit_note(note: FlightNote) -> bytes:
    """The note in at most NOTE_BYTES. Given up in this order: tool names, the length of free strings, tags."""
    blob = _encode(note)
    if len(blob) > NOTE_BYTES:
        note = msgspec.structs.replace(note, tools=())
        blob = _encode(note)
    if len(blob) > NOTE_BYTES:
        free = ("session", "agent", "parent_agent", "request_class", "model_asked", "model_used", "endpoint", "routed")
        note = msgspec.structs.replace(note, **{name: _clip(getattr(note, name)) for name in free})
        blob = _encode(note)
    if len(blob) > NOTE_BYTES:
        blob = _encode(msgspec.structs.replace(note, tags={}))
    return blob


def _clip(text: str) -> str:
    return text.encode("utf-8")[:CLIP_CHARS].decode("utf-8", "ignore")


class FlightError(OSError):
    """The file is not a flight table of this version."""


def peek(path: Path) -> FlightHeader:
    """The header of the table at `path`, for the supervisor. FileNotFoundError, or FlightError if it is none."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        header = _read_header(fd, path)
        return header._replace(alive=not _try_lock(fd, fcntl.LOCK_SH))
    finally:
        os.close(fd)


def abandoned(path: Path) -> AbandonedTable | None:
    """The table at `path` if its worker is dead, locked so that one process recovers it; else None."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    # A name that is gone once the lock is there: another process has recovered the table in between.
    if not _try_lock(fd, fcntl.LOCK_EX) or os.fstat(fd).st_nlink == 0:
        os.close(fd)
        return None
    return AbandonedTable(path, fd)


class AbandonedTable:
    """A dead worker's table. A context manager: leaving it gives the lock back."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    def __enter__(self) -> AbandonedTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def header(self) -> FlightHeader:
        """FlightError if the file is no table, as after a loss of power."""
        return _read_header(self._fd, self.path)

    def calls(self) -> tuple[list[FlightSlot], int]:
        """What was in flight, oldest first, and how many taken slots cannot be read."""
        found: list[FlightSlot] = []
        unreadable = 0
        offset = HEADER_BYTES
        while chunk := os.pread(self._fd, _CHUNK_SLOTS * SLOT_BYTES, offset):
            for at in range(0, len(chunk) - SLOT_BYTES + 1, SLOT_BYTES):
                if chunk[at] != _TAKEN:
                    continue
                slot = _read_slot(chunk, at)
                if slot is None:
                    unreadable += 1
                else:
                    found.append(slot)
            offset += len(chunk)
        return sorted(found, key=lambda slot: slot.n), unreadable

    def rescuers(self) -> list[str]:
        """The epochs in whose journals records of these calls may already be."""
        raw = os.pread(self._fd, 8 * _RESCUERS_MAX, _RESCUERS_AT)
        return [epoch_text(number) for (number,) in struct.iter_unpack("=Q", raw) if number]

    def add_rescuer(self, epoch: str) -> None:
        """Say that records of these calls are about to go into the journal of `epoch`; survives this process."""
        known = self.rescuers()
        if epoch not in known:
            at = _RESCUERS_AT + 8 * min(len(known), _RESCUERS_MAX - 1)
            os.pwrite(self._fd, struct.pack("=Q", epoch_number(epoch)), at)

    def remove(self) -> None:
        """Every call is in a journal."""
        self.path.unlink()

    def set_aside(self) -> Path:
        """Keep a table that could not be read whole, out of the way, for whoever wants to look."""
        return self.path.rename(self.path.with_suffix(".damaged"))


def _read_header(fd: int, path: Path) -> FlightHeader:
    raw = os.pread(fd, _HEADER.size, 0)
    if len(raw) < _HEADER.size or raw[:8] != MAGIC:
        raise FlightError(f"{path} is not a flight table")
    _, version, slot_bytes, _, pid, name, calls, started_ns, in_flight, generation = _HEADER.unpack(raw)
    epoch = name.decode("ascii", "replace")
    if version != VERSION or slot_bytes != SLOT_BYTES or not is_epoch(epoch):
        raise FlightError(f"{path} is a flight table of another version ({version}) or damaged")
    return FlightHeader(pid, epoch, started_ns, in_flight, generation, calls, False)


def _read_slot(chunk: bytes, at: int) -> FlightSlot | None:
    """The taken slot at `at`, or None when its checksum or its note is wrong."""
    figures: tuple[Any, ...] = _SLOT.unpack_from(chunk, at)
    attempt, live_of, flags, n, at_ns = figures[1:6]
    area = attempt & 1
    size, checksum = figures[6 + area], figures[8 + area]
    start = at + _NOTES_AT + area * NOTE_BYTES
    blob = chunk[start : start + size]
    if size > NOTE_BYTES or crc32c(blob + _STAMP.pack(n, at_ns)) != checksum:
        return None
    try:
        note = _decode(blob)
    except msgspec.MsgspecError:
        return None
    sent = live_of == attempt >> 1
    live = figures[10:] if sent else (0,) * 9
    flags = flags if sent else 0
    return FlightSlot(
        n,
        at_ns,
        note,
        live[:5],
        live[5:8],
        live[8],
        bool(flags & FLAG_SEEN),
        bool(flags & FLAG_FINAL),
        bool(flags & FLAG_MALFORMED),
        bool(flags & FLAG_FAST),
        bool(flags & FLAG_US_GEO),
        bool(flags & FLAG_PRIORITY),
        sent,
    )


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
