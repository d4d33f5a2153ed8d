"""What was judged is what is sent: a body that the gateway accepts is read alike by four independent JSON readers, and
where they would not read alike it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.request import RequestError, RequestView, read_request
from tests.support.bodies import BODIES
from tests.support.parsers import Node, NotReadError, read_with, readers
from tests.support.wire import TEXT, spell

NUMBERS = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.integers(300, 320).map(lambda n: "9" * n),
    st.sampled_from(
        ["1e308", "1e309", "-1e400", "1.7976931348623159e308", "1e-400", "0e99999", "-0", "-0.0", "1E+0308"]
    ),
    st.sampled_from(["9223372036854775808", "18446744073709551616", "-9223372036854775809", "9007199254740993"]),
)
"""As written: what fits a double, and what does not."""

WRONG_UTF8 = [b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xe2\x86"]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    process = Node()
    yield process
    process.close()


def judged(body: bytes) -> RequestView | None:
    try:
        return read_request(body)
    except RequestError:
        return None


def check(body: bytes, node: Node) -> RequestView | None:
    """All four say what the judge says of an accepted body; None for one that was refused."""
    view = judged(body)
    if view is None:
        return None
    said = {name: read_with(reader, body) for name, reader in readers(node).items()}
    tree = said["json"]
    assert all(other == tree for other in said.values()), said
    assert (tree["model"], tree.get("stream", False)) == (view.model, view.stream)
    assert tree.get("max_tokens", 0.0) == float(view.max_tokens)
    return view


@pytest.mark.promise("P-17", bound="json, msgspec, orjson and node read every accepted body alike")
@given(value=BODIES, style=st.randoms())
def test_four_readers_agree_on_what_is_accepted(node: Node, value: Any, style: Any) -> None:
    check(spell(value, style, faults=0.01).encode(), node)


@pytest.mark.promise("P-17", bound="json, msgspec, orjson and node read every accepted body alike")
@given(value=BODIES, style=st.randoms(), data=st.data())
def test_four_readers_agree_after_damage(node: Node, value: Any, style: Any, data: st.DataObject) -> None:
    body = bytearray(spell(value, style, faults=0).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"0", b"-", b"e9", b"\x00", b"\xff"])
        )
    check(bytes(body), node)


@given(number=NUMBERS)
def test_numbers_are_in_the_range_of_every_reader(node: Node, number: str) -> None:
    body = f'{{"model":"m","x":{{"y":[{number}]}}}}'.encode()
    if check(body, node) is None:
        with pytest.raises(NotReadError):
            read_with(readers(node)["orjson"], body)


@given(value=BODIES, style=st.randoms(), data=st.data())
def test_bytes_that_are_not_utf8_are_refused_anywhere(value: Any, style: Any, data: st.DataObject) -> None:
    body = spell(value, style, faults=0).encode()
    at = data.draw(st.integers(0, len(body)))
    while at < len(body) and body[at] & 0xC0 == 0x80:  # inside a character another byte could complete it
        at += 1
    assert judged(body[:at] + data.draw(st.sampled_from(WRONG_UTF8)) + body[at:]) is None


@given(name=TEXT, style=st.randoms(), depth=st.integers(0, 60), between=st.integers(0, 30))
def test_a_name_twice_is_refused_at_any_depth_however_it_is_spelled(
    name: str, style: Any, depth: int, between: int
) -> None:
    """Also as `mod\\u0065l`: spell() escapes at random."""
    others = "".join(f'"{n} between":0,' for n in range(between))
    inner = f"{{{spell(name, style, 0)}:1,{others}{spell(name, style, 0)}:2}}"
    body = '{"model":"m","x":' + "[" * depth + inner + "]" * depth + "}"
    with pytest.raises(RequestError, match="twice"):
        read_request(body.encode())


SPLITTING = {
    "byte order mark": b'\xef\xbb\xbf{"model":"m"}',
    "utf-16": '{"model":"m"}'.encode("utf-16"),
    "utf-32": '{"model":"m"}'.encode("utf-32-le"),
    "nan": b'{"model":"m","x":NaN}',
    "infinity": b'{"model":"m","x":[-Infinity]}',
    "lone surrogate": rb'{"model":"m","x":"\ud800"}',
    "lone surrogate in a name": rb'{"model":"m","\udfff":1}',
    "surrogates in the wrong order": rb'{"model":"m","x":"\udc00\ud800"}',
    "escaped model": rb'{"model":"cheap","mod\u0065l":"dear"}',
    "escaped model first": rb'{"mod\u0065l":"cheap","model":"dear"}',
    "upper case escape": rb'{"model":"cheap","\u006Dodel":"dear"}',
    "stream twice": b'{"model":"m","stream":false,"stream":true}',
    "max_tokens twice": b'{"model":"m","max_tokens":1,"max_tokens":128000}',
    "65 levels": b'{"model":"m","x":' + b"[" * 64 + b"]" * 64 + b"}",
    "100,000 levels": b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 objects": b'{"model":"m","x":' + b'{"a":' * 100_000 + b"0" + b"}" * 100_000 + b"}",
    "more than a million names": b'{"model":"m","x":[' + b",".join([b'{"a":0}'] * 1_000_000) + b"]}",
    "trailing comma": b'{"model":"m",}',
    "comment": b'{"model":"m"/* */}',
    "two values": b'{"model":"m"}{"model":"n"}',
    "newline in a string": b'{"model":"m","x":"\n"}',
    "leading zero": b'{"model":"m","max_tokens":010}',
    "plus": b'{"model":"m","max_tokens":+10}',
    "hexadecimal": b'{"model":"m","max_tokens":0x10}',
    "single quotes": b"{'model':'m'}",
}


@pytest.mark.parametrize("body", SPLITTING.values(), ids=SPLITTING.keys())
def test_what_would_split_readers_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        read_request(body)


@pytest.mark.slow
@pytest.mark.faults
def test_a_million_names_are_read_alike(node: Node) -> None:
    """At the limit: 10^6 names in one object, beside `model`."""
    names = dict.fromkeys(map(str, range(999_998)))
    assert check(json.dumps({"model": "m", "x": names}).encode(), node) is not None


def test_64_levels_are_read_alike(node: Node) -> None:
    assert check(b'{"model":"m","x":' + b"[" * 63 + b"]" * 63 + b"}", node) is not None
