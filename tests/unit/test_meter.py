"""The meter on streams as the Messages API sends them, and on what may not fool it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastgate._core.meter import Meter
from fastgate._core.sse import Scanner
from fastgate._core.usage import Usage

START_USAGE = {
    "input_tokens": 4, "cache_creation_input_tokens": 1200, "cache_read_input_tokens": 18_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 1000},
    "output_tokens": 2, "service_tier": "standard", "inference_geo": "not_available",
}  # fmt: skip


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members}, separators=(',', ':'))}\n\n".encode()


def start(usage: Any = START_USAGE) -> bytes:
    message = {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    return event("message_start", message=message)


def delta(**members: Any) -> bytes:
    return event("content_block_delta", index=0, delta=members)


TOOL_TURN = b"".join([
    start(),
    event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    event("ping"),
    delta(type="thinking_delta", thinking="Let me look."),
    delta(type="signature_delta", signature="x" * 400),
    event("content_block_stop", index=0),
    event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
    delta(type="text_delta", text="Reading \u2192 file"),
    delta(type="citations_delta", citation={"type": "char_location", "cited_text": "y" * 100}),
    event("content_block_stop", index=1),
    event("content_block_start", index=2,
          content_block={"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}),
    delta(type="input_json_delta", partial_json=""),
    delta(type="input_json_delta", partial_json='{"file_path":"/a.py"}'),
    event("content_block_stop", index=2),
    event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None},
          usage={"input_tokens": 4, "cache_creation_input_tokens": 1200, "cache_read_input_tokens": 18_000,
                 "output_tokens": 87}),
    event("message_stop"),
])  # fmt: skip


def metered(*chunks: bytes) -> Meter:
    meter = Meter.of(stream=True)
    for chunk in chunks:
        meter.feed_bytes(chunk)
    return meter


def read(body: Any) -> Meter:
    meter = Meter.of(stream=False)
    meter.read_message(body if isinstance(body, bytes) else json.dumps(body).encode())
    return meter


def test_a_tool_turn() -> None:
    meter = metered(TOOL_TURN)
    assert meter.usage == Usage.of(
        input_tokens=4, output_tokens=87, cache_write_5m_tokens=200, cache_write_1h_tokens=1000,
        cache_read_tokens=18_000,
    )  # fmt: skip
    assert (meter.model, meter.message_id, meter.stop_reason) == ("claude-opus-5-5", "msg_01", "tool_use")
    assert (meter.started, meter.content_started, meter.stopped, meter.errored) == (True, True, True, False)
    assert meter.events == TOOL_TURN.count(b"event: ")
    written = "Let me look." + "Reading \u2192 file" + '{"file_path":"/a.py"}'
    assert meter.output_bytes == len(written.encode())
    assert meter.at_boundary and not meter.oversize


def test_every_cut_in_two() -> None:
    whole = metered(TOOL_TURN)
    for at in range(len(TOOL_TURN) + 1):
        meter = metered(TOOL_TURN[:at], TOOL_TURN[at:])
        assert meter.usage == whole.usage, at
        assert (meter.events, meter.output_bytes) == (whole.events, whole.output_bytes), at


def test_a_stream_cut_short_is_charged_a_floor() -> None:
    cut_at = TOOL_TURN.index(b"event: message_delta")
    meter = metered(TOOL_TURN[:cut_at])
    meter.finish()
    assert not meter.usage.final and meter.usage.output_tokens == 2
    floor = meter.floor()
    assert floor.output_tokens == (meter.output_bytes + 1) // 2
    assert floor.cache_read_tokens == 18_000 and not floor.final
    assert meter.usage.output_tokens == 2


def test_the_end_of_a_stream_completes_nothing() -> None:
    meter = metered(start(), b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":5}}\n')
    meter.finish()
    assert not meter.usage.final and not meter.at_boundary
    with pytest.raises(RuntimeError):
        meter.feed_bytes(b"\n")


@pytest.mark.parametrize("said", [-1, 1.5, "7", 2**53 + 1, 1e30, True, [], {"n": 1}])
def test_unusable_output_is_marked_and_never_zero(said: Any) -> None:
    meter = metered(start(), event("message_delta", delta={}, usage={"output_tokens": said}))
    assert meter.usage.malformed and not meter.usage.final
    assert meter.usage.output_tokens == 2


@pytest.mark.parametrize("usage", ["7", 7, [1], False])
def test_usage_that_is_no_object_is_marked(usage: Any) -> None:
    meter = metered(start(usage))
    assert meter.usage.malformed and meter.usage.seen


def test_data_that_is_not_json_says_nothing_and_is_marked_where_usage_was_due() -> None:
    meter = metered(b'event: message_delta\ndata: {"usage":{"output_tokens":5}\n\n')
    assert meter.usage.malformed and not meter.usage.final and meter.usage.output_tokens == 0
    meter = metered(b'event: content_block_delta\ndata: {"delta":{"text":"abc"},\n\n')
    assert not meter.usage.malformed and meter.output_bytes == 0


def test_null_and_absent_fields_keep_what_was_said() -> None:
    usage = {"output_tokens": 9, "input_tokens": None, "cache_read_input_tokens": None, "server_tool_use": None}
    meter = metered(start(), event("message_delta", delta={}, usage=usage))
    assert (meter.usage.input_tokens, meter.usage.cache_read_tokens, meter.usage.output_tokens) == (4, 18_000, 9)
    assert not meter.usage.malformed


def test_deltas_are_cumulative() -> None:
    tools = {"web_search_requests": 2, "web_fetch_requests": 1, "code_execution_requests": 3}
    usage = {"output_tokens": 50, "server_tool_use": tools}
    meter = metered(start(), *[event("message_delta", delta={}, usage=usage)] * 3)
    assert meter.usage.output_tokens == 50
    assert (meter.usage.web_search, meter.usage.web_fetch, meter.usage.code_execution) == (2, 1, 3)


def test_compaction_is_added_and_an_advisor_is_told() -> None:
    compaction = {
        "type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500, "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 7},
    }  # fmt: skip
    message = {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000}
    usage = {"input_tokens": 23_000, "output_tokens": 1_000, "iterations": [compaction, message]}
    meter = metered(start(), *[event("message_delta", delta={}, usage=usage)] * 2)
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (203_000, 4_500)
    assert (meter.usage.cache_write_1h_tokens, meter.usage.cache_read_tokens) == (1_007, 18_010)
    assert not meter.usage.other_model and meter.floor() == meter.usage
    advisor = {"type": "advisor_message", "input_tokens": 5, "output_tokens": 6}
    usage["iterations"] = [compaction, message, advisor]
    meter.feed_bytes(event("message_delta", delta={}, usage=usage))
    assert (meter.usage.input_tokens, meter.usage.output_tokens, meter.usage.other_model) == (203_005, 4_506, True)
    assert not meter.usage.malformed


def test_what_was_seen_does_not_fall() -> None:
    """A final count replaces the guess that a stream opens with; one below an earlier final one is a contradiction."""
    opened = start({"input_tokens": 4, "cache_read_input_tokens": 100, "output_tokens": 30})
    meter = metered(opened, event("message_delta", delta={}, usage={"output_tokens": 20, "input_tokens": 1}))
    assert (meter.usage.output_tokens, meter.usage.input_tokens, meter.usage.malformed) == (20, 4, True)
    meter = metered(opened, event("message_delta", delta={}, usage={"output_tokens": 20}))
    assert (meter.usage.output_tokens, meter.usage.malformed) == (20, False)
    meter.feed_bytes(event("message_delta", delta={}, usage={"output_tokens": 19}))
    assert (meter.usage.output_tokens, meter.usage.malformed) == (20, True)
    meter = metered(opened, event("message_delta", delta={}, usage={"output_tokens": 40}))
    moved = {"output_tokens": 40, "input_tokens": 104, "cache_read_input_tokens": 0}
    meter.feed_bytes(event("message_delta", delta={}, usage=moved))
    assert (meter.usage.input_tokens, meter.usage.cache_read_tokens, meter.usage.malformed) == (104, 0, False)
    meter.feed_bytes(event("message_delta", delta={}, usage=moved | {"input_tokens": 103}))
    assert (meter.usage.input_tokens, meter.usage.malformed) == (104, True)


@pytest.mark.parametrize(
    ("more", "less", "field", "kept"),
    [
        ({"server_tool_use": {name + "_requests": 3}}, {"server_tool_use": {name + "_requests": 2}}, name, 3)
        for name in ("web_search", "web_fetch", "code_execution")
    ]
    + [
        ({"speed": "fast"}, {"speed": "standard"}, "fast", True),
        ({"inference_geo": "us"}, {"inference_geo": "global"}, "us_geo", True),
        ({"service_tier": "priority"}, {"service_tier": "standard"}, "priority", True),
    ],
)
def test_nor_do_uses_and_words_that_cost_more(more: Any, less: Any, field: str, kept: object) -> None:
    meter = metered(start(less), event("message_delta", delta={}, usage=more))
    assert (getattr(meter.usage, field), meter.usage.malformed) == (kept, False), "it may rise"
    meter.feed_bytes(event("message_delta", delta={}, usage={"output_tokens": 1}))
    assert (getattr(meter.usage, field), meter.usage.malformed) == (kept, False), "silence takes nothing back"
    meter.feed_bytes(event("message_delta", delta={}, usage=less))
    assert (getattr(meter.usage, field), meter.usage.malformed) == (kept, True)


@pytest.mark.parametrize(
    ("objects", "write_5m", "write_1h"),
    [
        ([{"cache_creation_input_tokens": 100}], 100, 0),
        ([{"cache_creation": {"ephemeral_1h_input_tokens": 60}, "cache_creation_input_tokens": 100}], 40, 60),
        ([{"cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 60}}], 30, 60),
        ([{"cache_creation": {"ephemeral_1h_input_tokens": 60}}, {"cache_creation_input_tokens": 80}], 20, 60),
        ([{"cache_creation": {"ephemeral_1h_input_tokens": 60}}, {"cache_creation_input_tokens": 50}], 0, 60),
        (
            [
                {"cache_creation": {"ephemeral_1h_input_tokens": 60}},
                {"cache_creation_input_tokens": 50, "input_tokens": 10},
            ],
            0, 50,
        ),
        ([{"cache_creation_input_tokens": 100}, {"cache_creation": {"ephemeral_1h_input_tokens": 100}}], 100, 100),
    ],
)  # fmt: skip
def test_cache_writes_by_time_to_live(objects: list[Any], write_5m: int, write_1h: int) -> None:
    usage = Usage.of()
    for value in objects:
        usage.take(json.dumps(value).encode(), final=False)
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (write_5m, write_1h)


def test_price_words() -> None:
    usage = Usage.of()
    usage.take(b'{"speed":"fast","inference_geo":"us","service_tier":"priority"}', final=False)
    assert (usage.fast, usage.us_geo, usage.priority) == (True, True, True)
    usage.take(b'{"inference_geo":"us","service_tier":null}', final=False)
    assert (usage.fast, usage.us_geo, usage.priority, usage.malformed) == (True, True, True, False)


def test_the_event_line_decides_where_it_names_a_known_event() -> None:
    usage = '"usage":{"output_tokens":5}}\n\n'
    assert metered(f'data: {{"type":"message_delta",{usage}'.encode()).usage.output_tokens == 5
    assert metered(f'event: message\ndata: {{"type":"message_delta",{usage}'.encode()).usage.output_tokens == 5
    assert metered(f'event: message_delta\ndata: {{"type":"ping",{usage}'.encode()).usage.output_tokens == 5
    assert metered(f'event: ping\ndata: {{"type":"message_delta",{usage}'.encode()).usage.output_tokens == 0
    assert metered(f'event: soon\ndata: {{"type":"soon",{usage}'.encode()).usage.seen is False


def test_an_error_event() -> None:
    meter = metered(start(), event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    assert meter.errored and meter.error_type == "overloaded_error" and not meter.content_started
    assert metered(b"event: error\ndata: nonsense\n\n").errored


def test_unknown_events_and_members_are_passed_over() -> None:
    results = [{"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": {"usage": {}}}}]
    meter = metered(
        start(), event("novelty", usage={"output_tokens": 1}),
        event("message_delta", delta={"stop_reason": "end_turn", "safeguard_results": results, "usage": {"x": 1}},
              usage={"output_tokens": 3, "fallback_credit": {"output_tokens": 8}}, context_management={"usage": []}),
    )  # fmt: skip
    assert meter.usage.output_tokens == 3 and meter.stop_reason == "end_turn" and not meter.usage.malformed


def test_names_may_be_escaped() -> None:
    data = r'{"typ\u0065":"message\u005fdelta","\u0075sage":{"output\u005Ftokens":11}}'
    assert metered(f"data: {data}\n\n".encode()).usage.output_tokens == 11


def test_a_body() -> None:
    body = {
        "id": "msg_2", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": '"usage":{"output_tokens":1}'},
                    {"type": "tool_use", "input": {"usage": {"output_tokens": 2}}}],
        "usage": {"input_tokens": 20, "output_tokens": 30},
    }  # fmt: skip
    meter = read(body)
    assert meter.usage == Usage.of(input_tokens=20, output_tokens=30)
    assert (meter.model, meter.message_id, meter.stop_reason) == ("claude-haiku-5-5", "msg_2", "end_turn")
    assert meter.stopped and meter.output_bytes == 27 + len(json.dumps({"usage": {"output_tokens": 2}}))


def test_an_error_body_and_bodies_that_say_nothing() -> None:
    assert read({"type": "error", "error": {"type": "api_error", "message": "m"}}).error_type == "api_error"
    assert read({"error": {"type": "rate_limit_error"}}).errored
    assert read(b"<html>bad gateway</html>").usage.malformed
    assert read([]).usage.malformed
    quiet = read({"detail": "?"})
    assert not (quiet.usage.seen or quiet.usage.malformed or quiet.errored or quiet.stopped)
    assert not read({"type": "message", "content": []}).usage.seen


def test_a_message_that_is_split_into_lines() -> None:
    stream = b'event: message_delta\ndata: {"type":\ndata: "message_delta",\ndata:"usage":{"output_tokens":5}}\n\n'
    for at in range(len(stream)):
        assert metered(stream[:at], stream[at:]).usage.output_tokens == 5


def test_deep_nesting_is_refused_without_recursion() -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    meter = metered(b'event: message_delta\ndata: {"x":' + deep + b',"usage":{"output_tokens":5}}\n\n')
    assert meter.usage.malformed and meter.events == 1
    for levels, malformed in ((256, False), (257, True)):
        level = b"[" * levels + b"]" * levels
        meter = metered(b'event: message_delta\ndata: {"x":' + level + b',"usage":{"output_tokens":5}}\n\n')
        assert meter.usage.malformed is malformed


def test_an_event_past_the_limit_is_dropped_and_told() -> None:
    meter = Meter.of(stream=True, limit=1000)
    meter.feed_bytes(delta(type="text_delta", text="x" * 1000))
    assert meter.oversize and meter.events == 0 and meter.at_boundary
    meter.feed_bytes(event("message_stop"))
    assert meter.stopped


@pytest.mark.parametrize(("size", "fits"), [(4, True), (5, False)])
def test_the_limit_is_on_the_joined_data(size: int, fits: bool) -> None:
    scanner = Scanner.of(limit=20)
    parts = [b"a" * 7, b"b" * 7, b"c" * size]
    events = scanner.feed_bytes(b"".join(b"data:" + part + b"\n" for part in parts) + b"\n")
    assert events == ([(b"", b"\n".join(parts))] if fits else [])
    assert scanner.oversize is not fits


def test_nothing_of_a_dropped_event_is_left() -> None:
    scanner = Scanner.of(limit=20)
    assert scanner.feed_bytes(b"event: e\ndata: abc\n") == []
    rest = b"data: " + b"x" * 20 + b"\n\ndata: y\ndata: z\n\n"
    assert scanner.feed_bytes(rest) == [(b"", b"y\nz")]


def test_comments_are_no_events_and_boundaries_are_told() -> None:
    meter = metered(b": keep-alive\n")
    assert meter.events == 0 and meter.at_boundary
    meter.feed_bytes(b"event: ping\n")
    assert not meter.at_boundary
    meter.feed_bytes(b"data: {}\n\n")
    assert meter.at_boundary and meter.events == 1


def test_usage_refuses_what_is_no_count() -> None:
    with pytest.raises(ValueError, match="input_tokens"):
        Usage.of(input_tokens=-1)
    with pytest.raises(ValueError, match="output_tokens"):
        Usage.of(output_tokens=2**53 + 1)
    with pytest.raises(OverflowError):
        Usage.of(web_search=2**63)
    assert repr(Usage.of(fast=True)) == "Usage(fast=True, seen=True, final=True)"


@pytest.mark.parametrize("made", [Usage, Meter, Scanner])
def test_the_compiled_classes_have_no_constructor(made: type) -> None:
    with pytest.raises(TypeError):
        made()
