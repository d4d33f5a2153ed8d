"""Moments as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.times import LAST_NS, NS, parse_moment, rfc3339

MS = 1_000_000


@given(st.integers(0, LAST_NS // MS))
def test_what_is_written_reads_back_to_the_millisecond(at_ms: int) -> None:
    assert parse_moment(rfc3339(at_ms * MS)) == at_ms * MS


@given(st.integers(0, LAST_NS))
def test_writing_cuts_never_rounds(at_ns: int) -> None:
    assert 0 <= at_ns - parse_moment(rfc3339(at_ns)) < MS


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1970-01-01", 0),
        ("2027-01-01", 1_798_761_600 * NS),
        ("2027-01-01T00:00:00Z", 1_798_761_600 * NS),
        ("2027-01-01T02:00:00+02:00", 1_798_761_600 * NS),
        ("2027-01-01T00:00:00", 1_798_761_600 * NS),
        ("2027-01-01T00:00:00.000001Z", 1_798_761_600 * NS + 1000),
        ("1798761600", 1_798_761_600 * NS),
        ("1798761600.5", 1_798_761_600 * NS + 500 * MS),
        ("1798761600.000000001", 1_798_761_600 * NS + 1),
    ],
)
def test_forms_that_are_taken(text: str, at_ns: int) -> None:
    assert parse_moment(text) == at_ns


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2027-13-01", "12:00", "-5", "1e9", "99999999999", "2027-01-01T25:00"]
)
def test_forms_that_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment"):
        parse_moment(text)


@pytest.mark.parametrize("text", ["2263-01-01", "9999-12-31T23:59:59Z", "9999999999"])
def test_beyond_64_bits_of_nanoseconds_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="2262"):
        parse_moment(text)
