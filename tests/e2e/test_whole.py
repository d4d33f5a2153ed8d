"""A long conversation through the whole product: forwarded to the byte, answered, priced, recorded and reported."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from fastgate.sim.traffic import SESSION, conversation, headers
from tests.e2e.conftest import Route
from tests.support.raw import exchange, post

pytestmark = pytest.mark.e2e

VISIBLE_S = 3.0
"""The contract says one second on a quiet machine; this one may run seven other tests."""


def recorded(route: Route, call_id: str) -> Any:
    """The call's record as the command line shows it."""
    assert route.gateway is not None
    deadline = time.monotonic() + VISIBLE_S
    while True:
        done = route.gateway.cli("calls", "show", call_id, "--json")
        if done.code == 0:
            return done.json
        assert time.monotonic() < deadline, done
        time.sleep(0.1)


@pytest.mark.parametrize("stream", [True, False])
def test_730_kilobytes_and_18_tools(through: Route, stream: bool) -> None:
    data = conversation(730, tools=18, stream=stream)
    fields = {name.replace("-", "_"): value for name, value in headers(through.key).items()}
    port = int(through.url.rpartition(":")[2])
    reply = asyncio.run(exchange(port, post(data, path="/v1/messages?beta=true", **fields)))
    assert reply.status == 200, reply.data[:2000]
    (call,) = through.calls(1)
    assert through.upstream.body(call) == data
    assert call.header("anthropic-beta") == headers("")["anthropic-beta"]
    if stream:
        assert reply.events()[-1][0] == "message_stop"
        assert reply.body.decode().rstrip().rpartition("\n")[2].startswith(": fastgate {")
    assert not any(name.startswith("anthropic-ratelimit-") for name in reply.headers)

    record = recorded(through, reply.headers["x-fastgate-call-id"])
    used, billed = record["usage"], call.started.usage
    assert (used["input_tokens"], used["output_tokens"]) == (billed.input_tokens, billed.output_tokens)
    assert used["cache_read_tokens"] == billed.cache_read_tokens > 0
    assert used["cache_write_5m_tokens"] == billed.cache_write_5m_tokens > 0
    assert (record["outcome"], record["user"], record["session"]) == ("ok", "alice", SESSION)
    assert float(record["cost"]) > 0
