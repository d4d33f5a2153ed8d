"""The exact cache on the running data plane: what hits, what never does, and what a hit looks like. The upstream's log
is the oracle of what was bought."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastgate.caching.forms import message_of
from fastgate.snapshot import GuardRow
from tests.gateway.test_fronts import BEDROCK, VERTEX, bedrock_body, events_of, vertex_body
from tests.support.caching import OTHER_KEY, THIRD_KEY, cache_of, closing_of, set_policy, twice, without_closing
from tests.support.plane import CACHE, KEY, Answer, Plane, body, endpoint
from tests.support.sim import SimProcess


def test_four_readings_of_package_json_cost_one(plane: Plane, simulator: SimProcess) -> None:
    before = plane.recorded()
    answers = [plane.message("What does package.json say? (four)") for _ in range(4)]
    assert [cache_of(answer) for answer in answers] == ["miss", "hit", "hit", "hit"]
    assert len({answer.body for answer in answers}) == 1
    assert len(simulator.settled(1)) == 1
    records = plane.settled(before + 4)[before:]
    paid = records[0].cost_nano
    assert paid > 0
    assert [(r.cost_nano, r.saved_nano) for r in records] == [(paid, 0), (0, paid), (0, paid), (0, paid)]
    assert [(r.cost_asked_nano, r.cache, r.outcome) for r in records[1:]] == [(paid, "hit", "ok")] * 3
    assert (records[1].model_used, records[1].endpoint, records[1].attempts) == ("claude-sonnet-5-5", "", [])
    for answer in answers[1:]:
        assert answer.headers["x-fastgate-cost"] == "0.000000000"
        assert answer.headers["x-fastgate-saved"] == answers[0].headers["x-fastgate-cost"]
        assert answer.headers["x-fastgate-provider"] == "up"
        assert answer.headers["x-agentcc-cache"] == "hit"


def test_a_stream_is_given_again_byte_for_byte(plane: Plane, simulator: SimProcess) -> None:
    first = plane.message("A stream, please.", stream=True)
    again = plane.message("A stream, please.", stream=True)
    assert (cache_of(first), cache_of(again)) == ("miss", "hit")
    assert without_closing(first.body) == without_closing(again.body)
    assert again.headers["content-type"].startswith("text/event-stream")
    assert again.headers["x-fastgate-cost"] == "0.000000000"
    assert closing_of(again.body)["cost"] == "0.000000000"
    assert again.headers["x-fastgate-saved"] == closing_of(first.body)["cost"]
    assert len(simulator.settled(1)) == 1


@pytest.mark.parametrize("scenario", ["text", "thinking", "loop"])
def test_each_form_is_told_in_the_other(plane: Plane, simulator: SimProcess, scenario: str) -> None:
    """What was streamed is answered whole, and the other way round, as the provider would have said it."""
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "Edit", "Bash")]
    asks = {"text": "two forms", "thinking": "think in two forms", "loop": "look into main.py in two forms"}[scenario]
    streamed = plane.message(asks + " s", stream=True, tools=tools)
    whole = plane.message(asks + " s", tools=tools)
    assert (cache_of(streamed), cache_of(whole)) == ("miss", "hit")
    first = plane.message(asks + " w", tools=tools)
    told = plane.message(asks + " w", stream=True, tools=tools)
    assert (cache_of(first), cache_of(told)) == ("miss", "hit")
    assert len(simulator.settled(2)) == 2
    assert whole.headers["content-type"].startswith("application/json")
    assert whole.json()["usage"] == first.json()["usage"]
    assert [b["type"] for b in whole.json()["content"]] == [b["type"] for b in first.json()["content"]]
    assert json.loads(message_of(told.body)) == first.json()


def test_what_does_not_count_still_hits_and_what_counts_misses(plane: Plane, simulator: SimProcess) -> None:
    plane.message("the same question")
    marked = [{"type": "text", "text": "the same question", "cache_control": {"type": "ephemeral"}}]
    same: list[dict[str, Any]] = [
        {"metadata": {"user_id": "somebody else"}},
        {"messages": [{"content": marked, "role": "user"}]},
        {"stream": True},
    ]
    for changes in same:
        assert cache_of(plane.message("the same question", **changes)) == "hit", changes
    assert cache_of(plane.request(
        "POST", "/v1/messages?beta=true", json.dumps(body("the same question"), indent=3).encode(),
        x_api_key=KEY, user_agent="another", x_claude_code_session_id="s2", x_stainless_retry_count="3",
    )) == "hit"  # fmt: skip
    other: list[dict[str, Any]] = [
        {"max_tokens": 1025},
        {"system": "be brief"},
        {"model": "claude-haiku-4-5"},
        {"headers": {"anthropic_beta": "context-1m-2025-08-07"}},
        {"headers": {"anthropic_version": "2026-10-21"}},
    ]
    for changes in other:
        assert cache_of(plane.message("the same question", **changes)) == "miss", changes
    one = plane.message("betas", headers={"anthropic_beta": "a-1,b-2"})
    two = plane.message("betas", headers={"anthropic_beta": "b-2, a-1"})
    assert (cache_of(one), cache_of(two)) == ("miss", "hit")


def test_teams_never_meet(plane: Plane) -> None:
    assert cache_of(plane.message("whose answer", key=KEY)) == "miss"
    assert cache_of(plane.message("whose answer", key=OTHER_KEY)) == "hit"
    assert cache_of(plane.message("whose answer", key=THIRD_KEY)) == "miss"


@pytest.mark.parametrize(("width", "expected"), [
    ("org", ["miss", "hit", "hit", "hit"]), ("team", ["miss", "hit", "miss", "hit"]),
    ("user", ["miss", "miss", "miss", "hit"]), ("key", ["miss", "miss", "miss", "hit"]),
    ("session", ["miss", "miss", "miss", "miss"]),
])  # fmt: skip
def test_the_namespace_says_who_shares(plane: Plane, width: str, expected: list[str]) -> None:
    set_policy(plane, width=width)
    got = [
        cache_of(plane.message(f"of {width}", key=key, headers={"x_claude_code_session_id": session}))
        for key, session in ((KEY, "s1"), (OTHER_KEY, "s1"), (THIRD_KEY, "s1"), (KEY, "s2"))
    ]
    assert got == expected
    if width == "session":
        assert cache_of(plane.message(f"of {width}", headers={"x_claude_code_session_id": "s1"})) == "hit"
        assert cache_of(plane.message(f"of {width}")) == "bypass"


@pytest.mark.parametrize(("changes", "expected"), [
    ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, ("bypass", "bypass")),
    ({"safeguards": [{"type": "dangerous_tool_use", "classifier_context": {}}]}, ("bypass", "bypass")),
    ({"temperature": 1.0}, ("bypass", "bypass")),
    ({"temperature": 0}, ("miss", "hit")),
    ({"temperature": 0.0, "stream": True}, ("miss", "hit")),
])  # fmt: skip
def test_what_no_answer_is_kept_for(plane: Plane, changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert twice(plane, f"no-store {changes}", **changes) == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "pause_turn", "model_context_window_exceeded"])
def test_an_answer_that_did_not_end_by_itself_is_not_kept(plane: Plane, reason: str, stream: bool) -> None:
    assert twice(plane, f"[[sim:text stop_reason={reason}]] {stream}", stream=stream) == ("miss", "miss")


@pytest.mark.parametrize("directive", [
    "[[sim:error status=529]]", "[[sim:error status=400]]", "[[sim:usage usage_form=missing]]",
    "[[sim:usage usage=input:10,output:20,web_search:1]]",
])  # fmt: skip
def test_errors_and_doubtful_answers_are_not_kept(plane: Plane, directive: str) -> None:
    for stream in (False, True):
        assert twice(plane, f"{directive} {stream}", stream=stream) == ("miss", "miss")


@pytest.mark.parametrize("directive", ["[[sim:cut cut=fin cut_event=4 tokens=40]]", "[[sim:sse-error error_at=4]]"])
def test_a_stream_that_broke_off_is_not_kept(plane: Plane, directive: str) -> None:
    for _ in range(2):
        try:
            assert cache_of(plane.message(directive, stream=True)) == "miss"
        except http.client.HTTPException:
            pass
    assert cache_of(plane.message(directive.replace("sim:", "nothing:"), stream=True)) == "miss"


def test_count_tokens_is_kept_and_free(plane: Plane, simulator: SimProcess) -> None:
    def count() -> Answer:
        question = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "count me"}]}
        return plane.request("POST", "/v1/messages/count_tokens?beta=true", question, x_api_key=KEY)

    first, second = count(), count()
    assert (cache_of(first), cache_of(second)) == ("miss", "hit")
    assert first.json() == second.json()
    assert len(simulator.calls("/v1/messages/count_tokens")) == 1
    set_policy(plane, count_tokens=False)
    assert cache_of(count()) == "bypass"


def test_no_cache_no_look(plane: Plane) -> None:
    plane.cache = None
    plane.publish()
    time.sleep(0.15)
    assert twice(plane, "without a cache") == ("bypass", "bypass")


# -- overrides --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["x_fastgate_cache", "x_agentcc_cache"])
def test_overrides(plane: Plane, simulator: SimProcess, prefix: str) -> None:
    def ask(text: str, **said: str) -> str:
        headers = {prefix + name: value for name, value in said.items()}
        return cache_of(plane.message(f"{prefix} {text}", headers=headers))

    assert [ask("bypass", **{"": "bypass"}) for _ in range(2)] == ["bypass", "bypass"]
    assert ask("bypass") == "miss"
    assert [ask("no-store", **{"": "no-store"}) for _ in range(2)] == ["miss", "miss"]
    assert [ask("fresh") for _ in range(2)] == ["miss", "hit"]
    assert [ask("fresh", _force_refresh="true"), ask("fresh", **{"": "no-cache"})] == ["refresh", "refresh"]
    assert ask("fresh") == "hit"
    assert [ask("named", _namespace=name) for name in ("a", "b", "a")] == ["miss", "miss", "hit"]
    assert ask("named") == "miss"
    assert [ask("short", _ttl="1s"), ask("short", _ttl="1s")] == ["miss", "hit"]
    time.sleep(1.05)
    assert ask("short") == "miss"
    assert ask("short", _ttl="5m") == "hit"
    assert all("x-fastgate-cache" not in call.started.headers for call in simulator.calls())


@pytest.mark.parametrize(("name", "value"), [
    ("x_fastgate_cache", "sometimes"), ("x_fastgate_cache_ttl", "soon"), ("x_fastgate_cache_ttl", "0"),
    ("x_fastgate_cache_namespace", "a b"), ("x_agentcc_cache_force_refresh", "maybe"), ("x_fastgate_cache_tll", "5"),
])  # fmt: skip
def test_an_override_that_cannot_be_read_is_refused(plane: Plane, name: str, value: str) -> None:
    answer = plane.message("refused", headers={name: value})
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "cache" in answer.json()["error"]["message"]


def test_overrides_may_be_forbidden(plane: Plane) -> None:
    set_policy(plane, overrides=False)
    said = {"x_fastgate_cache": "bypass", "x_fastgate_cache_ttl": "soon"}
    assert twice(plane, "not for you", headers=said) == ("miss", "hit")


def test_overrides_may_be_denied_to_a_key(plane: Plane) -> None:
    set_policy(plane, overrides_denied=("alice-*",))
    said = {"x_fastgate_cache": "bypass"}
    assert twice(plane, "not for alice", headers=said) == ("miss", "hit")
    assert twice(plane, "but for bob", headers=said, key=OTHER_KEY) == ("bypass", "bypass")


def test_a_key_may_be_without_overrides(plane: Plane) -> None:
    plane.keys = [msgspec.structs.replace(row, cache_overrides=row.key != "alice-laptop") for row in plane.keys]
    plane.publish()
    plane.wait_adopted()
    for said in (
        {"x_fastgate_cache": "bypass"},
        {"x_agentcc_cache_force_refresh": "true"},
        {"x_fastgate_cache_ttl": "no"},
    ):
        text = f"alice says {said}"
        assert twice(plane, text, headers=said) == ("miss", "hit")
    assert twice(plane, "bob may", headers={"x_fastgate_cache": "bypass"}, key=OTHER_KEY) == ("bypass", "bypass")


# -- what outlives the worker -----------------------------------------------------------------------------------------


def test_answers_survive_a_restart(simulator: SimProcess, tmp_path: Path) -> None:
    made = Plane(tmp_path, (endpoint(simulator.url),), cache=CACHE).start()
    first = made.message("remember me", stream=True)
    made.stop()
    again = Plane(tmp_path, (endpoint(simulator.url),), cache=CACHE).start()
    try:
        second = again.message("remember me", stream=True)
        assert (cache_of(first), cache_of(second)) == ("miss", "hit")
        assert without_closing(first.body) == without_closing(second.body)
    finally:
        again.stop()


def test_clients_of_other_dialects_share_the_answers(plane: Plane, simulator: SimProcess) -> None:
    """A Bedrock client's repeat is given as frames, and a Vertex client's as events; each asks in its own words."""
    for path, sent in (
        (f"{BEDROCK}-with-response-stream", bedrock_body("in frames")),
        (f"{VERTEX}:streamRawPredict", vertex_body("in events", stream=True)),
        (BEDROCK, bedrock_body("whole")),
    ):
        first, second = (plane.request("POST", path, sent, authorization=f"Bearer {KEY}") for _ in range(2))
        assert (cache_of(first), cache_of(second)) == ("miss", "hit"), path
        assert first.headers["content-type"] == second.headers["content-type"]
        if path == BEDROCK:
            assert first.body == second.body
        elif path.startswith(BEDROCK):
            assert events_of(first) == events_of(second)
        else:
            assert without_closing(first.body) == without_closing(second.body)
    assert len(simulator.settled(3)) == 3


def test_what_a_guard_redacted_is_never_kept(plane: Plane, simulator: SimProcess) -> None:
    plane.guards = (GuardRow(use="secrets", action="redact"),)
    plane.publish()
    plane.wait_adopted()
    try:
        secret = "AKIA" + "Q3EGRDZ7KPLM5XWT"
        assert twice(plane, f"export AWS_ACCESS_KEY_ID={secret}") == ("bypass", "bypass")
        assert secret.encode() not in b"".join(simulator.body(call) for call in simulator.settled(2))
        assert twice(plane, "nothing to hide") == ("miss", "hit")
    finally:
        plane.guards = ()
        plane.publish()
        plane.wait_adopted()
