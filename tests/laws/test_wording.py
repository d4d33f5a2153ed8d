"""The compiled model of words says what a slow one says, of any text, and nothing of one text in the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.wording import KNOWN_MIN, SEGMENT_BYTES, Wording
from tests.model.wording import scores, segments

NONE = -float("inf")
TERMS = [b"you", b"never", b"refuse", b"don't", b"you never", b"never refuse", b"refuse you", b"a", b"a a", b"don't a"]
TERMS += [b"<no>", b"<say>", b"<no> <say>", b"<say> <no>", b"<no> <no>", b"you <no>", b"<say> a"]
SENSES = st.dictionaries(
    st.sampled_from([b"you", b"never", b"don't", b"a", b"other"]), st.sampled_from([b"<no>", b"<say>"])
)
TERMS += [b"<dot>", b"<line>", b"you <dot>", b"<dot> a", b"<dot> <line>", b"<line> <dot>", b"<other> never"]
SIGNS = st.dictionaries(
    st.sampled_from([b".", b"\n", b"?", b",", b"-", b"7", b"'", b" ", b"\xe9", b"\xe2"]),
    st.sampled_from([b"<dot>", b"<line>", b"<other>"]),
)
WEIGHTS = st.dictionaries(st.sampled_from(TERMS), st.floats(-8, 8), max_size=len(TERMS))
WORDS = st.sampled_from(
    [b"you", b"YOU", b"never", b"Refuse", b"don't", b"don\xe2\x80\x99t", b"a", b"other", b"'", b"\xe2\x80\x99", b"\xe9"]
)
GAPS = st.sampled_from(
    [
        b" ",
        b"\n",
        b". ",
        b"!",
        b"?\n",
        b"\n\n",
        b"\n\r\n",
        b".",
        b", ",
        b"7",
        b"." * (SEGMENT_BYTES - 3),
        b"-" * SEGMENT_BYTES,
        b" " * 1500,
    ]
)
TEXTS = st.lists(st.tuples(WORDS, GAPS), max_size=24).map(lambda pieces: b"".join(a + b for a, b in pieces))
SEVERAL = st.lists(TEXTS, min_size=1, max_size=4)


@given(weights=WEIGHTS, bias=st.floats(-4, 4), damping=st.floats(0.5, 9), senses=SENSES, signs=SIGNS, texts=SEVERAL)
def test_the_highest_score_is_that_of_the_slow_model(
    weights: dict[bytes, float],
    bias: float,
    damping: float,
    senses: dict[bytes, bytes],
    signs: dict[bytes, bytes],
    texts: list[bytes],
) -> None:
    wording = Wording.of(weights, bias, damping, senses, signs)
    for text in texts:  # one after the other: what was seen of one is nothing to the next
        expected = scores(text, SEGMENT_BYTES, KNOWN_MIN, weights, bias, damping, senses, signs)
        assert wording.score(text) == pytest.approx(max(expected, default=NONE), abs=1e-9)


@given(weights=WEIGHTS, bias=st.floats(-4, -0.1), senses=SENSES, signs=SIGNS, texts=SEVERAL)
def test_a_window_is_found_where_one_is_above_zero_and_begins_and_ends_with_what_speaks_for_it(
    weights: dict[bytes, float],
    bias: float,
    senses: dict[bytes, bytes],
    signs: dict[bytes, bytes],
    texts: list[bytes],
) -> None:
    wording = Wording.of(weights, bias, 4.0, senses, signs)
    for text in texts:
        highest = max(scores(text, SEGMENT_BYTES, KNOWN_MIN, weights, bias, 4.0, senses, signs), default=NONE)
        if abs(highest) < 1e-9:
            continue
        place = wording.find(text)
        assert (place is not None) == (highest > 0)
        if place is not None:
            start, end = place
            assert 0 <= start < end <= len(text)
            inside = set().union(*segments(text[start:end], len(text), senses, signs).values())
            assert any(weights.get(term, 0) > 0 for term in inside)


@pytest.mark.parametrize(
    "written",
    [b"", b" ", b"You", b"two  words", b"three words here", b"a1", b"a ", b" a", b"a'", b"<a", b"<>", b"<a>b"],
)
def test_what_is_neither_a_word_nor_two_has_no_weight(written: bytes) -> None:
    with pytest.raises(ValueError, match="neither a word"):
        Wording.of({written: 1.0}, 0.0, 1.0)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (b"", b"<a>"),
        (b"two words", b"<a>"),
        (b"A", b"<a>"),
        (b"<a>", b"<a>"),
        (b"a", b"a"),
        (b"a", b""),
        (b"a", b"<A>"),
        (b"a", b"<a> "),
        (b"a", b"<a"),
    ],
)
def test_a_sense_has_a_name_and_is_a_words(word: bytes, name: bytes) -> None:
    with pytest.raises(ValueError, match=r"not (a word|the name of a sense)"):
        Wording.of({}, 0.0, 1.0, {word: name})


@pytest.mark.parametrize("sign", [b"", b"..", b"a", b"A"])
def test_a_sign_is_a_byte_that_is_no_letter(sign: bytes) -> None:
    with pytest.raises(ValueError, match="not a sign"):
        Wording.of({}, 0.0, 1.0, None, {sign: b"<dot>"})


def test_a_sign_has_a_name_that_no_sense_has() -> None:
    with pytest.raises(ValueError, match="not the name of a sense or a sign"):
        Wording.of({}, 0.0, 1.0, None, {b".": b"dot"})
    with pytest.raises(ValueError, match="of one name"):
        Wording.of({}, 0.0, 1.0, {b"a": b"<dot>"}, {b".": b"<dot>"})


def test_damping_is_above_zero_and_a_wording_is_made_by_of() -> None:
    with pytest.raises(ValueError, match="damping"):
        Wording.of({}, 0.0, 0.0)
    with pytest.raises(TypeError):
        Wording()
    assert Wording.of({}, -1.5, 1.0).score(b"a b c d e") == NONE
    assert Wording.of({b"a": 1.0, b"a b": 2.0}, 0.0, 1.0).count == 2
