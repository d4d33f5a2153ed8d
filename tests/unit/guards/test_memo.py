"""The memo of judged blocks: marks differ where anything differs, and what is old is forgotten."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.memo import Memo

SECRET = os.urandom(1072)


@given(st.binary(max_size=3000), st.binary(min_size=1, max_size=3), st.integers(0, 4000), st.integers(0, 7))
def test_marks_differ_where_anything_differs(data: bytes, change: bytes, at: int, seed: int) -> None:
    memo = Memo.of(SECRET)
    other = data[: at % (len(data) + 1)] + change + data[at % (len(data) + 1) :]
    assert memo.mark_of(data, seed) == memo.mark_of(data, seed) == Memo.of(SECRET).mark_of(data, seed)
    assert memo.mark_of(data, seed) != memo.mark_of(other, seed)
    assert memo.mark_of(data, seed) != memo.mark_of(data, seed + 1)
    assert memo.mark_of(data, seed) != Memo.of(os.urandom(1072)).mark_of(data, seed)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1023, 1024, 1025, 5000])
def test_every_single_byte_counts(size: int) -> None:
    memo = Memo.of(SECRET)
    base = bytearray(size)
    marks = {memo.mark_of(bytes(base))}
    for at in range(size):
        base[at] = 1
        marks.add(memo.mark_of(bytes(base)))
        base[at] = 0
    assert len(marks) == size + 1
    assert len({memo.mark_of(bytes(n)) for n in range(size, size + 40)}) == 40


def test_what_is_noted_is_known_until_it_is_old() -> None:
    memo = Memo.of(SECRET, slots=64, found_limit=8)
    marks = [memo.mark_of(bytes([n])) for n in range(200)]
    for n, mark in enumerate(marks):
        assert memo.get(mark) is None
        memo.note(mark, (n,) if n % 5 == 0 else ())
        assert memo.get(mark) == ((n,) if n % 5 == 0 else ())
        assert memo.count <= 32
    assert memo.get(marks[-1]) == ()
    assert sum(memo.get(mark) is not None for mark in marks) < 200


def test_what_is_used_is_not_forgotten() -> None:
    memo = Memo.of(SECRET, slots=64)
    used = memo.mark_of(b"used")
    memo.note(used, ())
    for n in range(1000):
        memo.note(memo.mark_of(n.to_bytes(4, "big")), ())
        assert memo.get(used) == ()


def test_a_memo_needs_its_key_and_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="1072 bytes"):
        Memo.of(b"short")
    with pytest.raises(ValueError, match="power of two"):
        Memo.of(SECRET, slots=100)
