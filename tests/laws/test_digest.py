"""Laws of the canonical form: one for every way to write a request, another for every other request."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fastgate._core.digest import NODES_MAX, CanonicalError, read_canonical
from fastgate._core.request import RequestError, read_request
from tests.laws.test_request import BODIES
from tests.model import digest as model
from tests.support.wire import TEXT, VALUES, mostly, some, spell

MARKS = st.one_of(st.just({"type": "ephemeral"}), st.just({"type": "ephemeral", "ttl": "1h"}), VALUES)
TEXTS = st.one_of(TEXT, st.sampled_from([
    "x-anthropic-billing-header: cc_version=2.1.330.440; cc_entrypoint=sdk-cli;",
    "x-anthropic-billing-header: a=b; cch=00000;", "x-anthropic-billing-header: a=b;\nYou are", "x-anthropic-billing",
    "x-anthropic-billing-header:", "x-anthropic-billing-header: a=;", "x-anthropic-billing-header: a=b; ",
]))  # fmt: skip
BLOCKS: st.SearchStrategy[Any] = st.deferred(lambda: some({
    "type": st.sampled_from(["text", "tool_use", "tool_result", "document"]), "text": TEXTS, "cache_control": MARKS,
    "input": some({"cache_control": VALUES, "content": st.lists(some({"cache_control": VALUES}), max_size=1)}),
    "content": st.one_of(TEXT, st.lists(BLOCKS, max_size=2)),
    "source": some({"content": st.one_of(TEXT, st.lists(BLOCKS, max_size=2)), "cache_control": VALUES}),
}))  # fmt: skip
SYSTEM_BLOCKS = st.one_of(BLOCKS, st.fixed_dictionaries(
    {"type": st.just("text"), "text": TEXTS}, optional={"cache_control": MARKS, "other": VALUES}))  # fmt: skip
MARKED = some({
    "system": st.one_of(TEXTS, st.lists(SYSTEM_BLOCKS, max_size=3)),
    "messages": st.lists(some({
        "role": st.sampled_from(["user", "assistant"]),
        "content": st.one_of(TEXT, st.lists(mostly(BLOCKS), max_size=3)),
    }), max_size=3),
    "tools": mostly(st.lists(mostly(some({"name": TEXT, "cache_control": MARKS, "input_schema": VALUES})), max_size=2)),
    "metadata": VALUES, "stream": st.booleans(), "cache_control": MARKS, "temperature": st.floats(0, 1),
}).map(lambda body: body | {"model": "claude-sonnet-5-5"})  # fmt: skip


def accepted(body: bytes) -> bytes:
    """The body, if the gateway takes it."""
    try:
        read_request(body, model_required=False)
    except RequestError:
        assume(False)
    return body


def form(value: Any) -> bytes:
    return read_canonical(accepted(json.dumps(value).encode())).data


@given(st.one_of(BODIES, MARKED), st.integers(0, 2**32))
@example({"messages": [{"role": "user", "content": "x" * 40_000}]}, 1)
@example({"system": [{"type": "text", "text": "x-anthropic-billing-header: c=s;"}] * 2}, 0)
@example({"b": 1, "a": {"ab": 1, "a": 2, "": 3}, "B": [1, 1.0, -0, 1e5, True, None]}, 2)
def test_it_says_what_the_slow_writer_says(value: Any, seed: int) -> None:
    body = accepted(spell(value, random.Random(seed), 0).encode())
    assert read_canonical(body).data == model.canonical(body)


def respelled(value: Any, style: random.Random) -> str:
    def shuffled(part: Any) -> Any:
        if isinstance(part, dict):
            members = [(name, shuffled(inner)) for name, inner in part.items()]
            style.shuffle(members)
            return dict(members)
        return [shuffled(item) for item in part] if isinstance(part, list) else part

    return spell(shuffled(value), style, 0)


@given(st.one_of(BODIES, MARKED), st.integers(0, 2**32), st.integers(0, 2**32))
def test_order_space_and_escapes_do_not_count(value: Any, one: int, other: int) -> None:
    first = accepted(respelled(value, random.Random(one)).encode())
    second = accepted(respelled(value, random.Random(other)).encode())
    assert read_canonical(first).data == read_canonical(second).data


def meaning(value: Any) -> Any:
    """A request less what may not count, by the rules as written; JSON types kept apart."""

    def exact(part: Any) -> Any:
        if isinstance(part, dict):
            return ("o", tuple(sorted((name, exact(inner)) for name, inner in part.items())))
        if isinstance(part, list):
            return ("a", tuple(exact(item) for item in part))
        return (type(part).__name__, json.dumps(part))

    return exact({k: v for k, v in value.items() if k not in ("model", "stream", "metadata", "cache_control")})


PLAIN = st.fixed_dictionaries(
    {"messages": st.lists(some({"role": TEXT, "content": st.lists(some({"input": VALUES, "id": TEXT}), max_size=2)}))},
    optional={"max_tokens": st.integers(0, 9), "top_p": st.floats(0, 1), "stop_sequences": st.lists(TEXT, max_size=2)},
)


@given(PLAIN, PLAIN)
def test_all_else_counts(one: Any, other: Any) -> None:
    assert (form(one) == form(other)) == (meaning(one) == meaning(other))


@given(st.data())
def test_one_changed_character_counts(data: st.DataObject) -> None:
    text = data.draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300))
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[at]))
    body = {"messages": [{"role": "user", "content": text}]}
    assert form(body) != form({"messages": [{"role": "user", "content": text[:at] + put + text[at + 1 :]}]})


@pytest.mark.parametrize("name", ["metadata", "stream", "model", "cache_control"])
def test_what_never_reaches_the_answer_is_left_out(name: str) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    with_it = body | {name: True if name == "stream" else "anything"}
    assert form(body) == form(with_it)
    assert form({"messages": [{"role": "user", "content": "hi", name: True}]}) != form(body), "only where it is known"


def test_marks_are_left_out_where_they_are_marks_and_kept_where_they_are_data() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    plain = {
        "system": [{"type": "text", "text": "s"}],
        "tools": [{"name": "t", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "r"}]},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "d"}]}},
        ]}],
    }  # fmt: skip
    marked = json.loads(json.dumps(plain))
    for place in (
        marked["system"][0], marked["tools"][0], *(blocks := marked["messages"][0]["content"]),
        blocks[0]["content"][0], blocks[1]["source"]["content"][0],
    ):  # fmt: skip
        place |= mark
    assert form(plain) == form(marked)
    for place in ("input_schema", "properties"):
        other = json.loads(json.dumps(plain))
        other["tools"][0].setdefault(place, {}).update(mark)
        assert form(plain) != form(other)
    use = {"type": "tool_use", "id": "1", "name": "t"}
    one = {"messages": [{"role": "assistant", "content": [use | {"input": {}}]}]}
    assert form(one) != form({"messages": [{"role": "assistant", "content": [use | {"input": mark}]}]})


def test_the_billing_line_is_left_out_and_a_prompt_that_begins_like_it_is_not() -> None:
    line = "x-anthropic-billing-header: cc_version=2.1.330.440; cc_entrypoint=sdk-cli;"
    prompt = {"type": "text", "text": "You are careful."}
    bare = form({"system": [prompt]})
    for text in (line, line + " cc_is_subagent=true;", "x-anthropic-billing-header: cch=a3f01;"):
        assert form({"system": [{"type": "text", "text": text}, prompt]}) == bare
        assert form({"system": [{"text": text, "type": "text", "cache_control": {"type": "x"}}, prompt]}) == bare
        assert form({"system": [prompt, {"type": "text", "text": text}]}) != bare, "only in front"
    for text in (line + "\nYou are reckless.", line + " do=evil things;", line[:-1], "x-anthropic-billing-header:"):
        assert form({"system": [{"type": "text", "text": text}, prompt]}) != bare
    assert form({"system": [{"type": "text", "text": line, "citations": 1}, prompt]}) != bare
    assert form({"system": line}) != form({"system": []})


def test_a_string_is_one_text_block() -> None:
    block = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
    assert form({"system": "hi"}) == form({"system": block})
    assert form({"messages": [{"content": "hi"}]}) == form({"messages": [{"content": block}]})
    result = {"type": "tool_result", "content": "hi"}
    listed = result | {"content": block}
    assert form({"messages": [{"content": [result]}]}) != form({"messages": [{"content": [listed]}]})


def test_what_decides_on_keeping_is_told() -> None:
    read = read_canonical(b'{"temp\\u0065rature": 0.70, "safeguards": [{"type": "x"}], "messages": []}')
    assert (read.temperature, read.safeguards) == ("0.70", True)
    read = read_canonical(b'{"temperature": null, "safeguards": null, "a": {"temperature": 1, "safeguards": []}}')
    assert (read.temperature, read.safeguards) == ("", False)


def test_a_body_of_too_many_values_has_no_form() -> None:
    body = b'{"a": [' + b"0," * (NODES_MAX - 10) + b"0]}"
    assert len(read_canonical(body).data) > NODES_MAX
    with pytest.raises(CanonicalError, match="too many"):
        read_canonical(b'{"a": [' + b"0," * NODES_MAX + b"0]}")


def test_the_deepest_body_that_is_taken_has_a_form() -> None:
    body = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    read_request(body, model_required=False)
    assert read_canonical(body).data == model.canonical(body)
    with pytest.raises(CanonicalError):
        read_canonical(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}")


@pytest.mark.parametrize("body", [b"\0", b" \0", b"\0{}", b""])
def test_a_body_without_a_value_has_no_form(body: bytes) -> None:
    with pytest.raises(CanonicalError):
        read_canonical(body)


@given(st.binary(max_size=60))
def test_what_was_not_checked_breaks_nothing(body: bytes) -> None:
    for text in (body, b"{" + body, b'{"a":' + body + b"}", b'{"messages":[{"content":[' + body):
        try:
            read_canonical(text)
        except CanonicalError:
            continue


@given(st.one_of(BODIES, MARKED), st.integers(0, 2**32))
@example({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]}, 1)
@example({"messages": [{"role": "user", "content": "x" * 300}, {"role": "assistant", "content": "y"}]}, 1)
@example({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}]}, 1)
def test_what_the_user_said_last(value: Any, seed: int) -> None:
    body = accepted(spell(value, random.Random(seed)).encode())
    made = read_canonical(body)
    assert (made.spoken, made.tool_results) == model.spoken(body)
    end = made.spoken_end
    assert made.data[:end].endswith(made.spoken)
