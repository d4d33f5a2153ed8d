"""What a period will have cost at its end, from what its days have cost so far. Integers throughout; nothing is booked.

The method, which answers repeat: each day still to come is taken to cost what the same weekday has cost on average over
the last 28 whole days (UTC), because teams of developers rest at weekends; what is left of today is that average times
the share of the day that is left. Averages begin at the first day with a call, so that who started last week is not
taken for idle before. Where no such weekday is on record, the average of all whole days stands in; where there is no
whole day yet, the rate of today so far. The range is one standard deviation of the days around their averages, grown
with the square root of the days to come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import msgspec

from fastgate.times import NS

Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[str, ...] = get_args(Period)

HISTORY_DAYS = 28
"""Four of each weekday: enough to average a bad one out, few enough to follow a growing team."""

DAY_NS = 24 * 3600 * NS
WEEK_DAYS = 7
MONTHS_OF_QUARTER = 3

METHOD = "weekday averages of the last 28 whole days (UTC); range: one standard deviation"
RATE_METHOD = "the rate of today so far (UTC): there is no whole day on record yet"


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Money in nano-dollars, moments in nanoseconds. `days` is how many whole days of history it rests on."""

    start_ns: int
    end_ns: int
    spent_nano: int
    expected_nano: int
    low_nano: int
    high_nano: int
    days: int
    method: str


def bounds(period: Period, now_ns: int) -> tuple[int, int]:
    """The calendar period in UTC that `now_ns` lies in: start included, end not. A week begins on Monday."""
    today = datetime.fromtimestamp(now_ns // NS, UTC).replace(hour=0, minute=0, second=0)
    if period in ("day", "week"):
        start = today - timedelta(days=today.weekday() if period == "week" else 0)
        return _ns(start), _ns(start + timedelta(days=WEEK_DAYS if period == "week" else 1))
    months = {"month": 1, "quarter": MONTHS_OF_QUARTER, "year": 12}[period]
    first = (today.month - 1) // months * months
    end = first + months
    return (
        _ns(today.replace(month=first + 1, day=1)),
        _ns(today.replace(year=today.year + end // 12, month=end % 12 + 1, day=1)),
    )


def history_since_ns(period: Period, now_ns: int) -> int:
    """From when on daily sums are needed: the period's start or the first day of the history, whichever is earlier."""
    return min(bounds(period, now_ns)[0], now_ns // DAY_NS * DAY_NS - HISTORY_DAYS * DAY_NS)


def forecast(period: Period, now_ns: int, daily_nano: Mapping[int, int]) -> Forecast:
    """`daily_nano` maps a day (days since the epoch, UTC) to its sum, from `history_since_ns` on."""
    start_ns, end_ns = bounds(period, now_ns)
    today = now_ns // DAY_NS
    spent = sum(nano for day, nano in daily_nano.items() if start_ns <= day * DAY_NS < end_ns)
    first_day = max(today - HISTORY_DAYS, min(daily_nano, default=today))
    whole = {day: daily_nano.get(day, 0) for day in range(first_day, today)}
    if whole:
        means = _weekday_means(whole)
        rest = means[today % WEEK_DAYS] * ((today + 1) * DAY_NS - now_ns) // DAY_NS
        ahead = range(today + 1, end_ns // DAY_NS)
        expected = spent + rest + sum(means[day % WEEK_DAYS] for day in ahead)
        variance = sum((nano - means[day % WEEK_DAYS]) ** 2 for day, nano in whole.items()) // len(whole)
        spread = math.isqrt(variance * (len(ahead) + 1))
    else:
        elapsed_ns = max(now_ns - today * DAY_NS, 1)
        expected = spent + daily_nano.get(today, 0) * (end_ns - now_ns) // elapsed_ns
        spread = expected - spent
    return Forecast(
        start_ns=start_ns,
        end_ns=end_ns,
        spent_nano=spent,
        expected_nano=expected,
        low_nano=max(spent, expected - spread),
        high_nano=expected + spread,
        days=len(whole),
        method=METHOD if whole else RATE_METHOD,
    )


def _weekday_means(whole: Mapping[int, int]) -> list[int]:
    """Average of each weekday, counted as days since the epoch modulo seven; of all days where a weekday is missing."""
    overall = sum(whole.values()) // len(whole)
    means: list[int] = []
    for weekday in range(WEEK_DAYS):
        found = [nano for day, nano in whole.items() if day % WEEK_DAYS == weekday]
        means.append(sum(found) // len(found) if found else overall)
    return means


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * NS
