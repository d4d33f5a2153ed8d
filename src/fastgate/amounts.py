"""Amounts as people read them. Exact ones are for files and programs: format_usd."""

from __future__ import annotations

from fastgate._core.money import format_usd

PPM_PER_PERCENT = 10_000
CENTS = -7
"""Where the nine places of an amount are cut for people."""


def dollars(nano: int) -> str:
    """Dollars and cents, cut and never rounded up: nobody reads of more than was spent."""
    return format_usd(nano)[:CENTS]


def percent(at_ppm: int) -> str:
    """Parts per million as people say them: `80 %`."""
    whole, rest = divmod(at_ppm, PPM_PER_PERCENT)
    return f"{whole}{f'.{rest:04d}'.rstrip('0') if rest else ''} %"
