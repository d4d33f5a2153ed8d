"""The relay over real processes: what the client sent is what the upstream got, and what came back is what it sees."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import time
from typing import Any

import msgspec
import pytest

from fastgate._core.money import format_usd
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.record import CallRecord
from fastgate.record import Usage as RecordedUsage
from fastgate.sim.behaviour import Behaviour
from fastgate.sim.traffic import conversation
from tests.gateway.conftest import World
from tests.support.plane import KEY, body
from tests.support.sim import Call

CUTS = 12

BOOK = PriceBook(compile_prices(PriceSettings()))


def priced(call: Call, model: str = "claude-sonnet-5-5") -> int:
    """What the upstream's own log says this call bills, in nano-dollars."""
    usage = call.started.usage
    return BOOK.row("anthropic", model).cost(
        Usage.of(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            web_search=usage.web_search,
        )
    )


def closing(answer: bytes) -> dict[str, Any]:
    """The closing line of a stream."""
    last = answer.rstrip(b"\n").rpartition(b"\n")[2]
    assert last.startswith(b": fastgate ")
    found: dict[str, Any] = json.loads(last.removeprefix(b": fastgate "))
    return found


def test_a_whole_answer_is_priced_to_the_nano_dollar(world: World) -> None:
    answer = world.plane.message("hello [[sim:usage usage=input:1200,output:345,cache_read:90000,cache_write_5m:4000]]")
    (call,) = world.calls(1)
    record = world.record()
    assert answer.status == 200
    assert answer.json()["usage"]["output_tokens"] == 345
    assert answer.headers["x-fastgate-cost"] == format_usd(priced(call)) == answer.headers["x-agentcc-cost"]
    assert record.cost_nano == priced(call)
    assert (record.outcome, record.usage_state, record.status) == ("ok", "exact", 200)
    assert (record.org, record.team, record.user, record.key) == ("acme", "platform", "alice", "alice-laptop")
    assert (record.cost_center, record.tags) == ("CC-1001", {"project": "checkout"})
    assert (record.model_asked, record.model_used, record.endpoint) == ("claude-sonnet-5-5",) * 2 + ("up",)


def test_a_record_has_every_field_in_its_place(world: World) -> None:
    prompt = "[[sim:usage usage=input:5,output:6,cache_read:7,cache_write_5m:8,cache_write_1h:9,web_search:2]]"
    headers = {"x_claude_code_session_id": "s", "x_claude_code_agent_id": "a", "x_claude_code_request_class": "main"}
    system = "be brief"
    answer = world.plane.message(prompt, stream=True, tools=TOOLS, system=system, headers=headers)
    (body_bytes,) = world.plane.bodies()[world.seen_records :]
    assert len(msgspec.msgpack.decode(body_bytes)) == len(CallRecord.__struct_fields__)
    record = world.record()
    assert record.usage == RecordedUsage(5, 6, 8, 9, 7, {"web_search": 2})
    assert (record.session, record.agent, record.parent_agent, record.request_class) == ("s", "a", "", "main")
    assert (record.route, record.provider) == ("messages", "anthropic")
    assert (record.cache, record.guard) == ("bypass", "not-scanned")
    assert record.system_sha256 == hashlib.sha256(json.dumps(system).encode()).hexdigest()
    assert record.tools == ["Read", "Edit", "Bash"]
    assert record.response_bytes == len(answer.body) - len(answer.body.rstrip(b"\n").rpartition(b"\n")[2]) - 2
    assert record.stop_reason == "end_turn"
    assert record.cost_asked_nano == record.cost_nano
    assert [(attempt.endpoint, attempt.model, attempt.status) for attempt in record.attempts] == [
        ("up", "claude-sonnet-5-5", 200)
    ]
    assert 0 < record.head_us <= record.duration_us


def test_response_headers_of_a_whole_answer(world: World) -> None:
    answer = world.plane.message()
    headers = answer.headers
    record = world.record()
    assert headers["x-fastgate-call-id"] == record.id
    assert re.fullmatch(r"fg-[0-9a-z]{12}-\d+", record.id)
    assert headers["x-fastgate-model-used"] == headers["x-agentcc-model-used"] == "claude-sonnet-5-5"
    assert (headers["x-fastgate-provider"], headers["x-agentcc-provider"]) == ("up", "anthropic")
    assert re.fullmatch(r"\d+\.\d{9}", headers["x-fastgate-cost"])
    assert headers["x-fastgate-latency-ms"].isdecimal()
    assert (headers["x-fastgate-cache"], headers["x-agentcc-cache"]) == ("bypass", "miss")
    assert headers["x-fastgate-guard"] == "not-scanned"
    assert headers["x-fastgate-policy"] == record.policy
    assert "x-fastgate-routed" not in headers
    assert headers["request-id"] == record.upstream_request_id != ""
    assert not [name for name in headers if name.startswith("anthropic-ratelimit")]


