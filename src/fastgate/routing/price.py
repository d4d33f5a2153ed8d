"""The expected price of a conversation's next turn at one endpoint, and of those after it. Integer nano-dollars.

One source of truth: an expectation is token counts by class, and `PriceRow.tokens` prices them as the ledger will price
the usage that comes back. Knows no endpoints and no history; router.py says what is expected.
"""

from __future__ import annotations

from fastgate._core.money import PriceRow

PROMPT_MAX = 10_000_000
"""Tokens; ten times the largest context window. An estimate is made of what clients and providers say."""


class Turn:
    """What is expected of the next turn, wherever it goes: tokens of its whole prompt, of what a warm cache will lack
    in later turns, and of its output. `caches`: what is new is written to the prompt cache; `hour`: for an hour."""

    prompt: int
    fresh: int
    output: int
    caches: bool
    hour: bool
    fast: bool
    us_geo: bool

    def __init__(
        self, prompt: int, output: int, *, caches: bool, hour: bool = False, fast: bool = False, us_geo: bool = False
    ) -> None:
        self.prompt = min(max(prompt, 0), PROMPT_MAX)
        self.fresh = 0
        self.output = output
        self.caches = caches
        self.hour = hour
        self.fast = fast
        self.us_geo = us_geo


def turn_nano(turn: Turn, row: PriceRow, warm: int) -> int:
    """This turn where `warm` tokens of its prefix are warm: they are read, the rest is new."""
    read = min(warm, turn.prompt)
    return _nano(turn, row, read, turn.prompt - read)


def later_nano(turn: Turn, row: PriceRow) -> int:
    """Each turn after it at the same place: all is read that this one made warm, and as much is new as in this one."""
    if not turn.caches:
        return _nano(turn, row, 0, turn.prompt)
    new = min(turn.fresh, turn.prompt)
    return _nano(turn, row, turn.prompt - new, new)


def whole_nano(price_nano: int, later: int, turns: int) -> int:
    """All turns that are expected while a cache is warm: this one, and those after it."""
    return price_nano + (turns - 1) * later


def _nano(turn: Turn, row: PriceRow, read: int, new: int) -> int:
    if not turn.caches:
        return row.tokens(new, turn.output, 0, 0, read, turn.fast, turn.us_geo)
    if turn.hour:
        return row.tokens(0, turn.output, 0, new, read, turn.fast, turn.us_geo)
    return row.tokens(0, turn.output, new, 0, read, turn.fast, turn.us_geo)
