"""Marks for the provider's prompt cache, placed on the way: what the provider gets, and what the record says of it."""

from __future__ import annotations

import json
from typing import Any

from fastgate.snapshot_cache import PromptPolicy
from tests.support.plane import KEY, Plane
from tests.support.sim import SimProcess

MARK = {"type": "ephemeral"}


def turns(count: int, text: str) -> list[bytes]:
    said: list[dict[str, Any]] = []
    bodies = []
    for turn in range(count):
        said.append({"role": "user", "content": f"{text} {turn}"})
        system = "You are careful. " * 400
        request = {"model": "claude-sonnet-5-5", "system": system, "messages": said, "max_tokens": 99}
        bodies.append(json.dumps(request).encode())
        said.append({"role": "assistant", "content": f"answer {turn}"})
    return bodies


def ask(plane: Plane, body: bytes, session: str) -> None:
    answer = plane.request("POST", "/v1/messages", body, x_api_key=KEY, x_claude_code_session_id=session)
    assert answer.status == 200, answer.body


def test_marks_are_placed_from_the_third_call_on_and_told(plane: Plane, simulator: SimProcess) -> None:
    plane.prompt = PromptPolicy(True, True)
    plane.publish()
    plane.wait_adopted()
    try:
        sent = turns(5, "marked")
        for body in sent:
            ask(plane, body, "s-marks")
        got = [simulator.body(call) for call in simulator.settled(5)]
    finally:
        plane.prompt = None
        plane.publish()
        plane.wait_adopted()
    assert got[:2] == sent[:2]
    for body, asked in zip(got[2:], sent[2:], strict=True):
        told, first = json.loads(body), json.loads(asked)
        assert told["system"] == [{"type": "text", "text": first["system"], "cache_control": MARK}]
        newest = {"type": "text", "text": first["messages"][-1]["content"], "cache_control": MARK}
        assert told["messages"] == [*first["messages"][:-1], {"role": "user", "content": [newest]}]
        assert body.count(b"cache_control") == 2
    plane.wait_idle()
    records = [record for record in plane.records() if record.session == "s-marks"]
    assert [record.placed is not None for record in records] == [False, False, True, True, True]
    for record in records[2:]:
        assert record.placed is not None
        assert record.placed.what == "breakpoints" and record.placed.expected_nano > 0
        assert record.usage.cache_write_5m_tokens > 0


def test_off_changes_nothing(plane: Plane, simulator: SimProcess) -> None:
    sent = turns(4, "plain")
    for body in sent:
        ask(plane, body, "s-plain")
    assert [simulator.body(call) for call in simulator.settled(4)] == sent
