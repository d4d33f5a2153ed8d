"""Slow oracle of fastgate._core.money: the same arithmetic in Fractions, written for reading and never shipped."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

MOST_NANO = 2**63 - 1
PICO_PER_NANO = 1000


@dataclass(frozen=True)
class Tokens:
    """Disjoint token classes and tool uses of one call."""

    input: int = 0
    output: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    web_search: int = 0
    web_fetch: int = 0
    code_execution: int = 0
    fast: bool = False
    us_geo: bool = False

    @property
    def prompt(self) -> int:
        return self.input + self.write_5m + self.write_1h + self.read

    @property
    def uses(self) -> int:
        return self.web_search + self.web_fetch + self.code_execution


@dataclass(frozen=True)
class Row:
    """Prices in the order input, output, 5 m write, 1 h write, read; pico-dollars a token."""

    base: tuple[int, int, int, int, int]
    tier_at: int
    above: tuple[int, int, int, int, int]
    tools: tuple[int, int, int]
    fast_ppm: int
    us_geo_ppm: int

    def ints(self) -> tuple[int, ...]:
        above = self.above if self.tier_at else self.base
        return (*self.base, self.tier_at, *above, *self.tools, self.fast_ppm, self.us_geo_ppm)


def exact_nano(row: Row, tokens: Tokens) -> Fraction:
    prices = row.above if row.tier_at and tokens.prompt > row.tier_at else row.base
    counts = (tokens.input, tokens.output, tokens.write_5m, tokens.write_1h, tokens.read)
    total = sum((Fraction(p) * n for p, n in zip(prices, counts, strict=True)), Fraction()) / PICO_PER_NANO
    if tokens.fast:
        total *= Fraction(row.fast_ppm, 1_000_000)
    if tokens.us_geo:
        total *= Fraction(row.us_geo_ppm, 1_000_000)
    uses = (tokens.web_search, tokens.web_fetch, tokens.code_execution)
    return total + sum(p * n for p, n in zip(row.tools, uses, strict=True))


def cost_nano(row: Row, tokens: Tokens) -> int:
    nano = ceil(exact_nano(row, tokens))
    if nano > MOST_NANO:
        raise OverflowError
    return nano


def usd(nano: int) -> str:
    sign = "-" if nano < 0 else ""
    return f"{sign}{abs(nano) // 10**9}.{abs(nano) % 10**9:09d}"
