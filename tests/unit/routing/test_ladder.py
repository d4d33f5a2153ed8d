"""The ladder: rules in order, what cannot be moved, never dearer than staying, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgate._core.usage import Usage
from fastgate.record import Step
from fastgate.routing.ladder import CEILING, STAGE, THROTTLED
from fastgate.routing.ladder_prices import expected_nano, prompt_tokens
from fastgate.routing.ladder_replay import replay_rule
from fastgate.snapshot import RuleRow
from tests.support.flights import record
from tests.support.ladder import HAIKU, OPUS, SONNET, Stand
from tests.support.plane import endpoint

WARM = Usage.of(cache_read_tokens=178_000, cache_write_5m_tokens=2_000, output_tokens=500)
LONG = "x" * 700_000


def no_stage() -> str:
    return ""


def test_the_first_rule_that_holds_decides(tmp_path: Path) -> None:
    rules = (
        RuleRow(to=HAIKU, request_class=("auxiliary",)),
        RuleRow(to=OPUS, who={"team": "plat*"}, model="claude-opus-*", tags={"p": "checkout"}),
        RuleRow(to=SONNET, who={"team": "plat*"}, tags={"p": "sh*"}),
        RuleRow(to=HAIKU),
    )
    stand = Stand(tmp_path, rules)
    title = stand.call(headers={"x-claude-code-request-class": "auxiliary"})
    stand.ladder.apply(title, no_stage)
    assert (title.model_used, title.routed, title.model_asked) == (HAIKU, "rule;1", OPUS)
    assert json.loads(title.body)["model"] == HAIKU == title.request.model  # type: ignore[union-attr]
    main = stand.call()
    stand.ladder.apply(main, no_stage)
    assert (main.model_used, main.routed) == (SONNET, "rule;3")


def test_a_call_under_no_rule_is_untouched(tmp_path: Path) -> None:
    stand = Stand(tmp_path, (RuleRow(to=HAIKU, who={"user": "bob"}),))
    call = stand.call()
    body = call.body
    stand.ladder.apply(call, no_stage)
    assert (call.body, call.routed, call.ladder, call.decided) == (body, "", None, False)


def test_a_warm_session_is_not_moved_to_a_cold_cheaper_model(tmp_path: Path) -> None:
    stand = Stand(tmp_path, (RuleRow(to=HAIKU),))
    cold = stand.call(LONG, session="new")
    stand.ladder.apply(cold, no_stage)
    assert cold.model_used == HAIKU, "a new conversation is cheaper there from its first turn"
    stand.learn(stand.call(LONG), WARM)
    warm = stand.call(LONG)
    stay, move = expected_nano(stand.router, warm, OPUS), expected_nano(stand.router, warm, HAIKU)
    assert stay < move, "otherwise this test says nothing"
    stand.ladder.apply(warm, no_stage)
    assert (warm.model_used, warm.routed, warm.decided) == (OPUS, "kept;dearer", True)
    assert warm.ladder[:6] == (0, OPUS, HAIKU, "dearer", stay, move)
    assert warm.decision is None and warm.home == ""
    for why in ("downgrade", "ceiling"):
        step = stand.call(LONG)
        moved = stand.ladder.lower(step, "month", why)
        assert (moved, step.model_used) == ((False, OPUS) if why == "downgrade" else (True, SONNET))
        assert step.ladder[0] == (STAGE if why == "downgrade" else CEILING)


@given(st.integers(0, 400_000), st.integers(0, 20_000), st.integers(1, 8_000), st.sampled_from([OPUS, SONNET, HAIKU]),
       st.sampled_from([OPUS, SONNET, HAIKU]), st.booleans())  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_moved_is_never_expected_to_be_dearer(
    tmp_path_factory: pytest.TempPathFactory, read: int, write: int, output: int, asked: str, to: str, known: bool
) -> None:
    stand = Stand(
        tmp_path_factory.mktemp("l"), (RuleRow(to=to),),
        endpoints=(endpoint("http://127.0.0.1:9", "a"), endpoint("http://127.0.0.1:9", "b")),
    )  # fmt: skip
    if known:
        usage = Usage.of(cache_read_tokens=read, cache_write_5m_tokens=write, output_tokens=output)
        stand.learn(stand.call("y" * 50_000, asked), usage, "b")
    call = stand.call("y" * 50_000, asked)
    stay, move = expected_nano(stand.router, call, asked), expected_nano(stand.router, call, to)
    stand.ladder.apply(call, no_stage)
    moves = move <= stay and asked != to
    if call.ladder is not None:
        told = record("fg-0-1", ladder=Step(*call.ladder))
        assert replay_rule(told, stand.ladder.rules) == (0, to, "" if moves else "dearer")
    assert call.model_used == (to if moves else asked)
    assert call.routed == ("rule;1" if moves else "" if asked == to else "kept;dearer")


def test_tokens_are_the_whole_prompt_and_what_is_new(tmp_path: Path) -> None:
    stand = Stand(tmp_path, (RuleRow(to=HAIKU, new_input_tokens=(None, 1000), input_tokens=(100_000, None)),))
    first = stand.call(LONG)
    assert prompt_tokens(stand.router, first, OPUS)[0] == prompt_tokens(stand.router, first, OPUS)[1] > 100_000
    stand.ladder.apply(first, no_stage)
    assert (first.model_used, first.decided) == (OPUS, False), "all of it is new"
    stand.learn(first, WARM)
    call = stand.call(LONG)
    whole, new = prompt_tokens(stand.router, call, OPUS)
    assert (whole, new) == (180_000, 0)
    stand.ladder.apply(call, no_stage)
    assert (call.routed, call.ladder[7:9]) == ("kept;dearer", (180_000, 0))


def test_stages_are_asked_for_where_a_rule_names_one(tmp_path: Path) -> None:
    stand = Stand(
        tmp_path, (RuleRow(to=HAIKU, who={"user": "bob"}, stage="alert"), RuleRow(to=HAIKU, stage="downgrade"))
    )
    for now, model in (("", OPUS), ("alert", OPUS), ("downgrade", HAIKU), ("pause", HAIKU)):
        said = [now]
        call = stand.call()
        stand.ladder.apply(call, said.pop)
        assert (call.model_used, said) == (model, []), "asked once, and not for the rule that is not about this user"


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
USE = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]}
USED = {"role": "assistant", "content": [USE]}
ASIDE = {"role": "system", "content": "the date has changed"}


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        ([{"role": "assistant", "content": [THOUGHT, USE]}, RESULT], True),
        ([{"role": "assistant", "content": [THOUGHT, USE]}, RESULT, ASIDE], True),
        ([{"role": "assistant", "content": [THOUGHT, USE]}, ASIDE, RESULT], True),
        ([{"role": "assistant", "content": [THOUGHT, USE]}, RESULT, USED, RESULT], True),
        ([{"role": "assistant", "content": [USE]}, RESULT], False),
        ([{"role": "assistant", "content": [THOUGHT]}, {"role": "user", "content": "go on"}], False),
        ([{"role": "assistant", "content": [THOUGHT, USE]}, RESULT, {"role": "assistant", "content": "done"},
          {"role": "user", "content": "next"}, {"role": "assistant", "content": [USE]}, RESULT], False),
    ],
)  # fmt: skip
def test_a_turn_with_open_thinking_keeps_its_model(tmp_path: Path, tail: list[object], kept: bool) -> None:
    stand = Stand(tmp_path, (RuleRow(to=HAIKU),))
    call = stand.call(messages=[{"role": "user", "content": "go"}, *tail])
    stand.ladder.apply(call, no_stage)
    assert call.routed == ("kept;open-thinking" if kept else "rule;1")


def test_an_opted_out_key_keeps_its_model_whatever_happens(tmp_path: Path) -> None:
    stand = Stand(tmp_path, (RuleRow(to=HAIKU),), opt_out=("alice-*",))
    call = stand.call()
    stand.ladder.apply(call, no_stage)
    assert not stand.ladder.lower(call, "b", "downgrade") and not stand.ladder.lower(call, "b", "ceiling")
    assert not stand.ladder.descend(call)
    assert (call.model_used, call.routed) == (OPUS, "")


def test_targets_that_may_not_or_cannot_serve_are_told(tmp_path: Path) -> None:
    only = endpoint(
        "http://127.0.0.1:9",
        "a",
        models={OPUS: OPUS, SONNET: SONNET, "claude-haiku-4-5": "claude-haiku-4-5"},
        models_only=True,
    )
    stand = Stand(
        tmp_path, (RuleRow(to=HAIKU, model=OPUS), RuleRow(to="claude-haiku-4-5", model=SONNET)), endpoints=(only,)
    )
    for call, kept in (
        (stand.call(models=("claude-opus-*",)), "not-allowed"),
        (stand.call(), "not-served"),
        (stand.call(model=SONNET, messages=[{"role": "user", "content": 7}]), "shape"),
        (stand.call(model=SONNET, messages=[{"role": "user", "content": "a"}, ASIDE]), "shape"),
        (stand.call(LONG, SONNET), ""),
        (stand.call("x" * 2_000_000, SONNET), "context"),
    ):
        stand.ladder.apply(call, no_stage)
        assert call.routed == (f"kept;{kept}" if kept else "rule;2")


def test_an_older_family_gets_what_it_can_take(tmp_path: Path) -> None:
    stand = Stand(tmp_path, (RuleRow(to="claude-haiku-4-5"),))
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    call = stand.call(
        "title, please", max_tokens=128_000, thinking={"type": "adaptive", "display": "omitted"},
        context_management={"edits": []}, output_config={"effort": "medium", "format": schema},
        metadata={"user_id": "ü"},
    )  # fmt: skip
    asked = json.loads(call.body)
    stand.ladder.apply(call, no_stage)
    assert call.routed == "rule;1;left-out;max_tokens,thinking,context_management,effort"
    sent = json.loads(call.body)
    assert sent.pop("output_config") == {"format": schema}
    assert (sent.pop("model"), sent.pop("max_tokens")) == ("claude-haiku-4-5", 64_000)
    assert sent == {name: asked[name] for name in ("messages", "system", "metadata")}


def test_a_throttled_model_is_left_step_by_step(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.learn(stand.call(LONG), WARM)
    call = stand.call(LONG)
    assert stand.ladder.descend(call), "staying is no answer at all, so its price is no question"
    assert (call.model_used, call.routed, call.ladder[0]) == (SONNET, f"throttled;{OPUS}", THROTTLED)
    assert stand.ladder.descend(call)
    assert (call.model_used, call.model_asked, call.routed) == (HAIKU, OPUS, f"throttled;{SONNET}")
    assert not stand.ladder.descend(call)
