"""Answers that are given again pass the rules for answers again, as each caller's policy has them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fastgate.sim.behaviour import Behaviour
from fastgate.snapshot import GuardRow, GuardScope
from tests.support.caching import OTHER_KEY, cache_of, closing_of, without_closing
from tests.support.plane import KEY, Answer, Plane
from tests.support.sim import SimProcess

RULES: dict[str, Any] = {
    "rules": [{"id": "word", "sample": "xyzzy", "pattern": "xyzzy", "kinds": ["answer_text", "answer_tool_input"]}]
}

ALL = GuardRow("custom", "redact", settings=RULES)
BOBS = GuardRow("custom", "redact", settings=RULES, scope=GuardScope(users=("bob",)))


@pytest.fixture
def under(plane: Plane) -> Iterator[Any]:
    def publish(*rows: GuardRow) -> None:
        plane.guards = rows
        plane.publish()
        plane.wait_adopted()

    yield publish
    publish()


def text_of(answer: Answer) -> str:
    if not answer.body.startswith(b"event:"):
        return str(answer.json()["content"][0]["text"])
    events = [json.loads(line[6:]) for line in answer.body.split(b"\n") if line.startswith(b"data: ")]
    return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")


@pytest.mark.parametrize("bought", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_a_replay_is_judged_each_time(
    plane: Plane, simulator: SimProcess, under: Any, bought: bool, asked: bool
) -> None:
    under(ALL)
    simulator.script(Behaviour(scenario="text", text="the word is xyzzy, they say"))
    text = f"what is the word? {bought} {asked}"
    first = plane.message(text, stream=bought)
    assert (cache_of(first), text_of(first)) == ("miss", "the word is [removed: custom-word], they say")
    before = plane.recorded()
    for _ in range(3):
        again = plane.message(text, stream=asked)
        assert (cache_of(again), text_of(again)) == ("hit", "the word is [removed: custom-word], they say")
    found = [[verdict.rule for verdict in record.verdicts] for record in plane.settled(before + 3)[before:]]
    assert found == [["custom-word"]] * 3
    assert len(simulator.settled(1)) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_passes_is_the_same_each_time(plane: Plane, simulator: SimProcess, under: Any, stream: bool) -> None:
    """Nothing was found in it, so it is not looked at again; the bytes show no difference."""
    under(ALL)
    simulator.script(Behaviour(scenario="text", text="nothing to remove \u2192 here"))
    answers = [plane.message(f"say something {stream}", stream=stream) for _ in range(4)]
    assert [cache_of(answer) for answer in answers] == ["miss", "hit", "hit", "hit"]
    bodies = {without_closing(answer.body) if stream else answer.body for answer in answers}
    assert len(bodies) == 1
    assert not stream or closing_of(answers[-1].body)["cost"] == "0.000000000"


def test_each_caller_is_under_his_own_rules(plane: Plane, simulator: SimProcess, under: Any) -> None:
    """Alice's replays, which no rule looks at, say nothing of bob's."""
    under(BOBS)
    simulator.script(Behaviour(scenario="text", text="the word is xyzzy"))
    said = [plane.message("and the word?", key=key) for key in (KEY, KEY, OTHER_KEY, KEY, OTHER_KEY)]
    assert [cache_of(answer) for answer in said] == ["miss", "hit", "hit", "hit", "hit"]
    clear, hidden = "the word is xyzzy", "the word is [removed: custom-word]"
    assert [text_of(answer) for answer in said] == [clear, clear, hidden, clear, hidden]


def test_another_policy_judges_anew(plane: Plane, simulator: SimProcess, under: Any) -> None:
    under(GuardRow("custom", "redact", settings={"rules": [{**RULES["rules"][0], "id": "other", "pattern": "plugh",
                                                            "sample": "plugh"}]}))  # fmt: skip
    simulator.script(Behaviour(scenario="text", text="the word is xyzzy"))
    assert [text_of(plane.message("the word, please")) for _ in range(3)] == ["the word is xyzzy"] * 3
    under(ALL)
    time.sleep(0.05)
    again = plane.message("the word, please")
    assert (cache_of(again), text_of(again)) == ("hit", "the word is [removed: custom-word]")
