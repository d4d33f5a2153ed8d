"""No value that reaches a header, of either side, can begin another one; nothing but the allow-list travels."""

from __future__ import annotations

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgate.sim.behaviour import Behaviour
from tests.edge.test_table import TIMEOUT_S, answers, speak
from tests.gateway.conftest import World
from tests.support.plane import KEY
from tests.support.rows import BODY, LENGTH, request

SPLIT = [
    "\r\nx-evil: 1",
    "\nx-evil: 1",
    "\rx-evil: 1",
    "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "\0",
    "\x7f",
    "\xff",
    ": ",
    "a" * 8200,
]
VALUES = st.lists(
    st.one_of(st.sampled_from(SPLIT), st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=12)),
    max_size=4,
).map("".join)
NAMES = st.sampled_from([
    "anthropic-beta", "x-stainless-lang", "user-agent", "traceparent", "tracestate", "x-app", "idempotency-key",
    "x-claude-code-session-id", "x-claude-code-agent-id", "x-fastgate-trace", "x-fastgate-tag-a", "content-type",
    "x-agentcc-cache-namespace", "accept", "cookie", "x-forwarded-for", "connection", "te", "proxy-authorization",
])  # fmt: skip
TRAVELS = {"host", "x-api-key", "accept-encoding", "content-length", "anthropic-version", "accept", "content-type"}
TRAVELS |= {"user-agent", "x-app", "traceparent", "tracestate", "idempotency-key"}


def travels(name: str) -> bool:
    return name in TRAVELS or name.startswith(("anthropic-", "x-stainless-"))


@pytest.mark.promise("P-19")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(pairs=st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=3))
def test_only_the_allow_list_reaches_the_upstream_whatever_is_sent(world: World, pairs: list[tuple[str, str]]) -> None:
    seen = len(world.simulator.calls())
    fields = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    received = speak(world.plane.port, request(fields + LENGTH + "connection: close\r\n", BODY))
    assert b"x-evil" not in received.partition(b"\r\n\r\n")[0].lower()
    for call in world.simulator.settled(seen)[seen:]:
        names = [name.lower() for name, _ in call.started.headers]
        assert all(travels(name) for name in names), names
        assert all(names.count(name) == 1 for name in ("host", "x-api-key", "content-length"))
        assert "x-evil" not in names
        assert KEY not in str(call.started.headers)
        assert world.simulator.body(call) == BODY


@pytest.mark.promise("P-19")
@pytest.mark.parametrize(
    "model", ["claude\\r\\nx-evil: 1", "claude\\nx-evil:1", "mod\\u00e8le", "m\\u0000", "m\\u007f", "m" * 257]
)
def test_a_model_that_no_header_could_hold_is_refused(world: World, model: str) -> None:
    data = f'{{"model":"{model}","max_tokens":1,"messages":[]}}'.encode()
    received = speak(world.plane.port, request(f"content-length: {len(data)}\r\nconnection: close\r\n", data))
    assert answers(received) == (400,)
    assert b"model must be printable ASCII" in received
    assert b"x-evil" not in received.partition(b"\r\n\r\n")[0]


@pytest.mark.promise("P-19")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "value", ["a\tb", "caf\u00e9", "\x80\xff", "v" * 8192, "v" * 8193, 'a: b; c="d"'], ids=range(6)
)
def test_upstream_values_arrive_as_they_are_or_not_at_all(world: World, value: str, stream: bool) -> None:
    names = ("anthropic-something", "request-id", "retry-after", "set-cookie", "x-evil", "connection", "server")
    world.simulator.script(Behaviour(headers=dict.fromkeys(names, value)))
    answer = world.plane.message(stream=stream)
    assert answer.status == 200
    passable = value.isascii() and len(value) <= 8192
    for name in ("anthropic-something", "retry-after"):
        assert answer.headers.get(name) == (value if passable else None), name
    assert answer.headers["request-id"] == world.record().upstream_request_id
    assert passable or answer.headers["request-id"] != value
    assert not {"set-cookie", "x-evil"} & answer.headers.keys()
    assert value not in (answer.headers.get("server"), answer.headers.get("connection"))


@pytest.mark.promise("P-19")
def test_an_upstream_cannot_begin_a_header_of_ours(world: World) -> None:
    """What looks like two headers is two headers of the upstream's, and the second is not on the list."""
    world.simulator.script(Behaviour(headers={"anthropic-x": "a\r\nx-evil: 1\r\nx-fastgate-cost: 0"}))
    answer = world.plane.message()
    assert answer.headers["anthropic-x"] == "a"
    assert "x-evil" not in answer.headers
    assert answer.headers["x-fastgate-cost"] != "0"


@pytest.mark.promise("P-19")
@pytest.mark.parametrize("path", ["/%0d%0ax-evil:1", "/v1/models/%0d%0ax-evil:1", "/v1/fastgate/calls/%0d%0ax-evil:1"])
def test_a_path_does_not_reach_a_header(world: World, path: str) -> None:
    with socket.create_connection(("127.0.0.1", world.plane.port), timeout=TIMEOUT_S) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nhost: t\r\nx-api-key: {KEY}\r\nconnection: close\r\n\r\n".encode())
        head = client.recv(1 << 16).partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 404")
    assert b"x-evil" not in head
