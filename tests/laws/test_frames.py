"""Laws of the frames: any split says what the slow reader of the whole says; what is written, AWS's own library reads;
no damage passes unseen."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from botocore.eventstream import EventStreamBuffer, EventStreamMessage
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.frames import FrameReader, FrameWriter
from fastgate._core.octets import checksum
from tests.model import frames as model
from tests.model.sse import scan
from tests.support.wire import CUTS, TEXT, cut, data_of, lend, streams

NAMES = st.sampled_from([
    b":message-type", b":event-type", b":exception-type", b":error-code", b":error-message", b":date", b"x" * 255,
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from([b"event", b"chunk", b"exception", b"error", b"throttlingException", b"modelTimeoutException"]),
    st.binary(max_size=30),
)
FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


@st.composite
def odd_frames(draw: st.DrawFn) -> bytes:
    """A well-formed frame with any headers and any payload, often nearly one of Bedrock's."""
    headers = []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from([7, 7, 7, 7, 6, *FIXED]))
        value = draw(VALUES) if kind in (6, 7) else bytes(FIXED[kind])
        headers.append((draw(NAMES), kind, value))
    payload = draw(st.one_of(
        st.binary(max_size=40), TEXT.map(lambda text: json.dumps({"message": text}).encode()),
        st.binary(max_size=20).map(lambda data: json.dumps({"bytes": base64.b64encode(data).decode()}).encode()),
        st.text("AQgw=+/", max_size=9).map(lambda text: json.dumps({"bytes": text}).encode()),
    ))  # fmt: skip
    return model.frame(headers, payload)


EVENTS = st.sampled_from(["message_start", "content_block_delta", "ping", "message_stop"]).flatmap(data_of)
FRAMES = st.one_of(
    EVENTS.filter(bool).map(model.chunk),
    EVENTS.filter(bool).map(model.chunk),
    st.tuples(st.sampled_from([code.decode() for code in model.ERRORS] + ["newException"]), TEXT).map(
        lambda pair: model.exception(*pair)
    ),
    odd_frames(),
)
FRAME_STREAMS = st.lists(FRAMES, max_size=6).map(b"".join)


def read(chunks: list[bytes]) -> tuple[bytes, bool, int]:
    reader = FrameReader.of()
    out = b"".join(lend(reader.feed, chunk) for chunk in chunks)
    return out, reader.broken, reader.frames


@given(FRAME_STREAMS, CUTS)
def test_any_split_says_what_the_slow_reader_says(stream: bytes, cuts: list[int]) -> None:
    out, broken, count, _ = model.events(stream)
    assert read([stream]) == (out, broken, count)
    assert read(cut(stream, cuts)) == (out, broken, count)


@given(FRAME_STREAMS.filter(bool), st.integers(0, 1 << 30), st.integers(1, 255), CUTS)
def test_no_damaged_byte_passes(stream: bytes, place: int, change: int, cuts: list[int]) -> None:
    """One byte changed: what is handed out is the beginning of what was meant, and the stream is broken."""
    at = place % len(stream)
    damaged = stream[:at] + bytes([stream[at] ^ change]) + stream[at + 1 :]
    whole, was_broken, count, _ = model.events(stream)
    out, broken, read_count = read(cut(damaged, cuts))
    assert whole.startswith(out)
    assert broken
    assert read_count < count or was_broken


@given(streams(), CUTS)
@example(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"M \\" \\u00e9"}}\n\n', [9])
def test_what_is_written_botocore_reads(stream: bytes, cuts: list[int]) -> None:
    writer = FrameWriter.of()
    written = b"".join(lend(writer.feed, chunk) for chunk in cut(stream, cuts))
    assert said_by_botocore(written) == model.frames(stream)


@given(st.lists(EVENTS.filter(bool).map(model.chunk), max_size=4).map(b"".join), CUTS)
def test_botocore_reads_the_frames_of_the_model_alike(stream: bytes, cuts: list[int]) -> None:
    """The model's writer, and so the whole suite's idea of a frame, is AWS's own."""
    said = said_by_botocore(stream)
    lines = [data.replace(b"\n", b" ").replace(b"\r", b" ") for _, data in said]
    out, broken, _ = read(cut(stream, cuts))
    assert not broken
    assert [data for _, data in scan(out, 1 << 26).events] == lines


def said_by_botocore(stream: bytes) -> list[tuple[str, bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [said(message) for message in buffer]


def said(message: EventStreamMessage) -> tuple[str, bytes]:
    headers: dict[str, Any] = message.headers
    assert headers[":content-type"] == "application/json"
    if headers[":message-type"] == "exception":
        raw = message.payload
        assert raw.startswith(b'{"message":"') and raw.endswith(b'"}')
        return headers[":exception-type"], raw[12:-2]
    assert headers[":event-type"] == "chunk"
    return "chunk", base64.b64decode(json.loads(message.payload)["bytes"])


@given(st.binary(max_size=200), st.integers(0, 200))
def test_the_checksum_is_zlibs_in_any_two_parts(data: bytes, at: int) -> None:
    assert checksum(data[at:], checksum(data[:at])) == model.zlib.crc32(data)


def test_lengths_past_the_limit_are_refused_at_the_prelude() -> None:
    reader = FrameReader.of()
    prelude = struct.pack(">II", 25 * 1024 * 1024, 0)
    assert reader.feed(prelude + struct.pack(">I", model.zlib.crc32(prelude))) == b""
    assert reader.broken
    assert reader.feed(model.chunk(b"{}")) == b""


def test_a_frame_of_many_megabytes_passes() -> None:
    data = b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"' + b"x" * 9_000_000 + b'"}}'
    stream = model.chunk(data) + model.chunk(b'{"type":"message_stop"}')
    out, broken, count = read([stream[at : at + 262144] for at in range(0, len(stream), 262144)])
    assert (broken, count) == (False, 2)
    assert (
        out == b'event: content_block_delta\ndata: %b\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n' % data
    )
