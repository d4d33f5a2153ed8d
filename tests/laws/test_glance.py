"""Laws of the first glance at an answer: it says of none that nothing is in it where a closer look sees something."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.blocks import read_answer, read_blocks
from fastgate._core.glance import holds_nothing
from fastgate._core.prefilter import PREFILTERED_BYTES, Prefilter
from fastgate.guards import windows
from fastgate.guards.rule import KINDS
from tests.laws.test_blocks import MESSAGES, memo, objects, spelled
from tests.support.wire import TEXT

WORD = "AKIA"


def looking_for(word: str) -> Prefilter:
    return Prefilter.of([(0, *[windows.class_of({code}).to_bytes(32, "little") for code in word.encode()])])


PREFILTER = looking_for(WORD)
LONG = "x" * PREFILTERED_BYTES
TEXTS = st.one_of(TEXT, TEXT.map(lambda text: text + WORD), st.sampled_from([LONG, f"{LONG}y", f"AK\u200b{WORD}"]))
BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}, optional={"citations": st.none()}),
    objects(type=st.sampled_from(["thinking", "redacted_thinking"]), thinking=TEXTS, signature=TEXT),
)
ANSWERS = st.fixed_dictionaries({"content": st.lists(BLOCKS, max_size=3)}, optional={"role": TEXT, "usage": MESSAGES})


def is_bare(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") not in ("text", "thinking", "redacted_thinking"):
        return False
    if block["type"] != "text":
        return True
    text = block.get("text")
    if not isinstance(text, str) or block.get("citations") is not None:
        return False
    return len(text) <= PREFILTERED_BYTES and not PREFILTER.may_match(text.encode())


@given(st.one_of(ANSWERS, MESSAGES), st.data())
def test_it_is_exact_about_answers_of_short_texts(answer: dict[str, Any], data: st.DataObject) -> None:
    body = spelled(answer, data)
    content = answer.get("content", [])
    nothing = isinstance(content, list) and all(is_bare(block) for block in content)
    told = holds_nothing(body, PREFILTER)
    assert told == nothing or (not told and len(body) > PREFILTERED_BYTES)


@given(st.one_of(ANSWERS, MESSAGES), st.data())
def test_what_it_lets_go_no_closer_look_would_keep(answer: dict[str, Any], data: st.DataObject) -> None:
    """Also of what is no JSON, or says a member twice."""
    body = spelled(answer, data)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body)))
        cut = data.draw(st.integers(0, 8))
        put = data.draw(st.sampled_from([b"", b'"', b",", b"}", b"]", b"\\", body[:40]]))
        body = body[:at] + put + body[at + cut :]
    if holds_nothing(body, PREFILTER):
        assert all(
            KINDS[block.kind] != "tool_use_input" and not PREFILTER.may_match(block.text)
            for block in read_answer(body).noted
        )


@given(MESSAGES, st.data())
def test_the_blocks_of_an_answer_are_those_of_a_message(answer: dict[str, Any], data: st.DataObject) -> None:
    body = spelled(answer, data)
    within = read_blocks(b'{"messages":[%b]}' % body, memo()).noted
    assert [(b.kind, b.role, b.path, b.text, b.mark) for b in read_answer(body).noted] == [
        (b.kind, b.role, b.path, b.text, b"") for b in within
    ]


@given(st.binary())
@example(b"{} x")
@example(b'{"content":[]},{}')
def test_what_is_no_message_is_never_let_go(body: bytes) -> None:
    try:
        is_message = isinstance(json.loads(body.decode("utf-8", "replace")), dict)
    except ValueError:
        is_message = False
    assert not holds_nothing(body, PREFILTER) or is_message


@given(
    st.integers(250, 260),
    st.sampled_from([b'{"usage":%b}', b'{"content":[],"a":[%b]}', b'{"content":[{"type":"thinking","a":%b}]}']),
    st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]),
)
def test_it_counts_levels_as_the_closer_look_does(deep: int, around: bytes, level: tuple[bytes, bytes]) -> None:
    """What is nested too deeply to be read is told as not scanned, wherever it stands."""
    opener, closer = level
    body = around % (opener * deep + b"1" + closer * deep)
    try:
        read_answer(body)
        is_read = True
    except ValueError:
        is_read = False
    assert holds_nothing(body, PREFILTER) == is_read
