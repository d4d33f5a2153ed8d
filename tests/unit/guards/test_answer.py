"""Guards of answers: streams held back no further than needed, changed, or ended in a form that clients survive."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.restore import PREFIX, Restorer
from fastgate.guards import engine
from fastgate.guards.answer import NO_MESSAGE, NOT_ALL, Watch, notice, stopped_message
from fastgate.guards.rule import Rule, Scanner
from fastgate.guards.screen import Guards
from fastgate.snapshot import GuardRow, KeyRow

LINK = Rule(
    id="bad-link", title="a bad link", pattern="https://evil\\.example/[a-z]{1}", exact="https://evil\\.example/[a-z]+",
    kinds=frozenset({"answer_text", "answer_tool_input"}), hold=40, samples=("https://evil.example/x",),
)  # fmt: skip
WHO = KeyRow(b"", "k", "u", "t", "acme", "", {}, (), 0)
BAD = "https://evil.example/abc"
HIDDEN = PREFIX.decode() + "a" * 20
SECRET = b"AKIA0123456789ABCDEF"


def watch(action: str, rule: Rule = LINK, **more: Any) -> tuple[Watch, list[Any]]:
    scanners = {"links": Scanner(name="links", title="links", rules=(rule,))}
    guards = Guards([GuardRow("links", action, **more)], b"p" * 32, scanners=scanners)
    noted: list[Any] = []
    restorer = Restorer.of({HIDDEN.encode(): SECRET})
    return Watch(guards, WHO, guards.policy.actions(WHO), (), list.append, noted, restorer), noted


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()


def stream(text: str, given_: str, size: int, stop: str = "tool_use") -> bytes:
    """A text block, a tool call, and the end."""
    out = event("message_start", message={"content": []})
    out += event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for at in range(0, len(text), size):
        out += event("content_block_delta", index=0, delta={"type": "text_delta", "text": text[at : at + size]})
    out += event("content_block_stop", index=0)
    tool = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    out += event("content_block_start", index=1, content_block=tool)
    for at in range(0, len(given_), size):
        delta = {"type": "input_json_delta", "partial_json": given_[at : at + size]}
        out += event("content_block_delta", index=1, delta=delta)
    out += event("content_block_stop", index=1)
    out += event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 7})
    return out + event("message_stop")


def heard(answer: bytes) -> tuple[dict[int, str], str]:
    """Text of each block, and the stop reason; fails where a block's events are out of order."""
    texts: dict[int, str] = {}
    reason, open_block = "", -1
    for raw in answer.split(b"\n\n")[:-1]:
        data = json.loads(raw.partition(b"data: ")[2])
        if data["type"] == "content_block_start":
            assert open_block == -1
            open_block = data["index"]
            texts[open_block] = ""
        elif data["type"] == "content_block_delta":
            assert data["index"] == open_block
            texts[open_block] += data["delta"].get("text", data["delta"].get("partial_json", ""))
        elif data["type"] == "content_block_stop":
            assert data["index"] == open_block
            open_block = -1
        elif data["type"] == "message_delta":
            reason = data["delta"]["stop_reason"]
    assert open_block == -1
    return texts, reason


def through(tap: Watch, raw: bytes, step: int) -> bytes:
    return b"".join(tap.feed(raw[at : at + step]) for at in range(0, len(raw), step)) + tap.finish()


WORDS = st.lists(st.sampled_from([BAD, HIDDEN, " and ", "https://", "→", "evil.example/", "x" * 30]), max_size=6)


@given(WORDS, st.integers(1, 50), st.integers(1, 400))
def test_redacting_is_the_same_whatever_the_deltas_and_reads(words: list[str], size: int, step: int) -> None:
    text = " ".join(words)
    raw = stream(text, json.dumps({"command": text}), size)
    tap, noted = watch("redact")
    texts, reason = heard(through(tap, raw, step))
    expected = re.sub(r"https://evil\.example/[a-z]+", "[removed: bad-link]", text).replace(HIDDEN, SECRET.decode())
    assert texts[0] == expected
    assert json.loads(texts[1]) == {"command": expected}
    assert reason == "tool_use"
    assert len(noted) == 2 * len(re.findall(r"https://evil\.example/[a-z]+", text))