@pytest.mark.parametrize("stream", [False, True])
def test_the_upstream_gets_the_clients_bytes(world: World, stream: bool) -> None:
    sent = conversation(730, tools=18, stream=stream)
    answer = world.plane.request("POST", "/v1/messages?beta=true", sent, x_api_key=KEY, content_type="application/json")
    (call,) = world.calls(1)
    assert answer.status == 200
    assert world.simulator.body(call) == sent
    assert call.started.path == "/v1/messages?beta=true"
    record = world.record()
    assert record.cost_nano == priced(call, record.model_used) > 0
    assert len(record.tools) == 18
    assert record.request_bytes == len(sent) > 700_000


def test_only_the_allow_list_reaches_the_upstream(world: World) -> None:
    world.plane.message(
        headers={
            "anthropic_beta": "a-2025,b-2026",
            "anthropic_version": "2026-10-21",
            "x_stainless_lang": "js",
            "x_app": "cli",
            "user_agent": "claude-cli/2",
            "cookie": "secret",
            "x_claude_code_session_id": "s-1",
            "x_fastgate_trace": "t",
            "x_forwarded_for": "1.2.3.4",
            "accept_encoding": "gzip, br",
            "authorization": f"Bearer {KEY}",
        }
    )
    (call,) = world.calls(1)
    names = {name.lower(): value for name, value in call.started.headers}
    assert names["x-api-key"] == "provider-key"
    assert names["accept-encoding"] == "identity"
    assert (names["anthropic-beta"], names["anthropic-version"]) == ("a-2025,b-2026", "2026-10-21")
    assert (names["x-stainless-lang"], names["x-app"], names["user-agent"]) == ("js", "cli", "claude-cli/2")
    assert KEY not in str(call.started.headers)
    absent = {"cookie", "x-claude-code-session-id", "x-fastgate-trace", "x-forwarded-for", "authorization"}
    assert not absent & names.keys()
    assert world.record().session == "s-1"


def test_an_absent_version_is_filled(world: World) -> None:
    world.plane.message()
    (call,) = world.calls(1)
    assert call.header("anthropic-version") == "2023-06-01"


def test_a_stream_is_passed_on_and_closed_with_its_cost(world: World) -> None:
    answer = world.plane.message("[[sim:usage usage=input:10,output:500,cache_read:80]]", stream=True)
    (call,) = world.calls(1)
    record = world.record()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "x-fastgate-cost" not in answer.headers
    bound = answer.headers["x-fastgate-cost-bound"]
    line = closing(answer.body)
    assert line["call_id"] == record.id
    assert line["cost"] == format_usd(priced(call)) == format_usd(record.cost_nano)
    assert float(bound) >= float(line["cost"])
    assert line["usage"]["cache_read_tokens"] == 80
    assert line["model"] == "claude-sonnet-5-5"
    assert b"event: message_stop" in answer.body
    assert (record.stream, record.usage_state, record.outcome) == (True, "exact", "ok")


def test_cache_reads_of_a_stream_cost_a_tenth_of_input(world: World) -> None:
    world.plane.message("[[sim:usage usage=input:0,output:1,cache_read:1000000]]", stream=True)
    row = BOOK.row("anthropic", "claude-sonnet-5-5")
    cost = world.record().cost_nano
    expected = row.cost(Usage.of(cache_read_tokens=1_000_000, output_tokens=1))
    assert cost == expected
    assert cost < row.cost(Usage.of(input_tokens=1_000_000, output_tokens=1)) / 5


def test_auto_mode_fields_pass_both_ways(world: World) -> None:
    asked = [{"type": "dangerous_tool_use", "classifier_context": {"cwd": "/x"}}]
    answer = world.plane.message("[[sim:loop file=a.txt]]", stream=True, safeguards=asked, tools=TOOLS)
    (call,) = world.calls(1)
    assert json.loads(world.simulator.body(call))["safeguards"] == asked
    assert b"safeguard_results" in answer.body


