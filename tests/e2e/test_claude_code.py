"""The real Claude Code works through the gateway as it works without: text, tools, sub-agents, recovery, auto mode."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.scenario import DEFAULT_TOKENS, EDIT_MARK, filler
from tests.e2e.conftest import Route, assert_credential
from tests.support.claude import Claude

pytestmark = pytest.mark.e2e

TEXT = filler(DEFAULT_TOKENS).strip()


def test_text(route: Route, claude: Claude) -> None:
    run = claude.run("say hi")
    assert (run.out, run.code) == (TEXT, 0)
    (call,) = route.calls(1)
    assert call.started.stream and call.started.path.startswith("/v1/messages")
    assert call.ended is not None and call.ended.outcome == "complete" and call.ended.told == call.started.usage
    body = json.loads(route.upstream.body(call))
    assert body["max_tokens"] == 128000 or body["max_tokens"] == 64000
    assert any(message["role"] == "system" for message in body["messages"])
    assert "interleaved-thinking-2025-05-14" in call.header("anthropic-beta")


def test_read_edit_bash_loop_changes_the_file(route: Route, claude: Claude) -> None:
    notes = claude.project / "notes.txt"
    notes.write_text("first line\nsecond line\n")
    run = claude.run("please edit notes.txt")
    assert notes.read_text() == f"first line{EDIT_MARK}\nsecond line\n"
    assert run.code == 0 and f"first line{EDIT_MARK}" in run.out, run
    calls = route.calls(4)
    assert [call.started.turn for call in calls] == [0, 1, 2, 3]
    assert len({call.started.session for call in calls}) == 1
    assert all(call.started.usage.cache_read_tokens > 0 for call in calls[1:])


def test_parallel_tools(route: Route, claude: Claude) -> None:
    run = claude.run("run three commands in parallel")
    assert run.code == 0 and all(f"parallel-{number}" in run.out for number in (1, 2, 3)), run
    assert "3 results" in run.out
    route.calls(2)


def test_a_sub_agent_answers_and_its_parent_reports(route: Route, claude: Claude) -> None:
    run = claude.run("ask a sub-agent", "--output-format", "stream-json", "--verbose")
    assert run.code == 0, run
    first, below, last = route.calls(3)
    assert [call.started.turn for call in (first, below, last)] == [0, 0, 1]
    assert first.started.session == below.started.session == last.started.session
    assert b"Words from below." in route.upstream.body(last)
    if route.direct:
        assert below.header("x-claude-code-agent-id") and not first.header("x-claude-code-agent-id")


def test_signed_thinking_comes_back_unchanged(route: Route, claude: Claude) -> None:
    """The upstream refuses a conversation whose thinking signature was touched, as the provider does."""
    first = claude.run("please think", "--session-id", "0f0e0d0c-0b0a-4908-8706-050403020100")
    second = claude.run("and again", "--resume", "0f0e0d0c-0b0a-4908-8706-050403020100")
    assert (first.code, second.code) == (0, 0), (first, second)
    _, last = route.calls(2)
    assert last.started.status == 200
    contents = [message["content"] for message in json.loads(route.upstream.body(last))["messages"]]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    assert any(block["type"] == "thinking" and block["signature"] for block in blocks)


@pytest.mark.parametrize("kind", ["overloaded_error", "api_error"])
def test_an_error_in_mid_stream_is_replayed_without_streaming(route: Route, claude: Claude, kind: str) -> None:
    route.upstream.script(Behaviour(error_at=5, error_type=kind, message="busy"), stream=True)
    run = claude.run("say hi")
    assert (run.out, run.code) == (TEXT, 0)
    failed, replay = route.calls(2)
    assert (failed.started.stream, replay.started.stream) == (True, False)
    assert failed.ended is not None and failed.ended.told.output_tokens > 0, "the failed stream is billed too"
    asked, again = (json.loads(route.upstream.body(call)) for call in (failed, replay))
    assert asked["messages"] == again["messages"]


def test_a_stream_that_is_cut_is_sent_again(route: Route, claude: Claude) -> None:
    route.upstream.script(Behaviour(cut="rst", cut_event=6), stream=True)
    run = claude.run("say hi", CLAUDE_CODE_MAX_RETRIES="1")
    assert (run.out, run.code) == (TEXT, 0)
    cut, again = route.calls(2)
    assert cut.ended is not None and cut.ended.outcome == "cut" and again.started.status == 200


@pytest.mark.parametrize("verdicts", [True, False])
def test_auto_mode_needs_the_verdicts_carried_both_ways(route: Route, claude: Claude, verdicts: bool) -> None:
    """The upstream's double of the safety check says yes. Without its verdicts the client refuses to run the command,
    so a gateway that dropped the request's field, its beta or the answer's key would fail the first case."""
    (claude.project / "notes.txt").write_text("first line\n")
    words = "" if verdicts else "safeguards=false "
    prompt = f"""edit notes.txt [[sim:loop {words}command="sh -c 'echo ran | tee made.txt'"]]"""
    run = claude.run(prompt, "--permission-mode", "auto")
    calls = route.calls(4)
    body = json.loads(route.upstream.body(calls[0]))
    assert body["safeguards"][0]["type"] == "dangerous_tool_use"
    assert "dangerous-tool-use-" in calls[0].header("anthropic-beta")
    made = claude.project / "made.txt"
    assert made.exists() == verdicts, run
    assert (run.code == 0) == verdicts


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_both_forms_of_the_credential(route: Route, tmp_path: Path, variable: str) -> None:
    claude = Claude(tmp_path, route.url, {variable: route.key})
    assert claude.run("say hi").out == TEXT
    (call,) = route.calls(1)
    assert_credential(route, call, bearer=variable == "ANTHROPIC_AUTH_TOKEN")


@pytest.mark.parametrize("wrong", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_both_credentials_at_once_need_one_valid(through: Route, tmp_path: Path, wrong: str) -> None:
    both = {"ANTHROPIC_API_KEY": through.key, "ANTHROPIC_AUTH_TOKEN": through.key}
    claude = Claude(tmp_path, through.url, both | {wrong: "sk-somebody-elses-0123456789"})
    assert claude.run("say hi").out == TEXT
    (call,) = through.calls(1)
    assert_credential(through, call, bearer=False)


@pytest.mark.parametrize("suffix", ["/", "/v1", "/v1/"])
def test_base_url_with_and_without_v1(through: Route, tmp_path: Path, suffix: str) -> None:
    claude = Claude(tmp_path, through.url + suffix, {"ANTHROPIC_AUTH_TOKEN": through.key})
    run = claude.run("say hi")
    assert (run.out, run.code) == (TEXT, 0)
    (call,) = through.calls(1)
    assert call.started.path.partition("?")[0] == "/v1/messages"


def test_a_key_that_is_not_known_costs_one_request(through: Route, tmp_path: Path) -> None:
    claude = Claude(tmp_path, through.url, {"ANTHROPIC_AUTH_TOKEN": "sk-fg-nobody-0123456789abcdef0123456789"})
    run = claude.run("say hi")
    assert run.code == 1 and run.out.startswith("Failed to authenticate. API Error: 401"), run
    assert run.seconds < 20, "ten retries take three minutes"
    through.calls(0)