@pytest.mark.parametrize("size", [1, 9, 500])
def test_a_text_that_is_stopped_ends_as_answers_end(size: int) -> None:
    tap, noted = watch("block")
    texts, reason = heard(through(tap, stream(f"see {BAD} now", "{}", size), 50))
    assert texts == {0: f"see \n\n{notice('bad-link')}"}
    assert reason == "end_turn"
    assert noted[0][:4] == ("bad-link", "block", "answer_text", "")


@pytest.mark.parametrize("size", [1, 9, 500])
def test_a_tool_call_that_is_stopped_is_never_released(size: int) -> None:
    tap, noted = watch("block")
    answer = through(tap, stream("fine", json.dumps({"command": f"curl {BAD}"}), size), 50)
    texts, reason = heard(answer)
    assert texts == {0: "fine", 1: notice("bad-link")}
    assert reason == "end_turn" and b"tool_use" not in answer and b'"output_tokens": 7' in answer
    assert noted[0][:4] == ("bad-link", "block", "answer_tool_input", "Bash")


def test_logging_delays_no_text_and_changes_nothing() -> None:
    tap, noted = watch("log")
    raw = stream(f"see {BAD} now", json.dumps({"command": BAD}), 7)
    text_events = raw.partition(b"event: content_block_stop")[0]
    assert len(tap.feed(text_events)) > len(text_events) - 40
    assert tap.hold == 0
    rest = tap.feed(raw[len(text_events) :]) + tap.finish()
    assert heard(text_events + rest)[0][1] == json.dumps({"command": BAD})
    assert [verdict[1] for verdict in noted] == ["log", "log"]


@pytest.mark.parametrize("action", ["redact", "block"])
@pytest.mark.parametrize(
    "given_",
    [f'{{}}}}],"x":[{{"b":{{"c":"{BAD}"}}', f'{{"c":"{BAD}"}}}}],"content":[{{"type":"tool_use","input":{{}}'],
)
def test_a_streamed_input_that_closes_its_own_frame_is_looked_at_whole(action: str, given_: str) -> None:
    out = watch(action)[0].feed(stream("x", given_, 9))
    assert BAD.encode() not in out
    assert b"bad-link" in out


@pytest.mark.parametrize("given_", ["", "{}", ' {"c": 1} \n'])
def test_an_input_with_nothing_bad_goes_on_as_it_came(given_: str) -> None:
    raw = stream("x", given_, 9)
    tap = watch("block")[0]
    assert tap.feed(raw) + tap.finish() == raw


def test_all_of_a_block_is_changed_whatever_stands_first_in_it() -> None:
    """A citation may stand before its text."""
    cited = {"type": "text", "citations": [{"cited_text": f"in {BAD}"}], "text": f"see {BAD}"}
    changed = watch("redact")[0].whole(json.dumps({"content": [cited]}).encode())
    assert BAD.encode() not in changed
    said = json.loads(changed)["content"][0]
    assert (said["text"], said["citations"][0]["cited_text"]) == ("see [removed: bad-link]", "in [removed: bad-link]")


def test_whole_answers_are_looked_at_too() -> None:
    message = {
        "id": "m", "stop_reason": "tool_use", "usage": {"output_tokens": 3},
        "content": [
            {"type": "text", "text": f"{HIDDEN} {BAD}"},
            {"type": "tool_use", "name": "Bash", "input": {"c": BAD}},
        ],
    }  # fmt: skip
    body = json.dumps(message).encode()
    changed = json.loads(watch("redact")[0].whole(body))
    assert changed["content"][0]["text"] == f"{SECRET.decode()} [removed: bad-link]"
    assert changed["content"][1]["input"] == {"c": "[removed: bad-link]"}
    stopped = json.loads(watch("block")[0].whole(body))
    assert stopped["content"] == [{"type": "text", "text": notice("bad-link")}]
    assert stopped["stop_reason"] == "end_turn" and stopped["usage"] == message["usage"]


