"""What is remembered of an answered question beside its answer: whose it is, its text, where the answer lies.

Notes and verdicts are one log that every worker of a tenant's machine follows; its rows carry a checksum. The answer
itself is an entry of the exact cache, found and proven by the note: where that is gone, the note answers nothing.
"""

from __future__ import annotations

import zlib

import msgspec

from fastgate.caching.key import Scope

MAGIC = b"FGN1"
FIXED = 8
"""Magic and CRC-32 of the rest."""


class Note(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    """One question and where its answer is. Times are UTC nanoseconds."""

    scope: Scope
    namespace: str
    partition: bytes
    """SHA-256 over everything of the request but its last text, and under which rules it was answered."""
    text: str
    embedder: str
    vector: bytes
    """Half floats."""
    find: bytes
    proof: bytes
    org: str
    team: str
    user: str
    key: str
    model: str
    started_ns: int
    expires_ns: int


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=2):
    """What came of comparing an answer that would have been given with the one that was bought instead."""

    scope: Scope
    namespace: str
    partition: bytes
    org: str
    team: str
    user: str
    key: str
    model: str
    started_ns: int
    similarity: float
    agreed: bool
    embedder: str = ""
    """Whose similarity it is."""


Row = Note | Verdict

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode


def pack(row: Row) -> bytes:
    body = _encode(row)
    return MAGIC + zlib.crc32(body).to_bytes(4, "little") + body


def unpack(blob: bytes | memoryview) -> Row | None:
    """The row; None for bytes that are none, or are damaged."""
    view = memoryview(blob)
    if view[:4] != MAGIC or zlib.crc32(view[FIXED:]) != int.from_bytes(view[4:FIXED], "little"):
        return None
    try:
        row: Row = _decode(view[FIXED:])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return row
