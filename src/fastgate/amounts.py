"""Amounts as people read them, from nano-dollars. Exact ones for files and programs are money.format_usd's.

What is spent or left is cut, never rounded up: nobody reads of more than there is. What was chosen, a limit, is shown
to its last place. Neither says 0.00 of what is not nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

NANO = 1_000_000_000
PLACES = 9

MAX_USD = 50_000_000
"""Of one budget or increase: ten times the limit and a hundred increases still fit 64 bits of nano-dollars."""
USD_PLACES = 9
"""Nano-dollars."""

PPM_PER_PERCENT = 10_000

CENTS = 2
"""The fewest places of an amount."""

DIGITS = 3
"""Of an amount below a dollar, where cents say little: `0.0847`, `0.0000425`."""


def dollars(nano: int) -> str:
    """Dollars and cents; below a dollar three digits, wherever they begin. Cut towards zero."""
    whole, rest = divmod(abs(nano), NANO)
    zeros = PLACES - len(str(rest))
    return exact((-1 if nano < 0 else 1) * cut(abs(nano), CENTS if whole or not rest else zeros + DIGITS))


def exact(nano: int) -> str:
    """Every place that says something, and at least cents."""
    whole, rest = divmod(abs(nano), NANO)
    return f"{'-' if nano < 0 else ''}{whole}.{f'{rest:0{PLACES}d}'.rstrip('0').ljust(CENTS, '0')}"


def cut(nano: int, places: int) -> int:
    """An amount without what stands behind so many places."""
    step = int(10 ** max(PLACES - places, 0))
    return nano // step * step


def spent_and_needed(spent_nano: int, needed_nano: int, ceiling_nano: int) -> tuple[str, str]:
    """Both in so few places, from four on, that they say of the ceiling what is true: it is reached, or passed by the
    two together."""
    for places in (4, 6):
        cut_nano, up_nano = cut(spent_nano, places), -cut(-needed_nano, places)
        if cut_nano + up_nano > ceiling_nano and (cut_nano >= ceiling_nano or spent_nano < ceiling_nano):
            return exact(cut_nano), exact(up_nano)
    return exact(spent_nano), exact(needed_nano)


def percent(at_ppm: int) -> str:
    """Parts per million as people say them: `80 %`."""
    whole, rest = divmod(at_ppm, PPM_PER_PERCENT)
    return f"{whole}{f'.{rest:04d}'.rstrip('0') if rest else ''} %"


def usd_problem(value: Decimal) -> str | None:
    """What is wrong with a limit or an increase, in dollars."""
    if not value.is_finite():
        return "must be a number"
    if not 0 < value <= MAX_USD:
        return f"must be more than 0 and at most {MAX_USD}; to stop calls altogether there is `fastgate pause`"
    return f"has more than {USD_PLACES} decimal places" if decimal_places(value) > USD_PLACES else None


def decimal_places(value: Decimal) -> int:
    """Of a finite number; zeros behind the last other digit are none. Exact, however many digits it has."""
    _, digits, exponent = value.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -int(exponent) - zeros)