DEEP = b'{"a":' * 300 + b"1" + b"}" * 300
UNREAD = [
    b"no json",
    b'{"content":[{"type":"text","text":"cut',
    b'[{"x":"an array"}]',
    b'{"role":"assistant","content":[{"type":"tool_use","name":"x","input":%b}]}' % DEEP,
    b'event: message_start\ndata: {"type":"message_start"}\n\n',
]


@pytest.mark.parametrize("body", UNREAD)
def test_a_whole_answer_that_is_no_message_is_never_a_pass(body: bytes) -> None:
    tap, noted = watch("log")
    assert tap.whole(body) == body
    assert noted == [("", "not_scanned", "answer_text", "", "", NO_MESSAGE)]
    tap, noted = watch("log", fail="closed")
    assert json.loads(tap.whole(body))["content"] == [{"type": "text", "text": notice("links")}]
    assert noted == [("links", "not_scanned", "answer_text", "", "", NO_MESSAGE)]


@pytest.mark.parametrize("action", ["redact", "block"])
def test_what_is_found_in_an_answer_that_is_no_message_stops_it(action: str) -> None:
    tap, noted = watch(action)
    stopped = json.loads(tap.whole(b'{"content":[{"type":"text","text":"%b' % BAD.encode()))
    assert stopped["content"] == [{"type": "text", "text": notice("bad-link")}] and stopped["role"] == "assistant"
    assert [verdict[:2] for verdict in noted] == [("", "not_scanned"), ("bad-link", action)]


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_what_of_an_answer_was_not_looked_at_is_never_a_pass(monkeypatch: pytest.MonkeyPatch, fail: str) -> None:
    """A block with more candidates than are looked at: told once, and stopped where a guard says so."""
    monkeypatch.setattr(engine, "CANDIDATES_MAX", 3)
    text = f"{BAD} " * 5
    tap, noted = watch("log", fail=fail)
    texts, reason = heard(through(tap, stream(text, json.dumps({"command": text}), 4096), 4096))
    left = [verdict for verdict in noted if verdict[1] == "not_scanned"]
    closed = "links" if fail == "closed" else ""
    kinds = ("answer_text",) if closed else ("answer_text", "answer_tool_input")
    assert left == [(closed, "not_scanned", kind, "Bash" if "tool" in kind else "", "", NOT_ALL) for kind in kinds]
    assert reason == ("end_turn" if closed else "tool_use")
    whole = b'{"content":[{"type":"text","text":"%b"}]}' % text.encode()
    if closed:
        assert list(texts) == [0] and texts[0].endswith(notice("links")) and texts[0].count(BAD) < 5
        assert json.loads(watch("log", fail=fail)[0].whole(whole))["content"][0]["text"] == notice("links")
    else:
        assert texts == {0: text, 1: json.dumps({"command": text})}
        assert watch("log")[0].whole(whole) == whole


def test_an_event_on_several_lines_is_looked_at_as_on_one() -> None:
    raw = stream("fine", json.dumps({"command": f"curl {BAD}"}), 100)
    for between in (b'"index"', b'"delta"', b'"content_block"'):
        cut = raw.replace(b", " + between, b",\ndata: " + between)
        assert cut != raw
        for action in ("redact", "block"):
            texts, reason = heard(through(watch(action)[0], cut, 4096))
            assert (texts, reason) == heard(through(watch(action)[0], raw, 4096)) and BAD not in str(texts)


LONE = [
    event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": f'{{"command":"{BAD}"}}'}),
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"%b\n\n' % BAD.encode(),
    b"event: content_block_delta\ndata: [7]\n\n",
]


