"""Vendors' guards of answers: what waits for a verdict, what goes on of it, and in which order."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.gateway.answer import reviewed
from fastgate.guards.adapters.adapter import Adapter
from fastgate.guards.adapters.verdict import PASS, Span, Verdict, flagged, not_scanned
from fastgate.guards.answer import NO_MESSAGE, notice
from fastgate.guards.outside import Outsider
from fastgate.guards.placeholders import Placeholders
from fastgate.guards.review import AROUND_BYTES, WINDOW_BYTES, Review
from fastgate.guards.rule import Kind
from fastgate.snapshot import GuardRow, KeyRow
from tests.unit.guards.test_answer import LONE, UNREAD, event, heard, stream

WHO = KeyRow(b"", "key", "user", "team", "org", "", {}, (), 0)


class Names:
    """A vendor that finds a name, answers in any order, and keeps what it was asked."""

    def __init__(self, seed: int, *, whole: bool = False, broken: str = "", finds: str = "Jo Doe") -> None:
        self.finds = re.compile(finds)
        self.style, self.whole, self.broken = random.Random(seed), whole, broken
        self.asked: list[str] = []

    async def screen_all(self, texts: Sequence[str], stage: str) -> list[Verdict]:
        assert stage == "answer"
        self.asked += texts
        for _ in range(self.style.randrange(4)):
            await asyncio.sleep(0)
        return [self.verdict(text) for text in texts]

    def verdict(self, text: str) -> Verdict:
        if self.broken:
            return not_scanned(self.broken)
        spans = tuple(Span(*match.span(), "name") for match in self.finds.finditer(text))
        if not spans:
            return PASS
        return flagged("name") if self.whole else flagged("name", spans=spans)


def review(vendor: Names, action: str, kinds: tuple[Kind, ...], **more: Any) -> tuple[Review, list[Any], list[bytes]]:
    noted: list[Any] = []
    out: list[bytes] = []
    guard = Outsider(GuardRow("webhook", action, on=kinds, **more), cast(Adapter, vendor))
    made = Review([guard], Placeholders(b"p" * 32), WHO, noted.append)
    made.push = out.append
    return made, noted, out


BOTH: tuple[Kind, ...] = ("answer_text", "answer_tool_input")


async def through(made: Review, raw: bytes, step: int) -> None:
    for at in range(0, len(raw), step):
        made.feed(raw[at : at + step])
        await asyncio.sleep(0)
    await made.settled()


TEXTS = st.lists(
    st.sampled_from(["Jo Doe", " met ", "Ænne ", "x" * 300, "y z " * 200, "\n"]), max_size=14
).map("".join)  # fmt: skip


@given(TEXTS, st.integers(1, 700), st.integers(50, 5000), st.integers(0, 9))
def test_every_name_is_gone_whatever_the_deltas_and_the_order_of_verdicts(
    text: str, size: int, step: int, seed: int
) -> None:
    vendor = Names(seed)
    made, _, out = review(vendor, "redact", BOTH)
    raw = stream(text, json.dumps({"command": text}), size)
    asyncio.run(through(made, raw, step))
    texts, reason = heard(b"".join(out))
    gone = re.compile(r"(?:\[removed: webhook/name\])+")
    assert gone.sub("#", texts[0]) == re.sub("(?:Jo Doe)+", "#", text)
    assert gone.sub("#", json.loads(texts[1])["command"]) == re.sub("(?:Jo Doe)+", "#", text)
    assert reason == "tool_use"
    assert all(len(asked.encode()) <= WINDOW_BYTES + 3 * AROUND_BYTES + 4 * size for asked in vendor.asked[:-1])


@given(st.integers(1, 400), st.integers(20, 900))
def test_what_nobody_objects_to_goes_on_byte_for_byte(size: int, step: int) -> None:
    made, noted, out = review(Names(size), "redact", BOTH)
    raw = stream("nothing to see " * 400, '{"a": 1}', size)
    asyncio.run(through(made, raw, step))
    assert b"".join(out) == raw and not noted


@pytest.mark.parametrize(("action", "whole"), [("block", False), ("redact", True)])
async def test_a_text_that_is_stopped_ends_as_answers_end(action: str, whole: bool) -> None:
    made, noted, out = review(Names(1, whole=whole), action, BOTH)
    await through(made, stream("fine " * 1000 + "Jo Doe" + " fine" * 1000, "{}", 40), 500)
    texts, reason = heard(b"".join(out))
    assert reason == "end_turn" and set(texts) == {0} and texts[0].endswith(notice("webhook/name"))
    assert "Jo Doe" not in texts[0] and texts[0].startswith("fine fine ")
    assert noted[0][:3] == ("webhook/name", "block", "answer_text")


async def test_a_tool_call_that_is_stopped_is_never_released() -> None:
    made, _, out = review(Names(1), "block", ("answer_tool_input",))
    await through(made, stream("Jo Doe", '{"command": "ask Jo Doe"}', 4), 30)
    texts, reason = heard(b"".join(out))
    assert texts == {0: "Jo Doe", 1: notice("webhook/name")} and reason == "end_turn"
    assert b"tool_use" not in b"".join(out)


CLOSING = [
    '{}}],"x":[{"b":{"c":"ask Jo Doe"}',
    '{"c":"ask Jo Doe"}}],"content":[{"type":"tool_use","input":{}',
]
"""Inputs that end the frame that they are read in."""


@pytest.mark.parametrize("given", CLOSING)
async def test_an_input_that_closes_its_own_frame_is_asked_about_whole(given: str) -> None:
    made, _, out = review(Names(1), "redact", ("answer_tool_input",))
    await through(made, stream("hello", given, 4), 30)
    assert heard(b"".join(out))[0] == {0: "hello", 1: notice("webhook/name")}


async def test_text_that_nobody_looks_at_is_not_delayed() -> None:
    made, _, out = review(Names(1), "block", ("answer_tool_input",))
    text = stream("hello", "{}", 2).partition(b"event: content_block_stop")[0]
    made.feed(text)
    assert b"".join(out) == text


@pytest.mark.parametrize(("fail", "reason"), [("open", "tool_use"), ("closed", "end_turn")])
async def test_no_verdict_is_no_pass(fail: str, reason: str) -> None:
    made, noted, out = review(Names(1, broken="no answer"), "log", BOTH, fail=fail)
    await through(made, stream("hello", '{"a": 1}', 3), 50)
    texts, ended = heard(b"".join(out))
    assert ended == reason
    assert texts[0] == ("hello" if fail == "open" else notice("webhook"))
    assert {verdict[:2] for verdict in noted} == {("webhook", "not_scanned")} and noted[0][5] == "no answer"


async def test_a_message_is_judged_whole() -> None:
    content = [{"type": "text", "text": "Jo Doe said"}, {"type": "tool_use", "name": "Bash", "input": {"c": "Jo Doe"}}]
    body = json.dumps({"content": content, "stop_reason": "tool_use", "usage": {"output_tokens": 3}}).encode()
    made, _, _ = review(Names(1), "redact", BOTH)
    said = json.loads(await made.whole(body))["content"]
    assert said[0]["text"] == "[removed: webhook/name] said" and said[1]["input"] == {"c": "[removed: webhook/name]"}
    made, _, _ = review(Names(1), "block", BOTH)
    stopped = json.loads(await made.whole(body))
    assert stopped["content"] == [{"type": "text", "text": notice("webhook/name")}]
    assert stopped["stop_reason"] == "end_turn" and stopped["usage"] == {"output_tokens": 3}


@pytest.mark.parametrize("body", UNREAD)
async def test_a_message_that_cannot_be_read_is_no_pass(body: bytes) -> None:
    made, noted, _ = review(Names(1), "redact", BOTH)
    assert await made.whole(body) == body
    assert noted == [("webhook", "not_scanned", "answer_text", "", "", NO_MESSAGE)]
    made, noted, _ = review(Names(1), "log", BOTH, fail="closed")
    assert json.loads(await made.whole(body))["content"] == [{"type": "text", "text": notice("webhook")}]
    assert noted == [("webhook", "not_scanned", "answer_text", "", "", NO_MESSAGE)]


OWN = Placeholders(b"p" * 32).of("org", b"a secret").decode()


@pytest.mark.parametrize("action", ["redact", "block"])
@given(st.integers(1, 60), st.integers(20, 3000))
def test_what_the_gateway_itself_has_hidden_is_nobodys_finding(action: str, size: int, step: int) -> None:
    vendor = Names(size, finds=OWN)
    made, noted, out = review(vendor, action, BOTH)
    raw = stream("x" * 1990 + f" {OWN} " * 3, json.dumps({"content": f"KEY={OWN}"}), size)
    asyncio.run(through(made, raw, step))
    assert b"".join(out) == raw and not noted and any(OWN in asked for asked in vendor.asked)


@given(st.integers(1, 60), st.integers(20, 3000))
def test_what_stands_around_it_is_taken_out_and_it_stays(size: int, step: int) -> None:
    text = f"KEY={OWN}; x"
    made, _, out = review(Names(size, finds="KEY=.*;"), "redact", BOTH)
    asyncio.run(through(made, stream(text, json.dumps({"c": text}), size), step))
    texts, _ = heard(b"".join(out))
    gone = f"[removed: webhook/name]{OWN}[removed: webhook/name] x"
    assert texts[0] == gone and json.loads(texts[1]) == {"c": gone}


async def test_it_stays_in_a_whole_message_too() -> None:
    content = [{"type": "text", "text": f"KEY={OWN};"}, {"type": "tool_use", "name": "Write", "input": {"c": OWN}}]
    made, _, _ = review(Names(1, finds=f"KEY={OWN}|{OWN}"), "redact", BOTH)
    said = json.loads(await made.whole(json.dumps({"content": content}).encode()))["content"]
    assert said == [{"type": "text", "text": f"[removed: webhook/name]{OWN};"}, content[1]]


async def test_thinking_passes_untouched_and_nobody_waits_for_one_that_left() -> None:
    raw = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    raw += event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Jo Doe"})
    made, _, out = review(Names(1), "block", BOTH)
    made.feed(raw)
    assert b"".join(out) == raw
    made.feed(stream("Jo Doe", "{}", 3))
    made.close()
    assert b"Jo Doe" not in b"".join(out)[len(raw) :]


def start(text: str) -> bytes:
    return event("content_block_start", index=0, content_block={"type": "text", "text": text})


@pytest.mark.parametrize("action", ["redact", "block"])
async def test_text_in_the_start_of_a_block_is_judged(action: str) -> None:
    made, noted, out = review(Names(1), action, BOTH)
    raw = start("Jo Doe ≠ \ud83d") + event(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": "\ude00 x"}
    )
    await through(made, raw + event("content_block_stop", index=0), 40)
    texts, _ = heard(b"".join(out))
    assert texts[0] == ("[removed: webhook/name] ≠ \U0001f600 x" if action == "redact" else notice("webhook/name"))
    assert len(noted) == 1


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b"\n\r"])
async def test_a_last_event_without_its_end_is_never_a_pass(tail: bytes) -> None:
    made, noted, out = review(Names(1), "redact", BOTH)
    raw = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Jo Doe"}).rstrip() + tail
    await through(made, start("") + raw, 30)
    assert b"Jo Doe" not in b"".join(out) and (b"[removed: " in b"".join(out)) == bool(tail) == bool(noted)


@pytest.mark.parametrize("fail", ["open", "closed"])
async def test_an_input_too_long_to_keep_takes_its_turn(fail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands before it goes on first, and where it stops the answer that is said."""
    monkeypatch.setattr("fastgate.guards.review.HELD_BYTES_MAX", 100)
    made, noted, out = review(Names(3), "redact", BOTH, fail=fail)
    raw = stream("said before", json.dumps({"c": "x" * 200}), 20)
    await through(made, raw, len(raw))
    texts, reason = heard(b"".join(out))
    assert noted[0][:4] == ("webhook", "not_scanned", "answer_tool_input", "Bash")
    if fail == "open":
        assert b"".join(out) == raw
    else:
        assert texts == {0: "said before", 1: notice("webhook")} and reason == "end_turn"