TOOLS = [
    {"name": name, "description": name, "input_schema": {"type": "object", "properties": {}}}
    for name in ("Read", "Edit", "Bash")
]

ERRORS = [
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}),
    (404, {"type": "error", "error": {"type": "not_found_error", "message": "m"}}),
    (413, {"type": "error", "error": {"type": "request_too_large", "message": "m"}}),
    (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}),
    (500, {"type": "error", "error": {"type": "api_error", "message": "m"}}),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
]


@pytest.mark.parametrize(("status", "error"), ERRORS, ids=[str(status) for status, _ in ERRORS])
@pytest.mark.parametrize("stream", [False, True])
def test_upstream_errors_come_as_they_are_and_cost_nothing(
    world: World, status: int, error: dict[str, Any], stream: bool
) -> None:
    sent = json.dumps(error)
    world.simulator.script(Behaviour(status=status, body=sent, retry_after="7", should_retry="true"))
    answer = world.plane.message(stream=stream)
    record = world.record()
    assert (answer.status, answer.body) == (status, sent.encode())
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("7", "true")
    assert answer.headers["x-fastgate-call-id"] == record.id
    assert (record.cost_nano, record.outcome, record.status) == (0, "upstream_error", status)
    assert record.error == "upstream_status"


@pytest.mark.parametrize("status", [401, 403])
def test_our_own_refused_credential_is_never_the_clients(world: World, status: int) -> None:
    world.simulator.script(Behaviour(status=status))
    answer = world.plane.message()
    record = world.record()
    assert answer.status == 502
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "api_error"
    assert "up" in answer.json()["error"]["message"]
    assert (record.error, record.outcome, record.cost_nano) == ("provider_credential", "upstream_error", 0)


def test_count_tokens_is_forwarded_and_free(world: World) -> None:
    answer = world.plane.request("POST", "/v1/messages/count_tokens?beta=true", body(), x_api_key=KEY)
    record = world.record()
    assert answer.status == 200
    assert answer.json()["input_tokens"] > 0
    assert (record.route, record.cost_nano, record.usage_state) == ("count_tokens", 0, "none")


MISSING: list[tuple[str, bool, str]] = [
    ("[[sim:usage usage_form=missing]]", False, "missing"),
    ("[[sim:usage usage_form=missing]]", True, "missing"),
    ("[[sim:usage usage_form=start-only]]", True, "partial"),
    ("""[[sim:usage usage_raw='{"output_tokens":-5}']]""", True, "partial"),
    ("""[[sim:usage usage_raw='"lots"']]""", True, "partial"),
    ("""[[sim:usage usage_raw='{"output_tokens":1e30}']]""", True, "partial"),
]


@pytest.mark.parametrize(("prompt", "stream", "state"), MISSING)
def test_usage_that_is_missing_or_unusable_is_never_free(world: World, prompt: str, stream: bool, state: str) -> None:
    answer = world.plane.message(prompt, stream=stream)
    record = world.record()
    assert answer.status == 200
    assert record.usage_state == state
    assert record.cost_nano > 0
    assert record.usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_figures_that_do_not_fit_are_charged_at_the_bound(world: World, stream: bool) -> None:
    answer = world.plane.message(f"[[sim:usage usage=output:{2**53 - 1}]]", stream=stream, max_tokens=2**53 - 1)
    record = world.record()
    assert answer.status == 200
    assert record.usage_state == "partial"
    assert record.cost_nano > 10**11


def test_the_cumulative_usage_of_message_delta_replaces(world: World) -> None:
    world.plane.message("[[sim:usage usage_form=twice usage=input:10,output:20]]", stream=True)
    record = world.record()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (10, 20)


def test_a_late_stream_error_is_charged_for_what_came(world: World) -> None:
    answer = world.plane.message("[[sim:sse-error error_at=4 error_type=api_error tokens=40]]", stream=True)
    record = world.record()
    (call,) = world.calls(1)
    assert b"event: error" in answer.body
    assert (record.outcome, record.error, record.usage_state) == ("upstream_error", "stream_error", "partial")
    assert call.ended is not None
    assert record.usage.output_tokens >= call.ended.told.output_tokens
    assert record.usage.input_tokens == call.started.usage.input_tokens