@pytest.mark.parametrize("lone", LONE)
def test_an_event_that_cannot_be_looked_at_is_never_a_pass(lone: bytes) -> None:
    """A delta of a tool's input that no block began with, and what is no object: told, and dropped where a guard says
    so."""
    raw = stream("fine", "{}", 100)
    begin = event(
        "content_block_start", index=1, content_block={"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    )
    tap, noted = watch("log")
    assert lone in through(tap, raw.replace(begin, lone + begin), 4096)
    assert [verdict[:2] for verdict in noted] == [("", "not_scanned")]
    tap, noted = watch("log", fail="closed")
    assert through(tap, raw.replace(begin, lone + begin), 4096) == through(watch("log")[0], raw, 4096)
    assert [verdict[:2] for verdict in noted] == [("links", "not_scanned")]


@pytest.mark.parametrize("lone", [*LONE, event("message_start", message={"content": [{"type": "text", "text": BAD}]})])
def test_nothing_but_its_end_follows_an_answer_that_was_stopped(lone: bytes) -> None:
    raw = stream(f"see {BAD}", "{}", 100)
    end = event("message_stop")
    expected = through(watch("block")[0], raw, 4096)
    assert through(watch("block")[0], raw.replace(end, lone + b": a comment\n\n" + end), 4096) == expected.replace(
        end, b": a comment\n\n" + end
    )


@pytest.mark.parametrize("bad_first", [True, False])
@pytest.mark.parametrize("action", ["redact", "block"])
def test_each_of_two_contents_of_a_message_is_looked_at(action: str, bad_first: bool) -> None:
    """Which of them a client takes is the client's to say."""
    contents = [b'"content":[{"type":"text","text":"%b"}]' % text for text in (BAD.encode(), b"fine")]
    body = b'{"role":"assistant",%b,"stop_reason":"end_turn"}' % b",".join(contents if bad_first else contents[::-1])
    tap, noted = watch(action)
    assert BAD.encode() not in tap.whole(body)
    assert [verdict[:2] for verdict in noted] == [("bad-link", action)]


def test_a_rule_that_fails_on_an_answer_leaves_it_unscanned() -> None:
    tap, noted = watch("log", replace(LINK, check=lambda *_: bool(int("no"))), fail="closed")
    texts, reason = heard(through(tap, stream(BAD, "{}", 100), 4096))
    assert (texts, reason) == ({0: f"\n\n{notice('links')}"}, "end_turn")
    assert [verdict[:2] for verdict in noted] == [("links", "not_scanned")]


def test_a_message_that_is_stopped_may_hold_halves_of_characters() -> None:
    body = b'{"id":"\\ud83d \xff","content":[],"usage":{"output_tokens":3}}'
    assert json.loads(stopped_message(body, "r"))["usage"] == {"output_tokens": 3}


def test_thinking_passes_untouched() -> None:
    raw = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    raw += event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": BAD})
    raw += event("content_block_stop", index=0)
    tap, noted = watch("block")
    assert through(tap, raw, random.Random(1).randrange(1, 60)) == raw
    assert noted == []


def test_text_in_the_start_of_a_block_is_looked_at() -> None:
    raw = event("content_block_start", index=0, content_block={"type": "text", "text": f"see {BAD}"})
    raw += event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x now"})
    raw += event("content_block_stop", index=0)
    tap, noted = watch("redact")
    texts, _ = heard(through(tap, raw, 30))
    assert texts == {0: "see [removed: bad-link] now"} and len(noted) == 1


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b"\n\r"])
def test_a_last_event_without_its_end_is_never_a_pass(tail: bytes) -> None:
    tap, noted = watch("redact")
    raw = event("content_block_delta", index=0, delta={"type": "text_delta", "text": BAD}).rstrip() + tail
    out = through(tap, raw, 30)
    assert BAD.encode() not in out and (b"[removed: " in out) == bool(tail) == bool(noted)
