"""Generated conversations are what they claim: the size, the shape, the same bytes every time."""

from __future__ import annotations

import json

import pytest

from fastgate.sim.conversation import Conversation
from fastgate.sim.traffic import SESSION, conversation, headers


@pytest.mark.parametrize("kilobytes", [1, 64, 300, 730])
def test_size_shape_and_repetition(kilobytes: int) -> None:
    data = conversation(kilobytes)
    assert data == conversation(kilobytes)
    if kilobytes >= 64:
        assert 0 <= len(data) - kilobytes * 1024 <= 9 * 1024
    read = Conversation(data)
    read.check()
    body = json.loads(data)
    assert len(body["tools"]) == 18 and len({tool["name"] for tool in body["tools"]}) == 18
    assert next(iter(body)) == "model" and list(body)[-1] == "stream" and body["messages"][1]["role"] == "system"
    assert (read.session, read.request.stream, read.cache_ttl) == (SESSION, True, "5m")
    assert read.turn == len(body["messages"]) // 2 - 1


def test_stream_model_and_tools_are_chosen() -> None:
    read = Conversation(conversation(1, tools=30, stream=False, model="claude-haiku-5-5"))
    assert (len(read.request.tools), read.request.stream, read.request.model) == (30, False, "claude-haiku-5-5")


def test_text_that_has_to_be_escaped_is_in_it() -> None:
    data = conversation(64)
    assert b"\\t" in data and b'\\"' in data and "☃".encode() in data and b"\\n" in data


def test_headers_carry_the_key() -> None:
    assert headers("k")["x-api-key"] == "k" and headers("k")["x-claude-code-session-id"] == SESSION
