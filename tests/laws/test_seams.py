"""Laws of seams: a key that begins in one string and ends in the next of its kind is found, however both are spelt."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.blocks import read_blocks
from fastgate._core.memo import Memo
from fastgate._core.request import read_request
from fastgate.guards.rule import Rule, Scanner
from fastgate.guards.screen import Guards, Screened
from fastgate.snapshot import GuardRow, KeyRow
from tests.support.wire import spell

KEY = "AKIA" + "Q3EGRDZ7KPLM5XWT"
RULES = (
    Rule(id="key", title="a key", pattern="AKIA[A-Z0-9]{16}", samples=(KEY,)),
    Rule(id="half", title="half of a key", pattern="AKIA[A-Z0-9]{8}", samples=(KEY[:12],)),
    Rule(id="any", title="any text", look=lambda block: [(0, len(block.text))], samples=("x",), severity="low"),
)
GUARDS = Guards(
    [GuardRow("keys", "redact", rules=("key", "half")), GuardRow("keys", "log", rules=("any",))],
    b"p" * 32,
    scanners={"keys": Scanner(name="keys", title="keys", rules=RULES)},
)
WHO = KeyRow(b"alice", "alice-laptop", "alice", "platform", "acme", "", {}, (), 0)
FILL = st.text(st.sampled_from('ab c,=é→😀\n"\\/'), max_size=40)


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def result(content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": content}


PLACED = {
    "blocks of a message": lambda one, two: {"messages": [user([text(one), text(two)])]},
    "an image between": lambda one, two: {"messages": [user([text(one), {"type": "image", "source": {}}, text(two)])]},
    "two messages": lambda one, two: {"messages": [user(one), user(two)]},
    "blocks of a tool's result": lambda one, two: {"messages": [user([result([text(one), text(two)])])]},
    "two results": lambda one, two: {"messages": [user([result(one), result([text(two)])])]},
    "the system": lambda one, two: {"system": [text(one), text(two)], "messages": []},
}


def screened(body: Any, style: random.Random) -> Screened:
    GUARDS.memo = Memo.of(os.urandom(1072), slots=1024)
    raw = spell({"model": "m", **body}, style, faults=0).encode()
    read_request(raw)
    return GUARDS.screen(raw, WHO, 0)


@given(st.integers(1, 19), st.sampled_from(sorted(PLACED)), FILL, FILL, st.integers(0, 2**32))
def test_no_part_of_a_key_in_two_strings_leaves(cut: int, where: str, before: str, behind: str, seed: int) -> None:
    """What is left of both strings is what stood around the key; each part comes back by a placeholder of its own."""
    one, two = f"{before} {KEY[:cut]}", f"{KEY[cut:]} {behind}"
    found = screened(PLACED[where](one, two), random.Random(seed))
    assert found.state == "redacted"
    assert b"".join(found.secrets.values()) == KEY.encode()
    left, right = found.secrets
    assert json.loads(found.body) == json.loads(json.dumps({
        "model": "m", **PLACED[where](f"{before} {left.decode()}", f"{right.decode()} {behind}")
    }))  # fmt: skip
    assert [v for v in found.verdicts if v[0] == "key"] and "any" not in {v[0] for v in found.verdicts if v[4] == ""}


@given(st.lists(st.text(st.sampled_from("abZ9_-+/. ,é😀"), max_size=700), max_size=5), st.integers(0, 2**32))
def test_seams_are_the_edges_of_neighbours_where_a_word_may_go_on(texts: list[str], seed: int) -> None:
    raw = spell({"messages": [user([text(said) for said in texts])]}, random.Random(seed), faults=0).encode()
    noted = read_blocks(raw, Memo.of(os.urandom(1072), slots=1024), seams=True).noted
    plain = [block.text for block in noted if block.seam < 0]
    assert plain == [said.encode() for said in texts] == [block.text for block in read_blocks(raw, Memo.of(
        os.urandom(1072), slots=1024)).noted]  # fmt: skip
    seams = {block.path: (block.text[: block.seam], block.text[block.seam :]) for block in noted if block.seam >= 0}
    word = set("abZ9_-+/.=")
    for at in range(1, len(texts)):
        one, two = texts[at - 1], texts[at]
        edges = seams.get(f"messages[0].content[{at}]")
        if edges is None:
            # Nothing goes on, or there is no place near the edge at which a word can end.
            lone = not (set(one[-20:]) & set(" ,") or len(one) < 20) or not (set(two[:40]) & set(" ,") or len(two) < 40)
            assert lone or not (one and two and one[-1] in word and two[0] in word)
            continue
        assert one.encode().endswith(edges[0]) and two.encode().startswith(edges[1])
        assert all(edges)


def test_other_strings_meet_nowhere() -> None:
    """Not another kind, not what somebody else said, not where a line or a sentence ends."""

    def seams(body: Any) -> list[Any]:
        raw = json.dumps({"model": "m", **body}).encode()
        noted = read_blocks(raw, Memo.of(os.urandom(1072), slots=1024), seams=True).noted
        return [block for block in noted if block.seam >= 0]

    assert len(seams({"messages": [user([text("a1"), text("b2")])]})) == 1
    assert seams({"messages": [user("a1"), {"role": "assistant", "content": "b2"}]}) == []
    assert seams({"system": "a1", "messages": [user("b2")]}) == []
    assert seams({"messages": [user([text("a1"), result("b2")])]}) == []
    for one, two in (("a\n", "b"), ("a!", "b"), ("a", "\nb"), ("a ", "b"), ("", "b"), ("a", "")):
        assert seams({"messages": [user([text(one), text(two)])]}) == []


def test_a_seam_that_was_judged_is_known() -> None:
    memo = Memo.of(os.urandom(1072), slots=1024)
    raw = json.dumps({"messages": [user([text("say a1"), text("b2 now")])]}).encode()
    for block in read_blocks(raw, memo, seams=True).noted:
        memo.note(block.mark, ())
    assert read_blocks(raw, memo, seams=True).noted == []
    (new,) = (b for b in read_blocks(raw.replace(b"a1", b"a2"), memo, seams=True).noted if b.seam >= 0)
    assert (new.text, new.seam, new.path) == (b"say a2b2 now", 6, "messages[0].content[1]")


@pytest.mark.parametrize("cut", range(1, 20))
def test_hiding_across_a_seam_and_in_the_block_beside_it_goes_together(cut: int) -> None:
    """`half` is found in the first string by itself, `key` over both: each string keeps one placeholder."""
    found = screened({"messages": [user([text(f"x {KEY[:cut]}"), text(f"{KEY[cut:]} y")])]}, random.Random(cut))
    assert found.body.count(b"redacted_fg_") == 2 and b"".join(found.secrets.values()) == KEY.encode()
