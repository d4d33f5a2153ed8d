"""Reads a journal while it is being written: whole records only, from any position, naming what is damaged.

Owns the rules for tails and damage. A record that is not whole at the end of the newest segment is not there yet; the
same anywhere else is damage. Where the next record still stands at its place only the damaged one is lost, else the
rest of its segment. Positions are the consumer's to keep; records are the consumer's to decode.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fastgate._core.segment import crc32c, whole_records
from fastgate.journal.format import (
    FRAME,
    FRAME_BYTES,
    LEAD,
    MAX_BODY_BYTES,
    STAMP,
    START,
    Damage,
    Position,
    Record,
    epoch_number,
    epochs_of,
    segment_path,
    segments_of,
)

READ_BYTES = 4 * 1024 * 1024
"""One read. Holds a broken record of the largest size and the one after it, which tells where reading can go on."""

RECORD_BYTES = 512
"""What is read first for each record that is wanted: a usual one. Reading far more than is taken costs as much as
decoding."""

BATCH_RECORDS = 10_000
"""Keeps a consumer's transaction under about 200 ms."""

GLANCE_BYTES = 4096
"""Read first where one record is wanted: most are under 1 KiB."""

Run = Callable[[bytes, int, int, int, int, int, int], tuple[list[Any], int]]
"""As _core.segment.whole_records: the records that follow one another without a flaw, and where the next would begin.
"""

_record = partial(tuple.__new__, Record)


def _whole(*of: Any) -> tuple[list[Record], int]:
    found, at = whole_records(*of)
    return list(map(_record, found)), at


_MIN_LENGTH = STAMP.size
_MAX_LENGTH = STAMP.size + MAX_BODY_BYTES


class Batch(NamedTuple):
    """What one `read` found. `position` is where the next one goes on; `more` that it will find something at once."""

    records: list[Record]
    position: Position
    damage: list[Damage]
    more: bool


class _Defect(Enum):
    INCOMPLETE = "incomplete"
    """The bytes end before the record does."""
    INVALID = "invalid"
    """The bytes are there and are no record of this epoch."""


