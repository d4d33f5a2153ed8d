"""Laws of the packer: what it writes is what msgspec writes of the same values, whatever they are and however long."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.pack import Packer
from fastgate._core.sending import request_head

encode = msgspec.msgpack.Encoder().encode

EDGES = [1 << bits for bits in (5, 7, 8, 15, 16, 31, 32, 63, 64)]
INTEGERS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.sampled_from([sign * edge + step for edge in EDGES for sign in (1, -1) for step in (-2, -1, 0, 1)]).filter(
        lambda n: -(1 << 63) <= n < 1 << 64
    ),
)
SIZES = st.sampled_from([0, 1, 15, 16, 31, 32, 255, 256, 2100, 65535, 65536])
TEXTS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), SIZES.map("é".__mul__))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    TEXTS,
    st.binary(),
    SIZES.map(bytes),
    st.floats(),
    st.just(msgspec.Raw(b"\x93abc")),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(TEXTS, inner), SIZES.map(lambda n: [1] * n)
    ),
    max_leaves=12,
)


class Named(msgspec.Struct, array_like=True):
    name: str
    count: int = 3


@given(st.lists(VALUES, max_size=20))
@example([Named("one"), {"a": Named("two")}])
def test_a_message_is_what_msgspec_writes(values: list[Any]) -> None:
    packer = Packer()
    for _ in range(2):  # the room that is left from the first is used again
        packer.begin(len(values))
        for value in values:
            packer.value(value)
        assert packer.taken() == encode(values)


@given(st.lists(st.one_of(TEXTS, st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1))))
def test_each_kind_by_its_name_is_the_same(values: list[Any]) -> None:
    packer = Packer()
    packer.begin(1)
    packer.array(len(values))
    for value in values:
        if isinstance(value, str):
            packer.text(value)
        elif isinstance(value, bool):
            packer.flag(value)
        else:
            packer.number(value)
    assert packer.taken() == encode([values])


def test_what_cannot_be_written_leaves_nothing_behind() -> None:
    packer = Packer()
    for wrong, error in (("\ud800", UnicodeEncodeError), (object(), TypeError), (1 << 64, OverflowError)):
        packer.begin(1)
        with pytest.raises(error):
            packer.value(wrong)
    packer.begin(1)
    packer.packed(b"\x01")
    assert packer.taken() == b"\x91\x01"


@given(*[st.binary(max_size=40)] * 4, st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 1 << 62))
def test_the_head_of_a_request_is_its_parts(
    begin: bytes, fixed: bytes, version: bytes, lines: bytes, query: str, length: int
) -> None:
    asked = b"?" + query.encode() if query else b""
    expected = b"%b%b%b%b%bcontent-length: %d\r\n\r\n" % (begin, asked, fixed, version, lines, length)
    assert request_head(begin, query, fixed, version, lines, length) == expected