@pytest.mark.parametrize("fail", ["open", "closed"])
async def test_a_guard_that_raises_gives_no_verdict(fail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Names, _text: str) -> Verdict:
        raise RuntimeError("boom")

    monkeypatch.setattr(Names, "verdict", broken)
    made, noted, out = review(Names(1), "log", BOTH, fail=fail)
    raw = stream("hello", '{"a": 1}', 3)
    await through(made, raw, 50)
    assert {verdict[:2] for verdict in noted} == {("webhook", "not_scanned")} and noted[0][5] == "the guard failed"
    assert b"".join(out) == raw if fail == "open" else heard(b"".join(out))[0] == {0: notice("webhook")}


async def test_a_character_in_two_deltas_of_a_redacted_input_stays_one() -> None:
    made, _, out = review(Names(1), "redact", BOTH)
    raw = event("content_block_start", index=0, content_block={"type": "tool_use", "name": "Bash", "input": {}})
    for part in ('{"c": "\ud83d', '\ude00 Jo Doe"}'):
        raw += event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": part})
    await through(made, raw + event("content_block_stop", index=0), 60)
    texts, _ = heard(b"".join(out))
    said = json.loads(texts[0].encode("utf-16", "surrogatepass").decode("utf-16"))
    assert said == {"c": "\U0001f600 [removed: webhook/name]"}


