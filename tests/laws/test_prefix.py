"""Laws of the prefix reader: it says what the slow reader says; marks and forms that a provider's cache does not see
change no print, and anything else changes the print of its block alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.prefix import BLOCKS_MAX, read_prefix
from fastgate._core.request import RequestError, read_request
from tests.model import prefix as model
from tests.support.bodies import BODIES
from tests.support.wire import TEXT, spell

FILLER = b" " * 4096
"""After a body: only long ones have their blocks noted."""

MARKS: st.SearchStrategy[Any] = st.sampled_from([
    {}, {}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
    {"cache_control": {"type": "ephemeral", "ttl": "5m"}},
])  # fmt: skip
BLOCKS = st.tuples(
    st.one_of(
        TEXT.map(lambda text: {"type": "text", "text": text}),
        TEXT.map(lambda text: {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}]}),
        TEXT.map(lambda text: {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": text}}),
        TEXT.map(lambda text: {"type": "thinking", "thinking": text, "signature": "s"}),
        TEXT.map(lambda text: {"type": "text", "text": text, "citations": [{"cache_control": text}]}),
    ),
    MARKS,
    st.booleans(),
).map(lambda parts: {**parts[1], **parts[0]} if parts[2] else {**parts[0], **parts[1]})
PROMPTS = st.fixed_dictionaries({
    "messages": st.lists(
        st.fixed_dictionaries({
            "role": st.sampled_from(["user", "assistant", "system"]),
            "content": st.one_of(TEXT, st.lists(BLOCKS, max_size=4)),
        }),
        max_size=5,
    ),
    "system": st.one_of(TEXT, st.lists(st.tuples(TEXT, MARKS).map(lambda p: {"type": "text", "text": p[0], **p[1]}))),
    "tools": st.lists(st.tuples(TEXT, MARKS).map(lambda p: {"name": p[0], **p[1]}), max_size=3),
})  # fmt: skip


def told(body: bytes) -> bytes:
    return read_prefix(read_request(body), body)


def written(value: dict[str, Any], separators: tuple[str, str] | None = None) -> bytes:
    return json.dumps({"model": "m", **value}, separators=separators).encode() + FILLER


@given(PROMPTS, st.randoms())
def test_says_what_the_slow_reader_says(value: dict[str, Any], style: Any) -> None:
    body = spell({"model": "m", **value}, style, faults=0).encode() + FILLER
    assert told(body) == model.laid_out(model.read_prefix(body))


@given(BODIES, st.randoms())
def test_says_it_of_any_body(value: Any, style: Any) -> None:
    body = spell(value, style, faults=0).encode() + FILLER
    try:
        view = read_request(body)
    except RequestError:
        return
    assert read_prefix(view, body) == model.laid_out(model.read_prefix(body))


def unmarked(value: Any, *, bare: bool) -> Any:
    """Without any mark, and a single text as a string."""
    if isinstance(value, list):
        return [unmarked(item, bare=bare) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {name: unmarked(item, bare=bare) for name, item in value.items() if name != "cache_control"}
    content = plain.get("content")
    if bare and "role" in plain and isinstance(content, list) and len(content) == 1 and set(content[0]) == {
        "type", "text",
    }:  # fmt: skip
        plain["content"] = content[0]["text"]
    return plain


def prints(body: bytes) -> bytes:
    data = told(body)
    return data[: 4 * (len(data) // 9)]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@given(value=PROMPTS, bare=st.booleans())
def test_marks_and_forms_change_no_print(separators: tuple[str, str], value: dict[str, Any], bare: bool) -> None:
    value["messages"] = [
        message for message in value["messages"] if "citations" not in json.dumps(message["content"])
    ]  # within what a model cites, `cache_control` is a word like any other
    plain = unmarked(value, bare=bare)
    assert prints(written(value, separators)) == prints(written(plain, separators))


@given(PROMPTS, st.data())
def test_a_change_is_seen_where_it_is(value: dict[str, Any], data: st.DataObject) -> None:
    value["messages"].append({"role": "user", "content": [{"type": "tool_result", "content": "y" * 90}]})
    before = written(value)
    blocks = model.read_prefix(before)
    at = data.draw(st.integers(0, len(blocks) - 1))
    start = blocks[at].start
    end = len(before)
    letters = [n for n in range(start, end) if before[n : n + 1] in b"y" and before[n - 1 : n] == b"y"]
    if not letters:
        return
    place = data.draw(st.sampled_from(letters))
    after = before[:place] + b"z" + before[place + 1 :]
    old, new = memoryview(prints(before)).cast("I"), memoryview(prints(after)).cast("I")
    changed = [n for n in range(len(old)) if old[n] != new[n]]
    hit = max((n for n in range(len(blocks)) if blocks[n].start <= place), key=lambda n: blocks[n].start)
    assert changed == [hit]


def test_a_prompt_of_more_blocks_than_are_told_apart() -> None:
    def body(last: str) -> bytes:
        texts = [{"type": "text", "text": str(n)} for n in range(BLOCKS_MAX + 5)] + [{"type": "text", "text": last}]
        return written({"messages": [{"role": "user", "content": texts}]})

    one, other = prints(body("a")), prints(body("b"))
    assert len(one) == len(other) == 4 * BLOCKS_MAX
    assert one[:-4] == other[:-4]
    assert one[-4:] != other[-4:]


def test_a_small_body_has_none() -> None:
    assert told(b'{"model":"m","messages":[{"role":"user","content":"hello"}]}') == b""
