"""The provider's own prompt cache is not broken: forty turns of a session arrive byte for byte as they were written."""

from __future__ import annotations

import json
import random
from typing import Any

from fastgate._core.request import read_request
from tests.support.caching import cache_of
from tests.support.plane import KEY, Plane
from tests.support.sim import SimProcess
from tests.support.wire import spell

TURNS = 40

MARK = {"cache_control": {"type": "ephemeral"}}


def turns() -> list[bytes]:
    """A session as Claude Code writes it: the mark moves to the newest message, which then changes its form."""
    style = random.Random(40)
    said: list[dict[str, Any]] = []
    bodies = []
    for turn in range(TURNS):
        text = f'turn {turn}: caf\u00e9 \U0001f600 "quoted" \\ and\n\tmore'
        newest = {"role": "user", "content": [{"type": "text", "text": text, **MARK}]}
        request = {
            "model": "claude-sonnet-5-5",
            "messages": [*said, newest],
            "system": [{"type": "text", "text": "You are careful. " * 40, **MARK}],
            "metadata": {"user_id": json.dumps({"session_id": "s-40"})},
            "max_tokens": 128_000,
            "stream": bool(turn % 2),
        }
        bodies.append(spell(request, style, 0).encode())
        said += [{"role": "user", "content": text}, {"role": "assistant", "content": f"answer {turn}"}]
    return bodies


def test_forty_turns_arrive_as_they_were_written(plane: Plane, simulator: SimProcess) -> None:
    sent = turns()
    for body in sent:
        read_request(body)
        answer = plane.request("POST", "/v1/messages?beta=true", body, x_api_key=KEY, x_claude_code_session_id="s-40")
        assert (answer.status, cache_of(answer)) == (200, "miss"), answer.body
    assert [simulator.body(call) for call in simulator.settled(TURNS)] == sent