@pytest.mark.parametrize("cut", ["rst", "fin"])
def test_a_broken_stream_is_broken_for_the_client_and_charged(world: World, cut: str) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        world.plane.message(f"[[sim:cut cut={cut} cut_event=5 tokens=40]]", stream=True)
    record = world.record()
    (call,) = world.calls(1)
    assert (record.outcome, record.error) == ("upstream_error", "truncated")
    assert call.ended is not None
    assert record.usage.output_tokens >= call.ended.told.output_tokens > 0


@pytest.mark.parametrize("way", ["plain", "task"])
def test_what_came_before_the_break_arrives_before_it(world: World, way: str) -> None:
    """The server has taken those bytes; the connection must not be shut down beneath it before it has written them."""
    for n in range(CUTS):
        directive = f"[[sim:cut cut=fin cut_event={n + 5} tokens=40 gap_ms={n % 3}]]"
        data = json.dumps(body(directive, stream=True)).encode()
        framing = b"content-length: %d\r\n\r\n%b" % (len(data), data)
        if way == "task":  # as a body is read whose length is not known
            framing = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        with socket.create_connection(("127.0.0.1", world.plane.port), timeout=10) as client:
            client.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: %b\r\n%b" % (KEY.encode(), framing))
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        assert not answer.endswith(b"0\r\n\r\n"), "it looks whole"
        assert answer.count(b"\ndata: ") == n + 5


def test_a_stream_that_ends_early_but_cleanly_ends_cleanly(world: World) -> None:
    answer = world.plane.message("[[sim:cut cut=clean cut_event=5 tokens=40]]", stream=True)
    record = world.record()
    assert closing(answer.body)["call_id"] == record.id
    assert (record.outcome, record.error) == ("upstream_error", "truncated")


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("[[sim:cut cut=rst cut_bytes=0]]", "reset"),
        ("[[sim:cut cut=fin cut_bytes=0]]", "reset"),
        ("[[sim:fault gzip=true]]", "bad_response"),
        ("[[sim:error status=302 location=http://127.0.0.1:1/]]", "bad_response"),
    ],
)
def test_failures_before_the_first_byte(world: World, prompt: str, error: str) -> None:
    answer = world.plane.message(prompt)
    record = world.record()
    assert (answer.status, record.error) == (529, error)
    assert answer.json()["error"]["type"] == "overloaded_error"
    assert record.outcome == "upstream_error"
    assert record.attempts[0].error == error


def test_a_connection_the_upstream_closed_is_replaced(world: World) -> None:
    assert world.plane.message("[[sim:fault close=true]]").status == 200
    for _ in range(3):
        assert world.plane.message().status == 200
    assert [record.outcome for record in world.records(4)] == ["ok"] * 4


@pytest.mark.promise("P-05", bound="upstream closed within 250 ms; charged at least for what came")
@pytest.mark.parametrize(
    ("stream", "when"), [(False, "before the head"), (True, "before the head"), (True, "in the middle")]
)
def test_a_client_that_leaves_cancels_the_upstream_and_is_charged(world: World, stream: bool, when: str) -> None:
    fault = "stall_head_s=20" if when == "before the head" else "stall_at=5 stall_s=20 tokens=60"
    connection = http.client.HTTPConnection("127.0.0.1", world.plane.port, timeout=10)
    connection.request("POST", "/v1/messages", json.dumps(body(f"[[sim:fault {fault}]]", stream)), {"x-api-key": KEY})
    if when == "in the middle":
        connection.getresponse().read(200)
    else:
        time.sleep(0.4)
    left_ns = time.monotonic_ns()
    connection.close()
    (call,) = world.calls(1)
    assert call.ended is not None
    assert call.ended.outcome == "client_gone"
    assert (call.ended.gone_ns - left_ns) / 1e6 < 250
    record = world.record()
    assert (record.outcome, record.error) == ("client_gone", "client_gone")
    assert record.cost_nano > 0
    assert record.usage.output_tokens >= call.ended.told.output_tokens
    assert record.usage.input_tokens >= call.ended.told.input_tokens


def test_unknown_models_are_priced_at_the_worst(world: World) -> None:
    world.plane.message(model="claude-nobody-knows")
    record: CallRecord = world.record()
    assert record.cost_nano > BOOK.row("anthropic", "claude-haiku-5-5").cost(
        Usage.of(input_tokens=record.usage.input_tokens, output_tokens=record.usage.output_tokens)
    )
