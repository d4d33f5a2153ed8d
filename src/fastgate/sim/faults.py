"""From one answer and one behaviour to the exact bytes on the wire, with their delays: every fault is put in here.

Each fault is a step over an iterator of pieces (events → faulty events → framed → cut → slowed), so that faults combine
and a 50 MB stream is never held. Pure: no socket, no clock.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Literal

import msgspec

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.dialects import Dialect, refusal
from fastgate.sim.render import Event, sse
from fastgate.sim.wire import EARLY_HINTS, PROVIDER_HEADERS, Headers, chunk, error_body, head

End = Literal["keep", "close", "fin", "rst"]
"""keep, close: a complete answer. fin, rst: the socket goes before the answer is complete."""

COMMENTS_MAX = 200_000
"""`garbage=comments` is endless to any client with a deadline, yet ends: at a millisecond each, after 200 s."""

COMMENT_GAP_S = 0.001

SLOW_STEP_S = 0.05
"""A trickle is sent in slices of this length."""

NOT_UTF8 = b"\xff\xfe\x80 \xc3\x28"

GARBAGE_EVENTS = {
    "binary": bytes(range(256)) + b"\n\n",
    "text": b"this line is no event\nneither: is this one\n\n",
    "utf8": sse("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "@"}}).replace(
        b"@", NOT_UTF8
    ),
    "json": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type"\n\n',
}

GARBAGE_BODIES = {
    "binary": bytes(range(256)),
    "text": b"this is no JSON",
    "utf8": b'{"type":"message","content":[{"type":"text","text":"' + NOT_UTF8 + b'"}]}',
    "json": b'{"type":"message","content":[{"type":"text",',
}

HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"


class Piece(msgspec.Struct, frozen=True):
    """Bytes for one write after `delay_s`, and what the client has been told in full once they are out."""

    data: bytes
    delay_s: float = 0.0
    output_bytes: int = 0
    events: int = 0


class Plan(msgspec.Struct):
    """The whole answer. `pieces` is read once."""

    pieces: Iterator[Piece]
    end: End
    status: int
    complete: bool
    """Nothing is missing from the answer that the provider meant to give."""


def plan_stream(
    events: Iterator[Event], behaviour: Behaviour, request_id: str, frame: Callable[[bytes], bytes] | None = None
) -> Plan:
    """The answer to `stream: true`; with `frame`, as the frames of Bedrock's stream."""
    if behaviour.garbage == "html":
        return plan_whole(HTML, behaviour, request_id, content_type="text/html")
    pieces = _broken(_numbered(events), behaviour, request_id, frame)
    framing = behaviour.framing or "chunked"
    kind = "text/event-stream; charset=utf-8" if frame is None else "application/vnd.amazon.eventstream"
    headers = [("content-type", behaviour.content_type or kind)]
    headers += [("cache-control", "no-cache")]
    if framing == "length":
        held = list(pieces)
        size = sum(len(piece.data) for piece in held)
        return _plan(iter(held), behaviour, request_id, headers, framing, size)
    return _plan(pieces, behaviour, request_id, headers, framing, 0)


def plan_whole(
    body: bytes,
    behaviour: Behaviour,
    request_id: str,
    *,
    content_type: str = "application/json",
    output_bytes: int = 0,
    dialect: Dialect = "anthropic",
) -> Plan:
    """A body in one piece: the answer to `stream: false`, an error, any other route."""
    if behaviour.body is not None:
        body = behaviour.body.encode()
    elif behaviour.status >= 400 and dialect != "anthropic":
        body = refusal(dialect, behaviour.status, behaviour.message or "Simulated error")
    elif behaviour.status >= 400:
        body = error_body(behaviour.status, behaviour.error_type, behaviour.message, request_id)
    elif behaviour.garbage:
        body = GARBAGE_BODIES.get(behaviour.garbage, HTML)
    if behaviour.gzip:
        body = gzip.compress(body)
    headers = [("content-type", behaviour.content_type or content_type)]
    piece = Piece(body, output_bytes=output_bytes, events=1)
    return _plan(iter([piece]), behaviour, request_id, headers, behaviour.framing or "length", len(body))


