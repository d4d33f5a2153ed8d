"""Laws of seams: a key that begins in one string and ends in the next of its kind is found, however both are spelt."""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import re
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
SECRETS = Guards([GuardRow("secrets", "redact")], b"p" * 32)
WHO = KeyRow(b"alice", "alice-laptop", "alice", "platform", "acme", "", {}, (), 0)
FILL = st.text(st.sampled_from('ab c,=é→😀\n"\\/'), max_size=40)
LONG = st.builds(
    lambda said, times: said * times,
    st.sampled_from(["line\n", "col\t", "一段很长的文字。", "é", "→a\r\n"]),
    st.integers(60, 900),
)
"""More than a seam has room for, and no blank in it."""


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


def secrets_of(texts: list[str]) -> Screened:
    """What the rules that there are make of a message of these texts."""
    SECRETS.memo = Memo.of(os.urandom(1072), slots=1024)
    raw = json.dumps({"model": "m", "messages": [user([text(said) for said in texts])]}).encode()
    read_request(raw)
    return SECRETS.screen(raw, WHO, 0)


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


@given(st.integers(1, 19), LONG, LONG, st.integers(0, 2**32))
def test_a_key_in_two_strings_is_found_where_no_blank_is_near(cut: int, before: str, behind: str, seed: int) -> None:
    one, two = f"{before}{KEY[:cut]}", f"{KEY[cut:]}\n{behind}"
    found = screened({"messages": [user([text(one), text(two)])]}, random.Random(seed))
    assert found.state == "redacted" and b"".join(found.secrets.values()) == KEY.encode()
    left, right = found.secrets
    assert [said["text"] for said in json.loads(found.body)["messages"][0]["content"]] == [
        before + left.decode(), f"{right.decode()}\n{behind}"
    ]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), [
    ("x \\" + KEY[:1], KEY[1:] + " y"),  # a backslash that is one, no escape
    ("x \\\\" + KEY[:1], KEY[1:] + " y"),
    ("DATABASE_URL=postgres://app:Zq8r5t", "Wm2LxP@db.corp.example/x"),
])  # fmt: skip
def test_a_secret_goes_on_over_these_signs(one: str, two: str) -> None:
    assert secrets_of([one, two]).state == "redacted"


@given(st.sampled_from(("Zq8r5tWm2LxP", "9fK2mQ7xZr", "Vb7x-L2mW5t")), st.integers(0, 60), st.booleans())
def test_a_password_in_an_address_is_hidden_wherever_it_is_cut(password: str, cut: int, quoted: bool) -> None:
    """Also where it stands whole in one string, and what tells that it is a password in the other: at `:` and `@`."""
    address = f"postgres://app:{password}@db.corp.example/x"
    said = f'url = "{address}"' if quoted else f"url={address}"
    cut = said.index(address) + 1 + cut % (len(address) - 1)
    found = secrets_of([said[:cut], said[cut:]])
    left = "".join(block["text"] for block in json.loads(found.body)["messages"][0]["content"])
    assert found.state == "redacted" and b"".join(found.secrets.values()).decode() == password
    assert re.sub(r"(redacted_fg_.{20})+", password, left) == said


def test_what_stands_in_one_string_alone_is_told_of_once() -> None:
    for texts in (["x=" + KEY, "y"], ["y", KEY + ".x"], [f"y {KEY}", "-x"]):
        found = secrets_of(texts)
        assert [verdict[0] for verdict in found.verdicts] == ["aws-access-key-id"], texts


@pytest.mark.parametrize("cut", [20, 100, 300, 500, 700])
def test_a_long_token_in_two_strings_is_found(cut: int) -> None:
    head, claims = (base64.urlsafe_b64encode(said).rstrip(b"=").decode() for said in (
        b'{"alg":"RS256","typ":"JWT"}', json.dumps({"sub": "12345", "roles": ["a"] * 60}).encode()
    ))  # fmt: skip
    token = f"{head}.{claims}.{random_base64(256)}"
    found = secrets_of([f"x {token[:cut]}", f"{token[cut:]} y"])
    assert found.state == "redacted" and b"".join(found.secrets.values()).decode() in token
    assert not any(part.encode() in found.body for part in (token[cut - 12 : cut], token[cut : cut + 40]))


@pytest.mark.parametrize("cut", [60, 400, 800, 1200])
@pytest.mark.parametrize("lines", [25, 49])  # keys of 2,048 and of 4,096 bits
def test_a_private_key_in_two_strings_is_hidden_whole(cut: int, lines: int) -> None:
    body = [random_base64(48) for _ in range(lines)]
    pem = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----"])
    found = secrets_of([f"x\n{pem[:cut]}", f"{pem[cut:]}\ny"])
    left = json.loads(found.body)["messages"][0]["content"]
    assert found.state == "redacted"
    assert not [line for said in left for line in said["text"].split("\n") if line and line in pem]


def random_base64(size: int) -> str:
    return base64.urlsafe_b64encode(random.Random(size).randbytes(size)).rstrip(b"=").decode()


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
            assert not (one and two and one[-1] in word and two[0] in word)
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


@pytest.mark.parametrize("order", list(itertools.permutations(["source", "title", "context"])))
@pytest.mark.parametrize("between", [0, 40, 400])
def test_members_of_a_document_may_stand_in_any_order(order: tuple[str, ...], between: int) -> None:
    """A seam is of a string and one behind it: never of one in front, whose bytes would be written past a buffer."""
    members = {
        "source": {"type": "text", "data": "d" * 60, "later": "-" * between},
        "title": "t" * 60,
        "context": "c" * 60,
    }
    document = {"type": "document", **{name: members[name] for name in order}}
    raw = json.dumps({"model": "m", "messages": [user([document])]}, separators=(",", ":")).encode()
    noted = read_blocks(raw, Memo.of(os.urandom(1072), slots=1024), seams=True).noted
    assert {block.text for block in noted if block.seam < 0} == {b"d" * 60, b"t" * 60, b"c" * 60}
    for block in noted:
        assert block.start < block.end
        assert len(block.text) <= block.end - block.start


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
