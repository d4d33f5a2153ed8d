"""Laws of the request reader: it accepts what is strict JSON and nothing else, says what the slow reader says, and
never lets two readers of one body come to different answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.request import RequestError, RequestView, read_request
from tests.model import request as model
from tests.support.bodies import BODIES
from tests.support.wire import TEXT, spell

# Bytes between the quotes of a string: long enough to cross the blocks in which strings are read, and of every kind.
PIECES = st.lists(
    st.one_of(
        st.sampled_from([
            rb"\\", rb"\"", rb"\n", rb"\t", rb"\/", rb"\b", rb"\f", rb"\r", rb"\u00e9", rb"\u0041", rb"\u20AC",
            rb"\ud83d\ude00", rb"\uD83D\uDE00",
        ]),
        st.sampled_from("a\u00e9\u2192\ud55c\u0e01\U0001f600\U0010ffff\x7f").map(str.encode),
        st.integers(1, 70).map(lambda n: b"x" * n),
    ),
    max_size=60,
).map(b"".join)  # fmt: skip
PLACES = [
    rb"\\", rb"\"", rb"\n", rb"\u0041", rb"\ud83d\ude00", rb"\\\\\"", rb"\\\\\\", rb"\\\"\\", b"\xc3\xa9",
    b"\xe2\x86\x92", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf",
]  # fmt: skip
BREAKS = [
    b"\x00", b"\x1f", b"\n", b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xe2\x86", b"\xe0\x80\x80",
    b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
    b"\xff", b"\xf0\x9f\x98", rb"\u12", rb"\uD800", rb"\udc00", rb"\ud83d\ud83d\ude00", rb"\ud83dx", rb"\ud83d\n",
    rb"\x", rb"\u00g0", rb"\U0041", rb"\'", b'"', b"\\",
]  # fmt: skip

FIELDS = ("model", "stream", "max_tokens", "thinking.budget_tokens")


def said(body: bytes) -> dict[str, Any] | str:
    """All that the compiled reader says, or the first word of its refusal."""
    try:
        view = read_request(body)
    except RequestError as error:
        return str(error).split()[0]
    return {name: getattr(view, name) for name in vars(model.View())}


def expected(body: bytes) -> dict[str, Any] | str:
    try:
        return vars(model.read_request(body))
    except model.RefusedError as error:
        return str(error)


def agree(body: bytes) -> None:
    said_now, wanted = said(body), expected(body)
    if isinstance(wanted, str):
        # A body may break several rules, and the pass names the one it meets first.
        assert isinstance(said_now, str), (said_now, wanted)
        assert wanted.startswith("json") or wanted in FIELDS
    else:
        assert said_now == wanted


@given(BODIES, st.randoms())
def test_says_what_the_slow_reader_says(value: Any, style: Any) -> None:
    agree(spell(value, style, faults=0).encode())


@given(BODIES, st.randoms())
def test_refuses_what_the_slow_reader_refuses(value: Any, style: Any) -> None:
    agree(spell(value, style).encode())


@given(BODIES, st.randoms(), st.data())
def test_damage_is_judged_alike(value: Any, style: Any, data: st.DataObject) -> None:
    body = bytearray(spell(value, style, faults=0).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from([
            b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"0", b"-", b".", b"e", b"nul", b"\x1f", b"\xff",
        ]))  # fmt: skip
    agree(bytes(body))


@given(st.binary(max_size=200))
@example(b"")
@example(b"{}")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    agree(body)


@given(PIECES)
def test_strings_of_every_kind(inside: bytes) -> None:
    body = b'{"model":"' + inside + b'","tools":[{"name":"' + inside + b'"}]}'
    agree(body)
    if inside:
        view = read_request(body)
        assert view.model == json.loads(b'"' + inside + b'"') == view.tools[0]
        assert body[view.model_start : view.model_end] == b'"' + inside + b'"'


@given(PIECES, st.sampled_from(BREAKS), PIECES, st.booleans())
def test_broken_strings_are_refused_wherever_they_break(before: bytes, broken: bytes, after: bytes, name: bool) -> None:
    inside = before + broken + after
    agree(b'{"model":"m","' + inside + b'":1}' if name else b'{"model":"m","x":"' + inside + b'"}')
    agree(b'{"model":"m","x":"' + inside)


@pytest.mark.parametrize("inside", PLACES + BREAKS)
def test_what_crosses_the_blocks_of_the_fast_reader(inside: bytes) -> None:
    """Strings are read 16 and 64 bytes a step: everything at every place in a step."""
    for before in range(140):
        for after in (0, 1, 70):
            agree(b'{"model":"' + b"x" * before + inside + b"y" * after + b'"}')


def no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def no_constant(word: str) -> Any:
    raise ValueError(word)


def in_range(number: str) -> str:
    if math.isinf(float(number)):
        raise ValueError(number)
    return number


@given(BODIES, st.randoms(), st.data())
def test_what_is_accepted_every_reader_accepts(value: Any, style: Any, data: st.DataObject) -> None:
    """The standard library, told to be strict, is a second opinion on acceptance."""
    body = bytearray(spell(value, style, faults=0.005).encode())
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + 1] = data.draw(st.sampled_from([b"", b'"', b"\\", b",", b"}", b"NaN", b"\xc3"]))
    try:
        text = bytes(body).decode()
        tree = json.loads(
            text, object_pairs_hook=no_name_twice, parse_constant=no_constant, parse_int=in_range, parse_float=in_range
        )
        json.dumps(tree, ensure_ascii=False).encode()
        strict = isinstance(tree, dict)
    except (ValueError, AssertionError):
        strict = False
    answer = said(bytes(body))
    if not isinstance(answer, str):
        assert strict
    elif strict:
        # Refused for a field, not for being what JSON readers disagree on.
        assert answer in FIELDS


@given(st.lists(st.one_of(TEXT, st.sampled_from(["a", "b", "model"])), max_size=60), st.randoms())
def test_no_name_comes_twice(names: list[str], style: Any) -> None:
    members = ",".join(f"{spell(name, style, faults=0)}:0" for name in names)
    body = f'{{"model":"m","x":[{{{members}}}]}}'.encode()
    if len(set(names)) == len(names):
        assert isinstance(read_request(body), RequestView)
    else:
        with pytest.raises(RequestError, match="twice"):
            read_request(body)


@given(st.sampled_from(["new", 'quo"te', "\u00fc/\n"]), BODIES, st.randoms())
def test_the_model_can_be_replaced_in_place(other: str, value: Any, style: Any) -> None:
    body = spell(value, style, faults=0).encode()
    if isinstance(said(body), str):
        return
    view = read_request(body)
    changed = body[: view.model_start] + json.dumps(other).encode() + body[view.model_end :]
    assert json.loads(changed) == json.loads(body) | {"model": other}
