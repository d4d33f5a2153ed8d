"""Times as people type them: durations (`90s`, `15m`, `12h`, `7d`) and moments (a date, RFC 3339, or so long ago)."""

from __future__ import annotations

import re
from typing import Any

import click

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
LONGEST_S = 100 * 366 * 86400
"""A century: more is a typing error, and nanoseconds of it still fit 64 bits."""

_DURATION = re.compile(r"(\d{1,10})([smhdw])")

NS = 1_000_000_000


def duration_s(text: str) -> int | None:
    """`90s`, `15m`, `12h`, `7d` or `2w` in seconds; None when it is none of these."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[1]) * UNITS_S[match[2]]
    return seconds if seconds <= LONGEST_S else None


class Duration(click.ParamType[int]):
    """A length of time, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        seconds = value if isinstance(value, int) else duration_s(value)
        if seconds is None:
            self.fail(f"{value!r} is not a duration; write 90s, 15m, 12h, 7d or 2w.", param, ctx)
        return seconds


class Moment(click.ParamType[str]):
    """A moment as the API takes it: RFC 3339 in UTC. `7d` is seven days ago."""

    name = "when"

    def __init__(self, ahead: bool = False) -> None:
        self.ahead = ahead
        """Whether a duration means so long from now, as for an expiry."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from fastgate.clock import wall_ns
        from fastgate.times import parse_moment, rfc3339

        seconds = duration_s(value)
        try:
            if seconds is not None:
                return rfc3339(wall_ns() + (seconds if self.ahead else -seconds) * NS)
            return rfc3339(parse_moment(value))
        except (ValueError, OverflowError) as error:
            self.fail(f"{error}; 7d is seven days {'from now' if self.ahead else 'ago'}.", param, ctx)
