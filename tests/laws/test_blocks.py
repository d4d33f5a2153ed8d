"""Laws of the block walk: the blocks of the slow twin, in any spelling; hiding changes what was meant, no more."""

from __future__ import annotations

import json
import os
import random
import re
import time
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastgate._core.blocks import Blocks, read_answer, read_blocks, replace
from fastgate._core.memo import Memo
from fastgate._core.peel import peel, unnumbered
from fastgate._core.request import read_request
from fastgate.guards.media import media_of
from fastgate.guards.rule import KINDS
from tests.model import blocks as model
from tests.support.wire import TEXT, spell

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), TEXT)
NAMES = st.one_of(st.sampled_from(["id", "type", "signature", "command", "data", "source", "content", "text"]), TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these members; `spelled` puts them in any order."""
    return st.fixed_dictionaries({}, optional=fields)


TEXTS = st.fixed_dictionaries(
    {"type": st.just("text"), "text": TEXT}, optional={"citations": st.lists(VALUES, max_size=2)}
)
ANY_BLOCK = st.one_of(
    TEXTS,
    objects(type=st.sampled_from(["thinking", "redacted_thinking"]), thinking=TEXT, signature=TEXT),
    objects(type=st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]), id=TEXT, name=TEXT, input=VALUES),
    objects(type=st.sampled_from(["compaction", "later", "tool_use"]), content=VALUES, id=TEXT),
    objects(
        type=st.sampled_from(["document", "image"]),
        title=TEXT,
        context=TEXT,
        source=st.one_of(
            objects(type=st.sampled_from(["text", "base64", "url"]), data=TEXT, url=TEXT, media_type=TEXT),
            objects(type=st.just("base64"), data=TEXT, content=TEXT),
            objects(content=TEXT),
            VALUES,
        ),
    ),
    objects(type=st.just("search_result"), title=TEXT, content=st.lists(TEXTS, max_size=2), source=TEXT),
    objects(
        type=st.sampled_from(["tool_result", "web_search_tool_result"]),
        tool_use_id=TEXT,
        content=st.one_of(TEXT, VALUES, st.lists(TEXTS, max_size=3)),
    ),
    TEXT,
)
MESSAGES = objects(
    role=st.one_of(st.sampled_from(["user", "assistant", "system"]), TEXT),
    content=st.one_of(TEXT, st.lists(ANY_BLOCK, max_size=4)),
)
BODIES = objects(
    model=st.just("m"),
    system=st.one_of(TEXT, st.lists(TEXTS, max_size=2)),
    messages=st.lists(MESSAGES, max_size=3),
    tools=st.lists(objects(name=TEXT, description=TEXT, input_schema=VALUES), max_size=2),
    metadata=objects(user_id=TEXT),
    safeguards=objects(context=VALUES),
).map(lambda body: {"model": "m"} | body)


def spelled(value: Any, data: st.DataObject) -> bytes:
    """The body in one of the many ways to write it."""
    style = random.Random(data.draw(st.integers(0, 2**32)))
    return spell(shuffled(value, style), style, faults=0).encode()


def shuffled(value: Any, style: random.Random) -> Any:
    if isinstance(value, dict):
        members = [(name, shuffled(inner, style)) for name, inner in value.items()]
        style.shuffle(members)
        return dict(members)
    return [shuffled(item, style) for item in value] if isinstance(value, list) else value


def put_for(text: bytes) -> str:
    """A placeholder of its own for each text, as the guards make them."""
    return f"redacted_fg_{sha256(text).hexdigest()[:20]}"


def memo() -> Memo:
    return Memo.of(os.urandom(1072), slots=1024)


def walked(body: bytes) -> Blocks:
    read_request(body)
    return read_blocks(body, memo())


@given(BODIES, st.data())
def test_the_blocks_are_those_of_the_slow_twin(value: dict[str, Any], data: st.DataObject) -> None:
    body = spelled(value, data)
    found = walked(body)
    wanted = model.blocks(body)
    assert [(KINDS[b.kind], b.role, b.path, b.text) for b in found.noted] == [
        (b.kind, b.role, b.path, b.text) for b in wanted
    ]
    assert found.count == len(wanted)


@given(BODIES, st.data())
def test_media_are_given_one_by_one_as_they_are_counted(value: dict[str, Any], data: st.DataObject) -> None:
    """One that nobody can be given is told beside those that can: none stands in for another."""
    body = spelled(value, data)
    assert len(media_of(body)) == walked(body).media


@given(BODIES, st.data())
def test_hiding_a_place_changes_it_and_nothing_else(value: dict[str, Any], data: st.DataObject) -> None:
    body = spelled(value, data)
    noted = walked(body).noted
    index = data.draw(st.integers(0, max(len(noted) - 1, 0)))
    assume(noted and noted[index].text)
    block, twin = noted[index], model.blocks(body)[index]
    start = data.draw(st.integers(0, len(block.text) - 1))
    end = data.draw(st.integers(start + 1, len(block.text)))
    edits = []
    for low, high, quoted, text in block.raw_places(start, end):
        assert text.decode() in block.text.decode()
        put = put_for(text).encode()
        edits.append((low, high, put if quoted else b'"%b"' % put))
    after = replace(body, edits)
    read_request(after)
    assert model.load(after) == model.hidden(body, twin, start, end, put_for)
    assert replace(body, []) == body


PIECES = ["a", "é", "😀", "\\ud83d", "\\uDE00", "\\ud83d\\ude00", "\\n", "\\\\", "\\u0041", "\\uD8aB", "bcdefgh"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9), st.data())
def test_a_place_in_an_answer_with_halves_of_a_pair_ends_within_it(pieces: list[str], data: st.DataObject) -> None:
    """A request has none; an answer may."""
    body = ('{"role":"assistant","content":"' + "".join(pieces) + '"}').encode()
    (block,) = read_answer(body).noted
    start = data.draw(st.integers(0, len(block.text) - 1))
    end = data.draw(st.integers(start + 1, len(block.text)))
    ((low, high, quoted, text),) = block.raw_places(start, end)
    assert block.start < low < high < block.end and quoted
    assert block.text[start:end] in text and text in block.text
    assert json.loads(body[:low] + b"x" + body[high:])


@given(BODIES, st.data())
def test_a_known_block_is_not_given_again(value: dict[str, Any], data: st.DataObject) -> None:
    body = spelled(value, data)
    kept = memo()
    first = read_blocks(body, kept).noted
    for index, block in enumerate(first):
        kept.note(block.mark, ("finding",) if index % 2 else ())
    dirty = {block.mark for index, block in enumerate(first) if index % 2}
    clean = {block.mark for index, block in enumerate(first) if not index % 2} - dirty
    again = read_blocks(body, kept).noted
    assert all(block.found == ("finding",) for block in again if block.mark not in clean)
    assert {block.mark for block in again} == dirty - clean or dirty & clean == set()


@given(
    st.lists(st.one_of(TEXT, st.sampled_from(["\\n", "\\u0041", "\\\\", "\\u00e9", "\\x", "\\ud83d", "\\", "\\u12"])))
)
def test_a_peeled_place_leads_back_to_what_it_stands_for(parts: list[str]) -> None:
    text = "".join(parts).encode()
    peeled = peel(text)
    if peeled is None:
        assert not any(escape in text for escape in (b"\\n", b"\\u0041", b"\\\\", b"\\u00e9"))
        return
    for start in range(len(peeled.text)):
        for end in range(start + 1, min(start + 4, len(peeled.text)) + 1):
            if b"\0" in peeled.text[start:end]:
                continue
            low, high = peeled.place(start, end)
            inner = peel(text[low:high])
            found = inner.text if inner is not None else text[low:high]
            assert peeled.text[start:end] in found
            assert len(found) <= end - start + 6


JOINED = [
    b"a",
    b"Z",
    b"9",
    b"@",
    b"[",
    b"{",
    b"_",
    b"\xc3\xa4",
    b"\xb0",
    b" ",
    b".",
    b"AKIA1234",
    b'" + "',
    b"\n   12\t",
    b"\r\n",
]
JOINED += [b"\xc2\xad", b"\xe2\x80\x8b", b"%41", b"&#65;", b"\\x41", b"`", b"'", b"-"]


@given(st.lists(st.sampled_from(JOINED), max_size=40), st.integers(0, 40))
def test_where_a_text_stands_in_its_block_does_not_change_what_is_peeled(parts: list[bytes], before: int) -> None:
    """Sixteen bytes a step, and byte by byte where fewer are left: both see the same escapes and seams."""

    def peeled_of(text: bytes) -> bytes:
        found = peel(text)
        return text if found is None else found.text

    text = b"".join(parts)
    first, last = b"." * (before + 1), b"." * 40
    assert peeled_of(first + text + last) == b"." * before + peeled_of(b"." + text + b".") + last[1:]


def test_what_is_far_from_any_escape_is_not_peeled() -> None:
    far = b"a" * 5000
    peeled = peel(far + b"\\nKEY\\u0041" + far + b"\\tEND" + far)
    assert peeled is not None and len(peeled.text) < 3000
    at = peeled.text.index(b"KEYA")
    assert peeled.place(at, at + 4) == (5002, 5011)
    at = peeled.text.index(b"END")
    assert peeled.place(at, at + 3) == (10013, 10016)
    assert peel(far) is None and peel(far + b"\\x" + far) is None


KEY = "AKIA" + "Q3EGRDZ7KPLM5XWT"
ESCAPES = st.sampled_from(["\\x{:02x}", "\\u{:04x}", "\\\\u{:04x}", "%{:02X}", "&#{};", "&#x{:x};", "\\{:03o}"])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\n    ", "\\\n", "\n     2\t", "\n    12\u2192  "])
JOINED = st.sampled_from(['" + "', "' . '", '" "', '"\n  "', "`\n+ `", '" +\n     3\t"'])
UNSEEN = st.sampled_from(["\u200b", "\u00ad", "\ufeff"])
SEAMS = st.one_of(LINE_ENDS, JOINED, UNSEEN)


@given(st.integers(4, 16), SEAMS, st.lists(st.integers(0, 19), max_size=4), ESCAPES, TEXT, TEXT)
def test_a_key_is_whole_in_the_peeled_text_however_it_was_split(
    cut: int, seam: str, escaped: list[int], form: str, before: str, after: str
) -> None:
    """One seam, or escapes anywhere; both lead back to all of the key in the text and nothing around it."""
    written = f"{KEY[:cut]}{seam}{KEY[cut:]}"
    if escaped:
        written = "".join(form.format(ord(sign)) if at in escaped else sign for at, sign in enumerate(KEY))
    text = f"{before} {written} {after}".encode()
    peeled = peel(text)
    assert peeled is not None
    start = peeled.text.index(KEY.encode())
    low, high = peeled.place(start, start + len(KEY))
    assert text[low:high] == written.encode()


@pytest.mark.parametrize("sign", ["\\", "\\\n", "\n", "\n\t", "' ", "a1\n", "a1' ", "%", "&#", "\u200b", "\r\n1\t  "])
def test_the_time_of_peeling_is_in_proportion_to_the_text(sign: str) -> None:
    """A text of one sign, sixteen times as long: quadratic work would take 256 times as long."""

    def taken(size: int) -> float:
        text = sign.encode() * (size // len(sign))
        times = []
        for _ in range(5):
            start = time.process_time_ns()
            peel(text)
            times.append(time.process_time_ns() - start)
        return max(min(times), 20_000)

    assert taken(128_000) < 64 * taken(8_000)


NUMBERS = re.compile(rb"^[ \t]*[0-9]{1,7}(?:\xe2\x86\x92|\t)", re.MULTILINE)


@given(st.lists(st.sampled_from(["\n", " ", "\t", "12", "1234567", "8", "→", "\u2193", "x"])).map("".join))
def test_line_numbers_go_and_nothing_else(text: str) -> None:
    assert unnumbered(text.encode()) == NUMBERS.sub(b"", text.encode())