class JournalReader:
    """The journal in `journal_dir`. Holds nothing between calls, so it may be used from several threads."""

    def __init__(self, journal_dir: Path) -> None:
        self.journal_dir = Path(journal_dir)

    def epochs(self) -> list[str]:
        """Every epoch, oldest first."""
        return epochs_of(self.journal_dir)

    def is_open(self, epoch: str) -> bool:
        """Whether a writer may still append to this epoch. Ask before reading to the end, not after."""
        try:
            fd = os.open(self.journal_dir / epoch, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def read(
        self, epoch: str, position: Position = START, max_records: int = BATCH_RECORDS, *, closed: bool = False
    ) -> Batch:
        """The whole records after `position`, at most `max_records`. `closed` says that nobody writes any more: a
        record cut off at the very end is then searched for others behind it."""
        return Batch(*self.walk(_whole, epoch, position, max_records, closed=closed))

    def walk(
        self, run_of: Run, epoch: str, position: Position, max_records: int, *, closed: bool
    ) -> tuple[list[Any], Position, list[Damage], bool]:
        """As `read`, of what `run_of` makes of records: one that is none of its kind is a Record."""
        pass_ = _Pass(self.journal_dir, epoch, position, closed, run_of)
        more = pass_.run(max_records)
        return pass_.records, pass_.position, pass_.damage, more

    def records(self, epoch: str, position: Position = START) -> Iterator[Record]:
        """Every whole record of one epoch that is there now. Damage is passed over; `read` names it."""
        while True:
            batch = self.read(epoch, position)
            yield from batch.records
            position = batch.position
            if not batch.more:
                return


class _Pass:
    """One walk over one epoch's segments from a position."""

    def __init__(self, journal_dir: Path, epoch: str, position: Position, closed: bool, run_of: Run) -> None:
        self.journal_dir = journal_dir
        self.run_of = run_of
        self.epoch = epoch
        self.number = epoch_number(epoch)
        self.closed = closed
        self.records: list[Any] = []
        self.damage: list[Damage] = []
        # Before any byte is read: a segment is complete if its successor already exists now.
        self.segments = segments_of(journal_dir, epoch)
        self.position = self._at_existing(position)

    def run(self, max_records: int) -> bool:
        """Collect records; True when `max_records` stopped it."""
        while self.position.segment:
            if len(self.records) >= max_records:
                return True
            if self._read_segment(max_records):
                continue
            following = [segment for segment in self.segments if segment > self.position.segment]
            if not following or not self._leave_segment(following[0], last=len(following) == 1):
                return False
        return False

    def _at_existing(self, position: Position) -> Position:
        """The position itself, or the start of the oldest segment left when its own has been deleted since."""
        segment, _, sequence = position
        if segment in self.segments:
            return position
        later = [other for other in self.segments if other > segment]
        if not later:
            return position if segment else START
        if segment == 0 and later[0] > 1:  # a new consumer: what was deleted before its time is not missing
            first = _first_record(self._path(later[0]), self.number)
            if first is _Defect.INCOMPLETE:
                return START
            sequence = first.sequence - 1 if isinstance(first, Record) else 0
        return Position(later[0], 0, sequence)

    def _path(self, segment: int) -> Path:
        return segment_path(self.journal_dir, self.epoch, segment)

    def _note(self, offset: int, reason: str) -> None:
        segment = self.position.segment
        self.damage.append(Damage(self._path(segment), segment, offset, reason))

    def _read_segment(self, max_records: int) -> bool:
        """Read on in the current segment. True when it may hold more than was taken."""
        segment, offset, sequence = self.position
        try:
            fd = os.open(self._path(segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            size = os.fstat(fd).st_size
            first = min(READ_BYTES, (max_records - len(self.records)) * RECORD_BYTES, max(size - offset, 0))
            window, at = os.pread(fd, first, offset), 0
            while len(self.records) < max_records:
                room = max_records - len(self.records)
                found, at = self.run_of(window, at, self.number, sequence, segment, offset, room)
                if found:
                    self.records.extend(found)
                    sequence += len(found)
                    continue
                record = _parse(window, at, self.number, segment, offset)
                if isinstance(record, Record):
                    if record.sequence != sequence + 1:
                        self._note(offset + at, f"record {record.sequence} follows record {sequence}")
                    sequence = record.sequence
                    self.records.append(record)
                    at += FRAME_BYTES + len(record.body)
                elif (at or len(window) < READ_BYTES) and offset + len(window) < size:
                    # Look at all of it before it is judged.
                    offset += at
                    window, at = os.pread(fd, READ_BYTES, offset), 0
                else:
                    after = self._after_broken(window, at, sequence) if record is _Defect.INVALID else 0
                    if not after:
                        self._stop(window[at:], offset + at, sequence, record)
                        return False
                    sequence += 1
                    self._note(offset + at, f"record {sequence} has a wrong checksum; it is lost")
                    at = after
            self.position = Position(segment, offset + at, sequence)
            return True
        finally:
            os.close(fd)

    def _stop(self, rest: bytes, offset: int, sequence: int, defect: _Defect) -> None:
        """The segment gives no more from `offset` on, where `rest` stands: a tail that is being written, or damage."""
        self.position = Position(self.position.segment, offset, sequence)
        newest = self.position.segment == self.segments[-1]
        if defect is _Defect.INVALID and not (newest and not rest.strip(b"\0")):
            # Zeros at the end are what a power cut leaves of a record, as good as cut off.
            self._note(offset, f"no record after number {sequence}; the rest of the segment cannot be read")
        elif self.closed and newest and self._hides_records(rest, sequence):
            self._note(offset, f"record {sequence + 1} hides whole records behind it; the rest cannot be read")

    def _after_broken(self, window: bytes, at: int, sequence: int) -> int:
        """Where the record after a broken one starts, if that one's length was right; else 0."""
        length: int = LEAD.unpack_from(window, at)[0]
        after = at + LEAD.size + length
        follower = _parse(window, after, self.number) if length <= _MAX_LENGTH else None
        return after if isinstance(follower, Record) and follower.sequence == sequence + 2 else 0

    def _hides_records(self, rest: bytes, sequence: int) -> bool:
        """Whether a whole, later record lies in what looks like one record cut off: its length must be damaged."""
        mark = self.number.to_bytes(8, "little")
        found = rest.find(mark, FRAME_BYTES)
        while found >= 0:
            record = _parse(rest, found - (FRAME_BYTES - 16), self.number)
            if isinstance(record, Record) and record.sequence > sequence:
                return True
            found = rest.find(mark, found + 1)
        return False

    def _leave_segment(self, successor: int, *, last: bool) -> bool:
        """Go on to the next segment. What is cut off here and was written there again is not missed, so this waits
        until the newest segment has a first record to judge by."""
        _, offset, sequence = self.position
        first = _first_record(self._path(successor), self.number)
        if isinstance(first, Record):
            if first.sequence != sequence + 1:
                self._note(offset, f"record {first.sequence} follows record {sequence}")
            sequence = first.sequence - 1
        elif last and first is _Defect.INCOMPLETE and not self.closed:
            return False
        self.position = Position(successor, 0, sequence)
        return True


def _parse(window: bytes, at: int, epoch: int, segment: int = 0, base: int = 0) -> Record | _Defect:
    """The record at `at` of a window that starts at byte `base` of its segment, or why there is none."""
    if len(window) - at < FRAME_BYTES:
        return _Defect.INCOMPLETE
    length, checksum, version, kind, node, of_epoch, sequence = FRAME.unpack_from(window, at)
    if of_epoch != epoch or not _MIN_LENGTH <= length <= _MAX_LENGTH:
        return _Defect.INVALID
    start = at + LEAD.size
    if len(window) - start < length:
        return _Defect.INCOMPLETE
    stamped = window[start : start + length]
    if crc32c(stamped) != checksum:
        return _Defect.INVALID
    return Record(segment, base + at, version, kind, node, sequence, stamped[_MIN_LENGTH:])


def body_at(journal_dir: Path, epoch: str, segment: int, offset: int) -> bytes | None:
    """The body of the one record that a consumer remembers the place of, or None when it is no longer whole there."""
    try:
        fd = os.open(segment_path(journal_dir, epoch, segment), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        window = os.pread(fd, GLANCE_BYTES, offset)
        length = LEAD.unpack_from(window)[0] if len(window) >= LEAD.size else 0
        if length + LEAD.size > len(window) and length <= _MAX_LENGTH:
            window = os.pread(fd, length + LEAD.size, offset)
    finally:
        os.close(fd)
    record = _parse(window, 0, epoch_number(epoch))
    return record.body if isinstance(record, Record) else None


def _first_record(path: Path, epoch: int) -> Record | _Defect:
    try:
        with path.open("rb", buffering=0) as file:
            return _parse(file.read(_MAX_LENGTH + LEAD.size), 0, epoch)
    except FileNotFoundError:
        return _Defect.INCOMPLETE
