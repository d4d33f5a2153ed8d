"""Laws of expected prices: exact fractions rounded up, and what the ledger charges for the same tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastgate.routing.price import Turn, later_nano, turn_nano, whole_nano
from tests.laws.test_money import compiled, rows, usage
from tests.model import money as model

TOKENS = st.integers(0, 2_000_000)
TURNS = st.builds(
    Turn, TOKENS, TOKENS, caches=st.booleans(), hour=st.booleans(), fast=st.booleans(), us_geo=st.booleans()
)


def expected(turn: Turn, read: int) -> model.Tokens:
    """What the usage of such a turn will say, if it goes as expected."""
    new = turn.prompt - read
    return model.Tokens(
        input=0 if turn.caches else new,
        output=turn.output,
        write_5m=new if turn.caches and not turn.hour else 0,
        write_1h=new if turn.caches and turn.hour else 0,
        read=read,
        fast=turn.fast,
        us_geo=turn.us_geo,
    )


def priced(row: model.Row, tokens: model.Tokens) -> int | None:
    try:
        return model.cost_nano(row, tokens)
    except OverflowError:
        return None


@given(rows(), TURNS, TOKENS)
def test_a_turn_costs_what_the_ledger_would_charge_for_it(row: model.Row, turn: Turn, warm: int) -> None:
    tokens = expected(turn, min(warm, turn.prompt))
    slow = priced(row, tokens)
    if slow is not None:
        assert turn_nano(turn, compiled(row), warm) == slow == compiled(row).cost(usage(tokens))


@given(rows(), TURNS, TOKENS)
def test_a_later_turn_reads_what_this_one_made_warm(row: model.Row, turn: Turn, fresh: int) -> None:
    turn.fresh = fresh
    slow = priced(row, expected(turn, turn.prompt - min(fresh, turn.prompt) if turn.caches else 0))
    if slow is not None:
        assert later_nano(turn, compiled(row)) == slow


@given(rows(), TURNS, TOKENS, st.integers(1, 40))
def test_turns_add_up(row: model.Row, turn: Turn, warm: int, turns: int) -> None:
    first, later = priced(row, expected(turn, min(warm, turn.prompt))), priced(row, expected(turn, 0))
    if first is not None and later is not None:
        turn.fresh = turn.prompt
        total = sum([turn_nano(turn, compiled(row), warm), *[later_nano(turn, compiled(row))] * (turns - 1)])
        assert whole_nano(first, later_nano(turn, compiled(row)), turns) == total