def _plan(
    pieces: Iterator[Piece], behaviour: Behaviour, request_id: str, headers: Headers, framing: str, size: int
) -> Plan:
    if behaviour.http == "1.0":
        framing = "close"
    headers = [*headers, ("request-id", request_id), *PROVIDER_HEADERS, *_asked_headers(behaviour)]
    if framing == "length":
        headers.append(("content-length", str(size)))
    elif framing == "chunked":
        headers.append(("transfer-encoding", "chunked"))
        pieces = _chunked(pieces, behaviour)
    closing = framing == "close" or behaviour.close
    if closing:
        headers.append(("connection", "close"))
    first = EARLY_HINTS * behaviour.interim + head(behaviour.status, headers, behaviour.http)
    pieces = chain([Piece(first, delay_s=behaviour.stall_head_s)], pieces)
    end: End = "close" if closing else "keep"
    if behaviour.cut in ("rst", "fin"):
        end = behaviour.cut
        if behaviour.cut_event < 0 or behaviour.cut_bytes >= 0:
            pieces = _cut_at_byte(pieces, max(0, behaviour.cut_bytes))
        elif framing == "length":
            pieces = _cut_at_byte(pieces, len(first) + size // 2)
    if behaviour.bytes_per_s > 0:
        pieces = _slowed(pieces, behaviour.bytes_per_s)
    complete = not behaviour.cut and behaviour.error_at < 0 and not behaviour.garbage
    return Plan(pieces, end, behaviour.status, complete)


def _asked_headers(behaviour: Behaviour) -> Headers:
    headers = list(behaviour.headers.items())
    named = {
        "retry-after": behaviour.retry_after,
        "x-should-retry": behaviour.should_retry,
        "location": behaviour.location,
        "content-encoding": "gzip" if behaviour.gzip else "",
        "trailer": "x-sim-trailer" if behaviour.trailers else "",
    }
    return headers + [(name, value) for name, value in named.items() if value]


def _numbered(events: Iterator[Event]) -> Iterator[Piece]:
    for number, event in enumerate(events, start=1):
        yield Piece(event.data, output_bytes=event.output_bytes, events=number)


def _broken(
    pieces: Iterator[Piece], behaviour: Behaviour, request_id: str, frame: Callable[[bytes], bytes] | None
) -> Iterator[Piece]:
    """The events with their delays, an error in place of one, garbage between two, or an early end."""
    squeeze = zlib.compressobj(wbits=31) if behaviour.gzip else None
    sent = 0
    clean_bytes = behaviour.cut_bytes if behaviour.cut == "clean" else -1
    for piece in _interrupted(pieces, behaviour, request_id):
        data = piece.data if frame is None else frame(piece.data)
        if clean_bytes >= 0:
            data = data[: clean_bytes - sent]
            sent += len(data)
            if not data:
                return
        if squeeze is not None:
            data = squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        yield msgspec.structs.replace(piece, data=data)
    if squeeze is not None:
        yield Piece(squeeze.flush())


def _interrupted(pieces: Iterator[Piece], behaviour: Behaviour, request_id: str) -> Iterator[Piece]:
    output_bytes = 0
    for number, piece in enumerate(pieces):
        delay_s = behaviour.gap_ms / 1000 if number else behaviour.stall_first_s
        if number == behaviour.stall_at:
            delay_s += behaviour.stall_s
        if number == behaviour.cut_event:
            return
        if number == behaviour.error_at:
            error = error_body(529, behaviour.error_type, behaviour.message, request_id)
            yield Piece(b"event: error\ndata: %b\n\n" % error, delay_s, output_bytes, number)
            return
        if number == behaviour.garbage_at and behaviour.garbage:
            yield from _garbage(piece, behaviour.garbage, output_bytes)
            if behaviour.garbage in ("comments", "unterminated"):
                return
        output_bytes = piece.output_bytes
        yield msgspec.structs.replace(piece, delay_s=delay_s)


def _garbage(piece: Piece, kind: str, output_bytes: int) -> Iterator[Piece]:
    if kind == "comments":
        for _ in range(COMMENTS_MAX):
            yield Piece(b": still here\n\n", COMMENT_GAP_S, output_bytes, piece.events - 1)
    elif kind == "unterminated":
        yield Piece(piece.data.rstrip(b"\n"), 0.0, output_bytes, piece.events - 1)
    elif kind in GARBAGE_EVENTS:
        yield Piece(GARBAGE_EVENTS[kind], 0.0, output_bytes, piece.events - 1)


def _chunked(pieces: Iterator[Piece], behaviour: Behaviour) -> Iterator[Piece]:
    last = Piece(b"")
    for number, piece in enumerate(pieces):
        if behaviour.garbage == "chunk" and number == behaviour.garbage_at:
            yield msgspec.structs.replace(last, data=b"zz\r\nno chunk\r\n", delay_s=0.0)
            return
        last = piece
        if piece.data:
            yield msgspec.structs.replace(piece, data=chunk(piece.data))
    if behaviour.cut in ("rst", "fin") and behaviour.cut_event >= 0:
        return
    trailer = b"x-sim-trailer: yes\r\n" if behaviour.trailers else b""
    yield msgspec.structs.replace(last, data=b"0\r\n%b\r\n" % trailer, delay_s=0.0)


def _cut_at_byte(pieces: Iterator[Piece], size: int) -> Iterator[Piece]:
    """The first `size` bytes of the answer. A piece that is not out whole has told the client nothing in full."""
    before = Piece(b"")
    for piece in pieces:
        if len(piece.data) > size:
            yield Piece(piece.data[:size], piece.delay_s, before.output_bytes, before.events)
            return
        yield piece
        before, size = piece, size - len(piece.data)


def _slowed(pieces: Iterator[Piece], bytes_per_s: float) -> Iterator[Piece]:
    step = max(1, int(bytes_per_s * SLOW_STEP_S))
    pause_s = step / bytes_per_s
    before = Piece(b"")
    for piece in pieces:
        slices = [piece.data[at : at + step] for at in range(0, len(piece.data), step)]
        for number, data in enumerate(slices):
            told = piece if number == len(slices) - 1 else before
            delay_s = pause_s + (piece.delay_s if number == 0 else 0.0)
            yield Piece(data, delay_s, told.output_bytes, told.events)
        before = piece
