"""A stored answer: what it says of itself, its body, and the bytes that both are kept as.

    magic 4 | CRC-32 of the rest 4 | length of the head 4 | head, MessagePack | body | pace

The pace of a stream is two numbers of 4 bytes a piece: how long it is, and how many milliseconds after the one before
it came. The checksum is over everything after it, so a torn or rotten entry is noticed before it is served. Knows no
store.
"""

from __future__ import annotations

import zlib
from array import array
from itertools import accumulate, pairwise
from typing import Any, Literal

import msgspec

from fastgate._core.usage import Usage

MAGIC, PACED = b"FGC1", b"FGC2"
"""Of an entry without a pace, and with one: who knows no pace would take it for the end of the body."""

FIXED = 12
"""Bytes before the head."""

PIECE_BYTES = 8
"""Of the pace, for each piece of a stream."""

HEAD_MAX = 64 * 1024
"""Longest head that is believed: ids, a scope and a few numbers."""

Form = Literal["events", "message"]
"""How the provider answered, and the body is kept: the bytes of a stream, or one JSON document."""

FLAGS = ("fast", "us_geo", "priority", "other_model")
"""What of the usage changes its price, as bits."""


Blob = bytes | memoryview


class EntryError(ValueError):
    """Bytes that are no entry, or a damaged one."""


class Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything about a stored answer but its body. Times are UTC nanoseconds."""

    proof: bytes
    """SHA-256 of the request's key: must agree before the answer is served."""
    scope: tuple[str, ...]
    org: str
    team: str
    user: str
    key: str
    """Whose call it was that was answered; purges go by them."""
    namespace: str
    route: str
    form: Form
    model: str
    endpoint: str
    provider: str
    call_id: str
    started_ns: int
    """When that call began: a purge forgets what began before it."""
    expires_ns: int
    cost_nano: int
    tokens: tuple[int, int, int, int, int]
    """input, output, cache write 5 m, cache write 1 h, cache read."""
    flags: int
    stop_reason: str
    request_id: str = ""
    kind: str = "exact"
    pace_bytes: int = 0
    """Of the blob, behind the body."""


class Entry(msgspec.Struct, gc=False):
    """A stored answer, in memory. Head and body never change; the rest is what a worker has found out about them."""

    head: Head
    body: bytes
    pace: bytes = b""
    worth: tuple[object, int] | None = None
    """The price book that was asked last, and what the answer would cost by it, in nano-dollars."""
    passed: tuple[object, object, str] | None = None
    """The terms, and the form, under which rules for answers had nothing to say of it (call.Tap)."""

    @property
    def size(self) -> int:
        return len(self.body) + len(self.pace) + ENTRY_BYTES


ENTRY_BYTES = 1024
"""What an entry weighs in memory beside its body: the head's strings and the tables that hold it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


def pack(entry: Entry) -> bytes:
    head = _encode(entry.head)
    rest = b"%b%b%b%b" % (len(head).to_bytes(4, "little"), head, entry.body, entry.pace)
    checksum = zlib.crc32(rest)
    return (PACED if entry.pace else MAGIC) + checksum.to_bytes(4, "little") + rest


def unpack(blob: Blob) -> Entry:
    """The entry that these bytes are, its body copied. Raises EntryError for any others."""
    view = memoryview(blob)
    if len(view) < FIXED or view[:4] not in (MAGIC, PACED):
        raise EntryError("not an entry")
    if zlib.crc32(view[8:]) != int.from_bytes(view[4:8], "little"):
        raise EntryError("damaged")
    head, start = unpack_head(view), FIXED + int.from_bytes(view[8:12], "little")
    end = len(view) - head.pace_bytes
    if not start <= end <= len(view) or head.pace_bytes % PIECE_BYTES or bool(head.pace_bytes) != (view[:4] == PACED):
        raise EntryError("a pace that cannot be read")
    return Entry(head, bytes(view[start:end]), bytes(view[end:]))


def pace_of(pieces: list[bytes], at_ns: list[int]) -> bytes:
    """The pace of a stream whose pieces came at these times."""
    gaps = [0, *((later - earlier) // 1_000_000 for earlier, later in pairwise(at_ns))]
    numbers = (number for piece, gap in zip(pieces, gaps, strict=True) for number in (len(piece), gap))
    return array("I", numbers).tobytes()


def pieces_of(entry: Entry) -> list[tuple[int, int]]:
    """The pace of a stored stream: where each piece ends in the body, and how many milliseconds after the first it
    came."""
    numbers = array("I", entry.pace)
    ends, times = accumulate(numbers[::2]), accumulate(numbers[1::2])
    return list(zip(ends, times, strict=True))


def unpack_head(blob: Blob) -> Head:
    """The head alone, from at least the first FIXED + HEAD_MAX bytes; unchecked. Raises EntryError."""
    size = int.from_bytes(blob[8:12], "little")
    if blob[:4] not in (MAGIC, PACED) or size > HEAD_MAX or len(blob) < FIXED + size:
        raise EntryError("not an entry")
    try:
        return _decode(blob[FIXED : FIXED + size])
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise EntryError("a head that cannot be read") from None


def usage_fields(usage: Usage | None) -> dict[str, Any]:
    """`tokens` and `flags` of a head."""
    if usage is None:
        return {"tokens": (0, 0, 0, 0, 0), "flags": 0}
    tokens = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
    )
    return {"tokens": tokens, "flags": sum(1 << n for n, name in enumerate(FLAGS) if getattr(usage, name))}


def usage_of(head: Head) -> Usage:
    """What the stored answer's call used."""
    names = ("input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    tokens: dict[str, Any] = dict(zip(names, head.tokens, strict=True))
    return Usage.of(**tokens, **{name: bool(head.flags >> n & 1) for n, name in enumerate(FLAGS)})
