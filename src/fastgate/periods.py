"""When a budget's period begins and ends: day, week, month, quarter, total or rolling hours, in any IANA zone.

Periods tile time: one ends at the nanosecond at which the next begins, in every zone, also where a clock change skips
or repeats midnight and where a zone left out a whole day. Pure, and cheap enough for the call's path: a calendar
remembers the period it was last asked about. Knows nothing of budgets beyond these words.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastgate.times import LAST_NS, NS

Period = Literal["day", "week", "month", "quarter", "total", "rolling"]

PERIODS: tuple[Period, ...] = ("day", "week", "month", "quarter", "total", "rolling")

LAST_START_DAY = 31
"""Of a month or quarter. A month that has fewer days begins its period on its last: 31 is every month's end."""
DAYS_OF_WEEK = 7
"""The start day of a week is 1 (Monday) to 7 (Sunday), as ISO 8601 counts."""
MAX_ROLLING_H = 24 * 366
"""A year; who wants longer wants `total`."""
ROLLING_BUCKETS = 60
"""A rolling window moves in steps of a sixtieth: N hours in steps of N minutes."""

_MONTHS = {"month": 1, "quarter": 3}


def zone_problem(name: str) -> str | None:
    """What is wrong with the name of a time zone; None when this machine's zone data has it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{name[:60]!r} is no time zone that this machine knows; write UTC or a name like Europe/Berlin"
    return None


def start_day_problem(period: str, start_day: int) -> str | None:
    """What is wrong with the day on which a period starts."""
    if period == "week":
        last, words = DAYS_OF_WEEK, "a week starts on day 1 (Monday) to 7 (Sunday)"
    elif period in _MONTHS:
        last, words = LAST_START_DAY, f"a {period} starts on day 1 to {LAST_START_DAY}"
    else:
        last, words = 1, f"a period of {period} has no start day"
    return None if 1 <= start_day <= last else words


class Calendar:
    """The periods of one kind in one zone. `bounds(at_ns)` is (start, end) in UTC nanoseconds of the period at a
    moment: start ≤ at < end. `total` is one period from 0 to LAST_NS; `rolling` gives the step of its window."""

    __slots__ = ("_last", "_step_ns", "_zone", "period", "start_day")

    def __init__(self, period: Period, tz: str, start_day: int, rolling_h: int) -> None:
        self.period = period
        self.start_day = start_day
        self._zone = ZoneInfo(tz)
        self._step_ns = rolling_h * 3600 * NS // ROLLING_BUCKETS
        self._last = (0, LAST_NS) if period == "total" else (0, 0)

    def bounds(self, at_ns: int) -> tuple[int, int]:
        last = self._last
        if last[0] <= at_ns < last[1]:
            return last
        self._last = last = self._find(at_ns)
        return last

    def _find(self, at_ns: int) -> tuple[int, int]:
        if self.period == "total":
            return 0, LAST_NS
        if self.period == "rolling":
            start_ns = at_ns - at_ns % self._step_ns
            return start_ns, start_ns + self._step_ns
        at_s = at_ns // NS
        first = self._first_day(datetime.fromtimestamp(at_s, self._zone).date())
        start_s = first_instant(first, self._zone)
        following = self._step(first, 1)
        end_s = first_instant(following, self._zone)
        while end_s <= at_s:  # clocks put back over midnight show yesterday again, in what is today already
            start_s, following = end_s, self._step(following, 1)
            end_s = first_instant(following, self._zone)
        return start_s * NS, end_s * NS

    def _first_day(self, day: date) -> date:
        """The first day of the period that `day` is in."""
        if self.period == "day":
            return day
        if self.period == "week":
            return day - timedelta(days=(day.isoweekday() - self.start_day) % DAYS_OF_WEEK)
        first = self._start_in(day.year, day.month - (day.month - 1) % _MONTHS[self.period])
        return first if first <= day else self._step(first, -1)

    def _start_in(self, year: int, month: int) -> date:
        """The day on which a period begins in that month."""
        return date(year, month, min(self.start_day, monthrange(year, month)[1]))

    def _step(self, first: date, count: int) -> date:
        """The first day of the period that begins `count` periods later."""
        if self.period == "day":
            return first + timedelta(days=count)
        if self.period == "week":
            return first + timedelta(days=DAYS_OF_WEEK * count)
        year, month = divmod(first.year * 12 + first.month - 1 + _MONTHS[self.period] * count, 12)
        return self._start_in(year, month + 1)


@lru_cache(maxsize=4096)
def calendar(period: Period, tz: str = "UTC", start_day: int = 1, rolling_h: int = 0) -> Calendar:
    """The one calendar of these settings in this process. Raises ValueError with what is wrong with them."""
    wrong = zone_problem(tz) or start_day_problem(period, start_day)
    if wrong is None and period == "rolling" and not 1 <= rolling_h <= MAX_ROLLING_H:
        wrong = f"a rolling window is 1 to {MAX_ROLLING_H} hours long"
    if wrong is not None:
        raise ValueError(wrong)
    return Calendar(period, tz, start_day, rolling_h)


def bounds(period: Period, tz: str, start_day: int, rolling_h: int, at_ns: int) -> tuple[int, int]:
    """Start and end, in UTC nanoseconds, of the period at `at_ns`."""
    return calendar(period, tz, start_day, rolling_h).bounds(at_ns)


def first_instant(day: date, zone: ZoneInfo) -> int:
    """The first UTC second at which `zone` shows `day` or a later date."""
    midnight = datetime.combine(day, time(), zone)
    earlier, later = _utc_s(midnight), _utc_s(midnight.replace(fold=1))
    if earlier <= later:  # midnight comes once, or twice and this is the first
        return earlier
    low, high = later - 1, earlier  # midnight is skipped: its two readings enclose the change
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).date() < day:
            low = middle
        else:
            high = middle
    return high


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _utc_s(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