async def test_a_ping_overtakes_only_what_waits_for_a_verdict() -> None:
    made, _, out = review(Names(1), "block", BOTH)
    first = event("message_start", message={"content": []}) + start("")
    ping = event("ping")
    made.feed(first + ping + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}) + ping)
    assert b"".join(out) == first + ping + ping
    made.close()


async def test_the_pump_is_told_of_every_byte_that_went_out() -> None:
    """Else nobody would wait for a client that reads slowly; what went out between two reads is told with the next."""
    made, _, _ = review(Names(1), "block", ("answer_tool_input",))
    sent: list[bytes] = []
    call: Any = SimpleNamespace(tap=None, review=made)
    send = reviewed(call, sent.append)
    raw = stream("x" * 5000, json.dumps({"c": "y" * 500}), 50)
    told = 0
    for at in range(0, len(raw), 700):
        told += cast(int, send(raw[at : at + 700]))
        await asyncio.sleep(0)
    await made.settled()
    assert b"".join(sent) == raw and made.bytes_out == len(raw)
    assert told + cast(int, send(b"")) == len(raw) and told > 5000


@pytest.mark.parametrize("action", ["redact", "block"])
async def test_an_event_on_several_lines_is_judged_as_on_one(action: str) -> None:
    raw = stream("fine", json.dumps({"command": "greet Jo Doe"}), 100)
    for between in (b'"index"', b'"delta"', b'"content_block"'):
        cut = raw.replace(b", " + between, b",\ndata: " + between)
        assert cut != raw
        said = []
        for form in (cut, raw):
            made, _, out = review(Names(1), action, BOTH)
            await through(made, form, 4096)
            said.append(heard(b"".join(out)))
        assert said[0] == said[1] and "Jo Doe" not in str(said[0])


@pytest.mark.parametrize("fail", ["open", "closed"])
@pytest.mark.parametrize("lone", LONE)
async def test_an_event_that_cannot_be_judged_is_no_pass(lone: bytes, fail: str) -> None:
    raw = stream("fine", "{}", 100)
    end = event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 7})
    made, noted, out = review(Names(1), "log", BOTH, fail=fail)
    await through(made, raw.replace(end, lone + end), 4096)
    assert b"".join(out) == (raw if fail == "closed" else raw.replace(end, lone + end))
    assert [verdict[1] for verdict in noted] == ["not_scanned"]


@pytest.mark.parametrize("bad_first", [True, False])
async def test_each_of_two_contents_of_a_message_is_judged(bad_first: bool) -> None:
    contents = [b'"content":[{"type":"text","text":"%b"}]' % text for text in (b"Jo Doe", b"fine")]
    body = b'{"role":"assistant",%b,"stop_reason":"end_turn"}' % b",".join(contents if bad_first else contents[::-1])
    made, _, _ = review(Names(1), "redact", BOTH)
    assert b"Jo Doe" not in await made.whole(body)
