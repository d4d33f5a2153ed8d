"""Directives, the x-sim header and queued steps: which behaviour a call gets, and for how many calls."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fastgate.sim.behaviour import HEALTHY, Behaviour, DirectiveError, Step, directives, parse_step
from fastgate.sim.conversation import Conversation
from fastgate.sim.script import Script

PATH = "/v1/messages"


def talk(*contents: Any, session: str = "s1", model: str = "claude-opus-5-5") -> Conversation:
    """A conversation of alternating roles, the user first."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(contents)]
    user = json.dumps({"device_id": "d", "session_id": session})
    body = {"model": model, "max_tokens": 9, "messages": messages, "metadata": {"user_id": user}}
    return Conversation(json.dumps(body).encode())


def choose(script: Script, conversation: Conversation, header: str = "") -> Behaviour:
    return script.choose(PATH, conversation, header)


def test_words_become_a_behaviour() -> None:
    step = parse_step('error status=529 n=2 turn=1 retry_after=3 message="try later" usage=input:1,output:2')
    assert (step.n, step.turn) == (2, 1)
    assert step.do == Behaviour(status=529, retry_after="3", message="try later", usage={"input": 1, "output": 2})
    assert parse_step("cut cut_bytes=10").do == Behaviour(cut="rst", cut_bytes=10)
    assert parse_step("loop file=a.txt").do == Behaviour(scenario="loop", file="a.txt")


@pytest.mark.parametrize(
    "words", ["", "explode", "error status", "error status=x", "text colour=red", 'text text="open', "usage usage=a:b"]
)
def test_words_that_mean_nothing_are_refused(words: str) -> None:
    with pytest.raises((DirectiveError, ValueError)):
        parse_step(words)


def test_directive_of_the_last_prompt_counts() -> None:
    assert directives("a [[sim:text]] b [[sim:error n=1]]") == ["text", "error n=1"]
    script = Script()
    old = talk("[[sim:error]]", "sorry", "go on")
    assert choose(script, old) is HEALTHY
    reminder = talk([{"type": "text", "text": "<system-reminder>[[sim:error]]</system-reminder>hi"}])
    assert choose(script, reminder) is HEALTHY


def test_a_tool_result_is_not_a_prompt() -> None:
    use = [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t", "content": "[[sim:error status=400]]"}]
    looped = talk("[[sim:error status=529 turn=1]]", use, result)
    assert (looped.turn, looped.prompt_index) == (1, 0)
    assert choose(Script(), looped).status == 529
    assert choose(Script(), talk("[[sim:error status=529 turn=1]]")).status == 200


def test_a_counted_directive_counts_by_session() -> None:
    script = Script()
    statuses = [choose(script, talk("[[sim:error n=2]]", session=s)).status for s in ("a", "a", "b", "a", "b", "b")]
    assert statuses == [500, 500, 500, 200, 500, 200]


def test_queued_steps_in_order_then_health() -> None:
    script = Script()
    script.add_json(b'[{"n":2,"do":{"status":529}},{"do":{"status":400}}]')
    assert [choose(script, talk("hi")).status for _ in range(4)] == [529, 529, 400, 200]
    script.add(Step(do=Behaviour(status=500), n=0))
    assert [choose(script, talk("hi")).status for _ in range(3)] == [500] * 3
    script.clear()
    assert choose(script, talk("hi")) is HEALTHY


def test_conditions_of_a_step() -> None:
    for conditions, other in [
        ({"model": "claude-haiku-*"}, talk("x", model="claude-haiku-5-5")),
        ({"session": "s2"}, talk("x", session="s2")),
        ({"contains": "needle"}, talk("a needle here")),
        ({"turn": 0, "contains": "first"}, talk("first")),
    ]:
        script = Script()
        script.add(msgspec.convert({"do": {"status": 529}, **conditions}, Step))
        assert choose(script, talk("hay")).status == 200
        assert choose(script, other).status == 529
        assert choose(script, other).status == 200


def test_script_wins_over_header_wins_over_prompt_field_by_field() -> None:
    script = Script()
    script.add(Step(do=Behaviour(status=529)))
    behaviour = choose(
        script, talk("[[sim:error status=400 message=prompt retry_after=1]]"), "error status=401 message=head"
    )
    assert (behaviour.status, behaviour.message, behaviour.retry_after) == (529, "head", "1")


def test_a_script_with_a_typing_error_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        Script().add_json(b'{"do":{"statu":529}}')
    with pytest.raises(msgspec.ValidationError):
        Script().add_json(b'{"twice":2,"do":{}}')


def test_sessions_of_both_generations() -> None:
    assert talk("x", session="abc").session == "abc"
    body = {"model": "m", "max_tokens": 1, "messages": [], "metadata": {"user_id": "user_00_account__session_1-2-3"}}
    assert Conversation(json.dumps(body).encode()).session == "1-2-3"
