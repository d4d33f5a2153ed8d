"""Amounts that people read: never more than there is, never nothing of something, and true to the ceiling."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.amounts import NANO, decimal_places, dollars, exact, spent_and_needed, usd_problem

AMOUNTS = st.one_of(st.integers(0, 2 * NANO), st.integers(0, 2**62))


def nano(text: str) -> int:
    return int(Decimal(text).scaleb(9))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0.00"),
        (4_200_000, "0.0042"),
        (10_000, "0.00001"),
        (84_712_345, "0.0847"),
        (1, "0.000000001"),
        (500_000_000, "0.50"),
        (12_349_999_999, "12.34"),
        (3_000_000_000, "3.00"),
        (-84_712_345, "-0.0847"),
    ],
)
def test_what_is_shown(amount: int, shown: str) -> None:
    assert dollars(amount) == shown


@given(AMOUNTS)
def test_an_amount_is_cut_by_less_than_a_hundredth_part_and_never_to_nothing(amount: int) -> None:
    shown = nano(dollars(amount))
    assert 0 <= amount - shown <= amount // 100
    assert (shown == 0) == (amount == 0)
    assert dollars(-amount).removeprefix("-") == dollars(amount)


@given(AMOUNTS)
def test_what_was_chosen_is_shown_to_its_last_place(amount: int) -> None:
    assert nano(exact(amount)) == amount
    assert len(exact(amount).partition(".")[2]) >= 2


@given(AMOUNTS, st.integers(1, 2**60), st.data())
def test_a_refusals_amounts_are_more_than_the_ceiling_as_in_truth(spent: int, needed: int, data: st.DataObject) -> None:
    ceiling = data.draw(st.integers(0, spent + needed - 1))
    shown, needs = (nano(text) for text in spent_and_needed(spent, needed, ceiling))
    assert shown <= spent and needs >= needed
    assert shown + needs > ceiling
    assert (shown >= ceiling) == (spent >= ceiling)


@given(st.integers(0, 10**60), st.integers(0, 40))
def test_places_are_counted_exactly_whatever_the_number_of_digits(digits: int, places: int) -> None:
    text = f"{digits:0{places + 1}d}"
    value = Decimal(f"{text[: len(text) - places]}.{text[len(text) - places :]}" if places else text)
    shown = text[len(text) - places :].rstrip("0") if places else ""
    if digits:
        assert decimal_places(value) == len(shown)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "-1", "0", "1e30", "1e-30"])
def test_what_is_no_limit_says_why(value: str) -> None:
    assert usd_problem(Decimal(value))
