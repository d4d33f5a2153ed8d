"""Laws of the meter: any split of the bytes says the same, and says what the slow reader of the whole says; what the
model wrote cannot pass for usage; usage is cumulative and never silently zero."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.meter import BYTES_PER_TOKEN_FLOOR, Meter
from fastgate._core.sse import Scanner
from fastgate._core.usage import Usage
from tests.model import json_text
from tests.model import meter as model
from tests.model.sse import scan
from tests.model.usage import Usage as ModelUsage
from tests.support.wire import CUTS, MESSAGES, TEXT, USAGE, VALUES, cut, lend, spell, streams

NOISE = st.lists(
    st.sampled_from([
        b"\n", b"\r", b"\r\n", b":", b" ", b"data", b"data:", b"data: ", b"event:", b"event: ", b"{}", b"\xef", b"\xbb",
        b"\xbf", b"id: 1", b"x", b"message_stop", b'{"type":"ping"}', b"\x00", b"y" * 70,
    ]),
    max_size=30,
).map(b"".join)  # fmt: skip


def shown_usage(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in ModelUsage().shown()}


def shown(meter: Meter) -> dict[str, Any]:
    fields = {name: getattr(meter, name) for name in model.Meter().shown() if name != "usage"}
    return {"usage": shown_usage(meter.usage), **fields}


def metered(chunks: list[bytes], limit: int = 1 << 26) -> Meter:
    meter = Meter.of(stream=True, limit=limit)
    for chunk in chunks:
        lend(meter.feed_bytes, chunk)
    return meter


@given(streams(), CUTS)
@example(b"\xef\xbb\xbfdata: {}\r\n\r\n", list(range(20)))
def test_any_split_says_what_the_slow_reader_says(stream: bytes, cuts: list[int]) -> None:
    expected = model.read_stream(stream)
    assert shown(metered([stream])) == expected.shown()
    assert shown(metered(cut(stream, cuts))) == expected.shown()
    floor = shown_usage(metered([stream]).floor())
    assert floor == expected.usage.shown() | {"output_tokens": expected.floor_output()}


@given(streams())
def test_byte_by_byte_says_the_same(stream: bytes) -> None:
    assert shown(metered([stream[i : i + 1] for i in range(len(stream))])) == shown(metered([stream]))


@given(st.one_of(NOISE, streams()), CUTS, st.sampled_from([1, 3, 10, 40, 1 << 20]))
def test_scanner_finds_the_events_of_any_bytes(stream: bytes, cuts: list[int], limit: int) -> None:
    scanner = Scanner.of(limit)
    events: list[tuple[bytes, bytes]] = []
    fed = b""
    for chunk in cut(stream, cuts):
        events += lend(scanner.feed_bytes, chunk)
        fed += chunk
        assert scanner.at_boundary == scan(fed, limit).at_boundary
    expected = scan(stream, limit)
    assert (events, scanner.oversize) == (expected.events, expected.oversize)


@given(st.binary(max_size=300), CUTS)
def test_garbage_is_read_without_harm(stream: bytes, cuts: list[int]) -> None:
    assert shown(metered(cut(stream, cuts))) == model.read_stream(stream).shown()


@given(streams(), CUTS, st.integers(5, 200))
def test_dropping_what_is_too_large_depends_on_the_bytes_alone(stream: bytes, cuts: list[int], limit: int) -> None:
    assert shown(metered(cut(stream, cuts), limit)) == model.read_stream(stream, limit).shown()


@given(st.lists(st.tuples(USAGE, st.booleans(), st.randoms()), max_size=4))
def test_merge_of_usage_is_the_models(objects: list[tuple[Any, bool, Any]]) -> None:
    usage, expected = Usage.of(seen=False, final=False), ModelUsage()
    for value, final, style in objects:
        data = spell(value, style).encode()
        usage.take(data, final=final)
        expected.merge(json_text.read(data, depth_limit=256), final=final)
        assert shown_usage(usage) == expected.shown()
        assert all(count >= 0 for count in shown_usage(usage).values())


@given(USAGE, st.lists(USAGE, max_size=3), st.randoms())
def test_usage_is_cumulative(last: Any, before: list[Any], style: Any) -> None:
    """Said once or ten times, the same is said; and fields that the last object states do not depend on what came."""
    usage, again, alone = (Usage.of(seen=False, final=False) for _ in range(3))
    for value in [*before, last]:
        usage.take(json.dumps(value).encode(), final=True)
    for value in [*before, *[last] * 10]:
        again.take(json.dumps(value).encode(), final=True)
    alone.take(json.dumps(last).encode(), final=True)
    assert usage == again
    if not alone.malformed and not usage.malformed and "iterations" in last and "output_tokens" in last:
        assert usage.output_tokens == alone.output_tokens or last["output_tokens"] is None or last["iterations"] is None


@given(st.lists(st.tuples(st.sampled_from(["text", "thinking", "partial_json", "content"]), TEXT)), CUTS, st.booleans())
def test_nothing_written_passes_for_usage(written: list[tuple[str, str]], cuts: list[int], ascii_only: bool) -> None:
    def event(kind: str, **members: Any) -> bytes:
        data = json.dumps({"type": kind, **members}, ensure_ascii=ascii_only)
        return f"event: {kind}\ndata: {data}\n\n".encode()

    start = event("message_start", message={"model": "m", "usage": {"input_tokens": 7, "output_tokens": 1}})
    deltas = [event("content_block_delta", delta={"type": "a_delta", key: text}) for key, text in written]
    end = event("message_delta", delta={"usage": 1}, usage={"output_tokens": 9})
    meter = metered(cut(b"".join([start, *deltas, end]), cuts))
    assert meter.usage == Usage.of(input_tokens=7, output_tokens=9)
    assert meter.output_bytes == sum(len(text.encode()) for _, text in written)
    assert (meter.model, meter.stopped, meter.errored, meter.events) == ("m", False, False, len(written) + 2)


@given(st.lists(TEXT))
def test_the_floor_is_at_least_what_was_written(texts: list[str]) -> None:
    events = [json.dumps({"type": "content_block_delta", "delta": {"text": text}}) for text in texts]
    meter = metered(["".join(f"data: {event}\n\n" for event in events).encode()])
    assert meter.floor().output_tokens * BYTES_PER_TOKEN_FLOOR >= sum(len(text.encode()) for text in texts)
    assert meter.usage.output_tokens == 0 and not meter.floor().final


@given(st.one_of(MESSAGES, VALUES, st.fixed_dictionaries({"type": st.just("error"), "error": VALUES})), st.randoms())
def test_a_body_says_what_the_slow_reader_says(value: Any, style: Any) -> None:
    body = spell(value, style).encode()
    meter = Meter.of(stream=False)
    meter.read_message(body)
    assert shown(meter) == model.read_body(body).shown()


@given(MESSAGES, MESSAGES, st.randoms())
@example({"usage": {"output_tokens": 2}, "id": "a"}, {"usage": {"input_tokens": 3}, "id": 7}, random.Random(1))
def test_a_body_that_names_its_members_twice_says_what_the_slow_reader_says(one: Any, two: Any, style: Any) -> None:
    members = [f"{json.dumps(name)}:{spell(value, style)}" for part in (one, two) for name, value in part.items()]
    body = f"{{{','.join(members)}}}".encode()
    meter = Meter.of(stream=False)
    meter.read_message(body)
    assert shown(meter) == model.read_body(body).shown()


@given(MESSAGES, st.randoms(), st.data())
def test_a_damaged_body_says_what_the_slow_reader_says(value: Any, style: Any, data: st.DataObject) -> None:
    body = bytearray(spell(value, style).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from(b'{}[],:"\\0e-.u\x1f\xff '))
    meter = Meter.of(stream=False)
    meter.read_message(bytes(body))
    assert shown(meter) == model.read_body(bytes(body)).shown()
