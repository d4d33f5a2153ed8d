"""Laws of body edits: the body says what it should afterwards, and every other byte stands as it was."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.request import read_request
from fastgate._core.splice import members, splice
from tests.model import splice as model
from tests.support.wire import TEXT, VALUES, lend, spell

NAMES = st.one_of(st.sampled_from(["model", "stream", "tools", "messages", "anthropic_version", "x"]), TEXT)
TOOLS = st.lists(st.one_of(st.dictionaries(st.sampled_from(["name", "defer_loading", "strict"]), VALUES), VALUES))
DROPS = st.frozensets(st.sampled_from(["model", "stream", "anthropic_version", "x", "tools"]), max_size=4)
FIRST: list[list[tuple[str, Any]]] = [[], [("anthropic_version", "bedrock-2023-05-31")], [("a", [1]), ("stream", True)]]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A JSON object without a name twice, spelled in any way."""
    wanted: dict[str, Any] = draw(st.dictionaries(NAMES, VALUES, max_size=5))
    if draw(st.booleans()):
        wanted["tools"] = draw(TOOLS)
    style = random.Random(draw(st.integers(0, 2**32)))
    return (style.choice(["", " ", "\n"]) + spell(wanted, style, faults=0) + style.choice(["", "\n"])).encode()


def inside(pairs: list[tuple[str, Any]]) -> bytes:
    return ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs).encode()


@given(bodies(), DROPS, st.sampled_from(FIRST), st.frozensets(st.sampled_from(["defer_loading", "strict"])))
@example(
    b'{"model":"m","tools":[{"defer_loading":true},{"name":"a","defer_loading":true}]}', frozenset(), [], {"strict"}
)
@example(b'{"model":"m"}', frozenset({"model"}), [], frozenset())
@example(b'{ "model" : "m" , "x" : 1 , "stream" : true }', frozenset({"model", "stream"}), FIRST[2], frozenset())
def test_the_edited_body_says_what_it_should(
    body: bytes, drop: frozenset[str], first: list[tuple[str, Any]], tool_drop: frozenset[str]
) -> None:
    names, tool_names = tuple(n.encode() for n in drop), tuple(n.encode() for n in tool_drop)
    sent = lend(lambda text: splice(text, names, inside(first), tool_names), body)
    said = json.loads(sent, object_pairs_hook=list)
    assert said == model.edited(body, set(drop), first, set(tool_drop))


@given(bodies(), st.sampled_from(FIRST))
def test_bytes_that_are_not_concerned_stay(body: bytes, first: list[tuple[str, Any]]) -> None:
    assert splice(body) == body
    start = body.index(b"{")
    more = inside(first)
    sent = splice(body, (), more)
    assert sent.startswith(body[: start + 1] + more)
    assert sent.endswith(body[start + 1 :])


@given(bodies())
def test_members_are_as_they_stand(body: bytes) -> None:
    found = members(body, (b"model", b"tools"))
    said = dict(json.loads(body))
    assert {name.decode() for name in found} == {"model", "tools"} & set(said)
    for name, raw in found.items():
        assert json.loads(raw) == said[name.decode()]
        assert raw in body


@pytest.mark.parametrize("body", [b"", b" ", b"[]", b"1"])
def test_only_objects_are_edited(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        splice(body)


def test_what_is_sent_passes_the_strict_reader() -> None:
    body = b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"}],"stream":true}'
    sent = splice(body, (b"model", b"stream"), b'"anthropic_version":"bedrock-2023-05-31"')
    assert read_request(sent, model_required=False).anthropic_version == "bedrock-2023-05-31"
    assert sent == b'{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"hi"}]}'
