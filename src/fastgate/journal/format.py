"""The journal's bytes and names: epochs, call ids, segment files, record framing, positions.

Owns the format. Knows nothing of what a record's body means, nor of who writes or reads it.

A journal is a directory with one folder an epoch (one life of one worker) and numbered segments in it. A segment is
a run of records, little-endian:

    u32 length   bytes after the CRC, 20 + body
    u32 crc      CRC32C of all that follows
    u8 version   u8 kind   u16 node   u64 epoch   u64 sequence   body

Sequences count from 1 in each epoch and never skip, so what is missing can be named.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from fastgate.clock import wall_ns

VERSION = 1

KIND_CALL = 1
"""Body: a fastgate.record.CallRecord as MessagePack."""

LEAD = struct.Struct("<II")
STAMP = struct.Struct("<BBHQQ")
FRAME = struct.Struct("<IIBBHQQ")
FRAME_BYTES = FRAME.size

MAX_BODY_BYTES = 1024 * 1024
"""A record of 10,000 tool names of 64 bytes fits. A larger length on disk is damage, not a record to wait for."""

SEGMENT_BYTES = 64 * 1024 * 1024
"""About 90,000 calls: small enough to delete by the day, large enough that rotation costs nothing."""

SEGMENT_SUFFIX = ".fgj"

EPOCH_CHARS = 12
_EPOCH_RANDOM_BITS = 12
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGIT = {char: value for value, char in enumerate(_CROCKFORD)}

CALL_ID_PREFIX = "fg-"


class Position(NamedTuple):
    """How far one consumer has read one epoch: the next record starts at `offset` of `segment`; `sequence` is that of
    the record before it, 0 if there is none."""

    segment: int
    offset: int
    sequence: int


START = Position(0, 0, 0)


class Record(NamedTuple):
    """One whole record with a right checksum, and where it stands. `version` may be newer than this code."""

    segment: int
    offset: int
    version: int
    kind: int
    node: int
    sequence: int
    body: bytes


class Damage(NamedTuple):
    """Bytes that should have been records and are not. Everything before and after them was read where possible."""

    path: Path
    segment: int
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path} at byte {self.offset}: {self.reason}"


def new_epoch() -> str:
    """Time-ordered name of one life of a worker: 48 bits of milliseconds, 12 random bits, Crockford base32."""
    noise = int.from_bytes(os.urandom(2), "big") >> (16 - _EPOCH_RANDOM_BITS)
    return epoch_text((wall_ns() // 1_000_000) << _EPOCH_RANDOM_BITS | noise)


def epoch_text(number: int) -> str:
    """The twelve characters of a 60-bit epoch."""
    if not 0 <= number < 1 << 5 * EPOCH_CHARS:
        raise ValueError(f"{number} is not a 60-bit epoch")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(5 * (EPOCH_CHARS - 1), -1, -5))


def epoch_number(text: str) -> int:
    """The 60-bit integer behind an epoch's twelve characters. ValueError if they are not one."""
    number = 0
    if len(text) != EPOCH_CHARS:
        raise ValueError(f"{text!r} is not an epoch")
    for char in text:
        digit = _DIGIT.get(char)
        if digit is None:
            raise ValueError(f"{text!r} is not an epoch")
        number = number << 5 | digit
    return number


def is_epoch(text: str) -> bool:
    return len(text) == EPOCH_CHARS and all(char in _DIGIT for char in text)


def call_id(epoch: str, n: int) -> str:
    """The id of call number `n` (from 1) of the worker life `epoch`."""
    return f"{CALL_ID_PREFIX}{epoch}-{n}"


def call_number(text: str) -> tuple[str, int]:
    """The worker's life and the number, of 63 bits, behind a call's id. ValueError if it is not one."""
    _, epoch, n = text.split("-")
    if call_id(epoch, number := int(n)) != text or number >= 1 << 63:
        raise ValueError(f"{text!r} is no call's id")
    return epoch, number


def segment_path(journal_dir: Path, epoch: str, segment: int) -> Path:
    return journal_dir / epoch / f"{segment:08d}{SEGMENT_SUFFIX}"


def segments_of(journal_dir: Path, epoch: str) -> list[int]:
    """The numbers of an epoch's segments, ascending; empty when there is no such epoch."""
    try:
        names = os.listdir(journal_dir / epoch)
    except FileNotFoundError:
        return []
    stems = (name[: -len(SEGMENT_SUFFIX)] for name in names if name.endswith(SEGMENT_SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())


def epochs_of(journal_dir: Path) -> list[str]:
    """Every epoch that has a folder, oldest first."""
    try:
        names = os.listdir(journal_dir)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if is_epoch(name))
