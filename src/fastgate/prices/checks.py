"""What an operator sees of prices: the whole table as text, and the rows that look mistyped.

Owns the sanity bounds. Knows the data's shape only, so it checks list prices and overrides alike. Control plane only.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from fastgate._core.money import NO_MULTIPLIER_PPM, format_usd
from fastgate.prices.book import Price, PriceData

# Pico-dollars a token; 10**6 is $1 per million tokens. The cheapest Claude listed by 2026-11 takes $0.10 and $0.50, the
# dearest $15 and $75. Within these bounds every listed price passes, and each of them times or over 1,000 fails.
INPUT_BOUNDS = (20_000, 80_000_000)
OUTPUT_BOUNDS = (100_000, 400_000_000)
# Against the input price of the same row. Listed: writes 1.2 to 2, reads 0.025 to 0.12, output 3 to 5.
WRITE_BOUNDS = (1, 4)
OUTPUT_OVER_INPUT = (1, 20)
TIER_BOUNDS = (1, 10)
CHEAPEST_READ = 100
"""A cache read costs at least this part of input."""
# Nano-dollars a use: from a hundredth of a cent to a dollar; 0 is free. Listed: 4,166,667 and 10,000,000.
TOOL_BOUNDS = (100_000, 1_000_000_000)
# An override against the list price of the same model: negotiated discounts and resellers' margins stay within.
LIST_BOUNDS = (Decimal("0.1"), Decimal(10))
MULTIPLIER_BOUNDS = (NO_MULTIPLIER_PPM // 10, NO_MULTIPLIER_PPM * 10)

_CLASSES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_TOOLS = ("web_search", "web_fetch", "code_execution")


class PriceLine(msgspec.Struct, frozen=True):
    """One row of `fastgate prices show`. Token prices are USD per million tokens, tools USD a use, as decimal text."""

    kind: str
    model: str
    also: tuple[str, ...]
    source: str
    tokens: dict[str, str]
    long_prompt: dict[str, str]
    """Prices above `tier_at` prompt tokens; empty where there is no tier."""
    tier_at: int
    tools: dict[str, str]
    fast: str
    us_geo: str


class Finding(NamedTuple):
    """One row that looks wrong. `where` names it: kind and model, or the override's path."""

    where: str
    message: str


def lines(data: PriceData) -> list[PriceLine]:
    """Overrides in the order they are tried, then the list by kind and model, then the price of unknown models."""
    return [_line(price) for price in (*data.overrides, *data.prices, data.worst)]


def findings(data: PriceData) -> list[Finding]:
    """Prices out of all proportion, wherever they come from."""
    listed = {(price.kind, name): price for price in data.prices for name in price.names}
    found: list[Finding] = []
    for price in (*data.overrides, *data.prices, data.worst):
        where = f"{price.kind} {price.names[0]} ({price.source})"
        found += [Finding(where, message) for message in _proportions(price.ints)]
    for price in data.overrides:
        usual = listed.get((price.kind, price.names[0])) or listed.get(("anthropic", price.names[0]))
        if usual is not None:
            where = f"{price.kind} {price.names[0]} ({price.source})"
            found += [Finding(where, message) for message in _against(price.ints, usual.ints)]
    return found


def _proportions(ints: tuple[int, ...]) -> list[str]:
    base, above = ints[:5], ints[6:11]
    messages = []
    for name, value, (least, most) in (("input", base[0], INPUT_BOUNDS), ("output", base[1], OUTPUT_BOUNDS)):
        if not least <= value <= most:
            messages.append(
                f"{name} is ${_per_million(value)} per million tokens; "
                f"expected ${_per_million(least)} to ${_per_million(most)}"
            )
    messages += _ratio("output", base[1], "input", base[0], OUTPUT_OVER_INPUT)
    for i in (2, 3):
        messages += _ratio(_CLASSES[i], base[i], "input", base[0], WRITE_BOUNDS)
    if base[4] > base[0]:
        messages.append("cache_read is dearer than input")
    if base[4] * CHEAPEST_READ < base[0]:
        messages.append(f"cache_read (${_per_million(base[4])}) is less than 1/{CHEAPEST_READ} of input")
    for name, low, high in zip(_CLASSES, base, above, strict=True):
        messages += _ratio(f"{name} of long prompts", high, name, low, TIER_BOUNDS)
    for name, value in zip(_TOOLS, ints[11:14], strict=True):
        if value and not TOOL_BOUNDS[0] <= value <= TOOL_BOUNDS[1]:
            messages.append(f"{name} is ${format_usd(value)} a use")
    for name, value in zip(("fast", "us_geo"), ints[14:16], strict=True):
        if not MULTIPLIER_BOUNDS[0] <= value <= MULTIPLIER_BOUNDS[1]:
            messages.append(f"{name} multiplies by {_factor(value)}")
    return messages


def _ratio(name: str, value: int, other: str, base: int, bounds: tuple[int, int]) -> list[str]:
    if bounds[0] * base <= value <= bounds[1] * base:
        return []
    return [
        f"{name} (${_per_million(value)}) is not {bounds[0]} to {bounds[1]} times {other} (${_per_million(base)})",
    ]


def _against(ints: tuple[int, ...], usual: tuple[int, ...]) -> list[str]:
    return [
        f"{name} is ${_per_million(value)} per million tokens, the list price ${_per_million(base)}"
        for name, value, base in zip(_CLASSES, ints[:5], usual[:5], strict=True)
        if not LIST_BOUNDS[0] * base <= value <= LIST_BOUNDS[1] * base
    ]


def _line(price: Price) -> PriceLine:
    ints = price.ints
    per_token = {name: _per_million(value) for name, value in zip(_CLASSES, ints[:5], strict=True)}
    above = {name: _per_million(value) for name, value in zip(_CLASSES, ints[6:11], strict=True)}
    return PriceLine(
        kind=price.kind,
        model=price.names[0],
        also=price.names[1:],
        source=price.source,
        tokens=per_token,
        long_prompt=above if ints[5] else {},
        tier_at=ints[5],
        tools={name: format_usd(value) for name, value in zip(_TOOLS, ints[11:14], strict=True)},
        fast=_factor(ints[14]),
        us_geo=_factor(ints[15]),
    )


def _per_million(pico: int) -> str:
    """Pico-dollars a token as USD per million tokens: 3_750_000 is "3.75"."""
    return _plain(Decimal(pico).scaleb(-6))


def _factor(ppm: int) -> str:
    return _plain(Decimal(ppm).scaleb(-6))


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
