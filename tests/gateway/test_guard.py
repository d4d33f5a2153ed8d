"""Guards over real processes: what the provider got never holds the secret, what the client got always does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from fastgate.sim.behaviour import Behaviour
from fastgate.snapshot import GuardException, GuardRow
from tests.gateway.conftest import World
from tests.support.plane import KEY, Plane, body

AWS = "AKIA" + "Q3EGRDZ7KPLM5XWT"
SAID = f"use {AWS} for it"


@pytest.fixture(autouse=True)
def _redacting(plane: Plane) -> Iterator[None]:
    under(plane, GuardRow("secrets", "redact"))
    yield
    under(plane)


def under(plane: Plane, *rows: GuardRow) -> None:
    plane.guards = rows
    plane.publish()
    plane.wait_adopted()


def placeholder_in(world: World) -> str:
    """What the provider got in the key's place."""
    (call,) = world.calls(1)
    sent = world.simulator.body(call)
    assert AWS.encode() not in sent
    said = json.loads(sent)["messages"][0]["content"]
    assert said.startswith("use redacted_fg_")
    return str(said.split()[1])


def text_of(stream: bytes) -> str:
    events = [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")


@pytest.mark.promise("P-32", bound="every delta size from 1 to 40 characters")
@pytest.mark.parametrize("delta_chars", [1, 7, 40])
def test_a_secret_does_not_leave_and_comes_back_in_a_stream(world: World, delta_chars: int) -> None:
    world.plane.message(SAID)
    name = placeholder_in(world)
    world.simulator.script(Behaviour(text=f"so {name}, you say", delta_chars=delta_chars))
    answer = world.plane.message(SAID, stream=True)
    assert text_of(answer.body) == f"so {AWS}, you say"
    assert answer.headers["x-fastgate-guard"] == "redacted"
    assert answer.body.rstrip().rpartition(b"\n")[2].startswith(b": fastgate {")
    _, record = world.records(2)
    assert record.guard == "redacted" and record.outcome == "ok"
    ((rule, action, kind, path, match, note),) = [
        (v.rule, v.action, v.kind, v.path, v.match, v.note) for v in record.verdicts
    ]
    assert (rule, action, kind, path) == ("aws-access-key-id", "redact", "user_text", "messages[0].content")
    assert name.startswith(f"redacted_fg_{match}") and note == ""


def test_a_whole_answer_comes_back_too(world: World) -> None:
    world.plane.message(SAID)
    name = placeholder_in(world)
    world.simulator.script(Behaviour(text=f"so {name}"))
    answer = world.plane.message(SAID)
    assert answer.json()["content"][0]["text"] == f"so {AWS}"
    assert int(answer.headers.get("content-length", len(answer.body))) == len(answer.body)


WRITTEN = {
    "escaped": "\\u0041" + AWS[1:],
    "escaped twice": "\\\\u0041" + AWS[1:],
    "in hexadecimal": "".join(f"\\x{ord(sign):02x}" for sign in AWS),
    "for an address": f"%41{AWS[1:]}",
    "for a page": f"&#65;{AWS[1:]}",
    "over two lines": f"{AWS[:9]}\n    {AWS[9:]}",
    "over two numbered lines": f"{AWS[:9]}\n     2\t  {AWS[9:]}",
    "over three numbered lines": f"{AWS[:6]}\n     2→{AWS[6:13]}\n     3→{AWS[13:]}",
    "in two strings": f'"{AWS[:9]}" + "{AWS[9:]}"',
    "in two strings over lines": f"('{AWS[:9]}'\n     2\t    '{AWS[9:]}')",
    "around a zero width": f"{AWS[:9]}\u200b{AWS[9:]}",
}


@pytest.mark.promise("P-32", bound="escapes of JSON, hexadecimal, addresses and pages; line ends; strings put together")
@pytest.mark.parametrize("how", WRITTEN)
def test_a_key_does_not_leave_however_it_was_written_and_comes_back(world: World, how: str) -> None:
    """In a tool's result, and in what the model's own words made of it in a later turn."""
    shown = f"     1\tkey = {WRITTEN[how]} # prod\n"
    use = {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "settings.ini"}}
    turns = [
        {"role": "user", "content": "read it"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": shown}]},
    ]
    later = [*turns, {"role": "assistant", "content": f"It has {WRITTEN[how]}."}, {"role": "user", "content": "so?"}]
    for said in (turns, later):
        world.plane.request("POST", "/v1/messages", body("x") | {"messages": said}, x_api_key=KEY)
    calls = world.calls(2)
    for call in calls:
        sent = world.simulator.body(call).decode()
        assert not any(part in sent for part in (AWS[1:6], AWS[6:13], AWS[13:], "x51")), how
    hidden = json.loads(world.simulator.body(calls[0]))["messages"][2]["content"][0]["content"]
    assert hidden.startswith("     1\tkey = ") and hidden.endswith(" # prod\n")
    world.simulator.script(Behaviour(text=hidden, delta_chars=7))
    answer = world.plane.request("POST", "/v1/messages", body("x") | {"messages": turns, "stream": True}, x_api_key=KEY)
    assert text_of(answer.body) == shown


def test_another_call_does_not_learn_the_secret(world: World) -> None:
    world.plane.message(SAID)
    name = placeholder_in(world)
    world.simulator.script(Behaviour(text=f"so {name}"))
    assert world.plane.message("what was it?").json()["content"][0]["text"] == f"so {name}"


def test_a_refusal_is_policy_blocked_and_nothing_is_sent(world: World) -> None:
    under(world.plane, GuardRow("secrets", "block"))
    answer = world.plane.message(SAID)
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["type"] == "policy_blocked" and "aws-access-key-id" in error["message"]
    assert AWS not in error["message"]
    assert answer.headers["x-fastgate-guard"] == "blocked" and answer.headers["x-fastgate-cost"] == "0.000000000"
    record = world.record()
    assert (record.guard, record.outcome, record.error, record.cost_nano) == ("blocked", "refused", "guard", 0)
    assert world.simulator.calls()[world.seen_calls :] == []


def test_token_counting_is_screened_too(world: World) -> None:
    answer = world.plane.request("POST", "/v1/messages/count_tokens", body(SAID), x_api_key=KEY)
    assert answer.status == 200 and answer.headers["x-fastgate-guard"] == "redacted"
    call = world.simulator.calls("/v1/messages/count_tokens")[-1]
    assert AWS.encode() not in world.simulator.body(call)


def test_what_is_clean_goes_out_byte_for_byte(world: World) -> None:
    answer = world.plane.message("nothing to hide")
    assert answer.headers["x-fastgate-guard"] == "pass"
    (call,) = world.calls(1)
    assert world.simulator.body(call) == json.dumps(body("nothing to hide")).encode()
    assert world.record().verdicts == ()


def test_shadow_and_exceptions_let_through_and_say_so(world: World) -> None:
    under(world.plane, GuardRow("secrets", "block", shadow=True))
    assert world.plane.message(SAID).headers["x-fastgate-guard"] == "pass"
    under(world.plane, GuardRow("secrets", "block", exceptions=(GuardException("aws-access-key-id", "em@acme"),)))
    assert world.plane.message(SAID).status == 200
    first, second = world.records(2)
    assert [v.note for v in (*first.verdicts, *second.verdicts)] == ["shadow:block", "exception:em@acme"]


def test_guards_that_cannot_be_used_leave_those_in_force(world: World) -> None:
    world.plane.guards = (GuardRow("secrets", "block", rules=("no-such-rule",)),)
    world.plane.publish()
    deadline = time.monotonic() + 5
    while "no-such-rule" not in world.plane.log_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert world.plane.message(SAID).headers["x-fastgate-guard"] == "redacted"


def test_an_answer_that_was_stopped_says_that_it_is_json_whatever_the_provider_said(world: World) -> None:
    under(world.plane, GuardRow("exfiltration", "block", fail="closed"))
    world.simulator.script(Behaviour(body="<p>no message</p>", content_type="text/html; charset=utf-8"))
    answer = world.plane.message()
    assert "guard rule exfiltration" in answer.json()["content"][0]["text"]
    assert answer.headers["content-type"] == "application/json"
    under(world.plane, GuardRow("exfiltration", "block"))
    world.simulator.script(Behaviour(body="<p>no message</p>", content_type="text/html; charset=utf-8"))
    answer = world.plane.message()
    assert answer.body == b"<p>no message</p>" and answer.headers["content-type"] == "text/html; charset=utf-8"
