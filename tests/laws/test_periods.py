"""Laws of period bounds: they tile time in every IANA zone from 2000 to 2040, and begin where the zone says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate.periods import (
    LAST_START_DAY,
    MAX_ROLLING_H,
    PERIODS,
    ROLLING_BUCKETS,
    Period,
    bounds,
    calendar,
    start_day_problem,
    zone_problem,
)
from fastgate.times import LAST_NS, NS

FROM_S = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
UNTIL_S = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp())
WEEK_S, DAY_S = 7 * 86400, 86400
ZONES = sorted(available_timezones())
CALENDAR_PERIODS: list[Period] = ["day", "week", "month", "quarter"]


def local(at_s: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_s, zone)


def is_first(day: date, period: Period, start_day: int) -> bool:
    """Whether a period begins on `day`, said in the plainest way."""
    match period:
        case "day":
            return True
        case "week":
            return day.isoweekday() == start_day
        case "month":
            last = (day + timedelta(days=1)).month != day.month
            return day.day == start_day or (last and day.day < start_day)
        case _:
            return is_first(day, "month", start_day) and day.month in (1, 4, 7, 10)


def begins_at(at_s: int, zone: ZoneInfo, period: Period, start_day: int) -> bool:
    """Whether a first day of a period is reached at this second for the first time."""
    before, now = local(at_s - 1, zone).date(), local(at_s, zone).date()
    crossed = [before + timedelta(days=count) for count in range(1, (now - before).days + 1)]
    return any(is_first(day, period, start_day) for day in crossed)


@cache
def changes() -> dict[tuple[tuple[int, int], ...], str]:
    """The zones that differ from 2000 to 2040, each by its clock changes: (second, new offset)."""
    return {changes_of(ZoneInfo(name)): name for name in ZONES}


def changes_of(zone: ZoneInfo) -> tuple[tuple[int, int], ...]:
    def offset(at_s: int) -> int:
        found = local(at_s, zone).utcoffset()
        assert found is not None
        return int(found.total_seconds())

    found = []
    at_s, before = FROM_S, offset(FROM_S)
    while at_s < UNTIL_S:
        following = at_s + WEEK_S
        if offset(following) != before:
            low, high = at_s, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            found.append((high, offset(high)))
            following, before = high, offset(high)
        at_s = following
    return ((FROM_S, offset(FROM_S)), *found)


def walk(name: str, period: Period, start_day: int, from_s: int, until_s: int) -> None:
    """Every period between two moments follows on the one before it, and begins and is found where it should be."""
    known, zone = calendar(period, name, start_day), ZoneInfo(name)
    start_ns, end_ns = known.bounds(from_s * NS)
    while end_ns < until_s * NS:
        assert known.bounds(end_ns - 1) == (start_ns, end_ns)
        following = known.bounds(end_ns)
        assert following[0] == end_ns < following[1], f"{period} in {name} after {local(end_ns // NS, zone)}"
        assert begins_at(end_ns // NS, zone, period, start_day), f"{period} in {name}: {local(end_ns // NS, zone)}"
        start_ns, end_ns = following


@pytest.mark.promise("P-09", bound="every IANA zone, 2000 to 2040")
@pytest.mark.parametrize("period", ["month", "quarter"])
def test_months_and_quarters_tile_time_in_every_zone(period: Period) -> None:
    for name in changes().values():
        walk(name, period, 1, FROM_S, UNTIL_S)


@pytest.mark.parametrize("start_day", [29, 30, 31])
def test_months_that_begin_on_their_last_day_tile_time(start_day: int) -> None:
    for name in ("UTC", "Pacific/Apia", "America/Sao_Paulo"):
        walk(name, "month", start_day, FROM_S, UNTIL_S)
    walk("UTC", "quarter", start_day, FROM_S, UNTIL_S)
    first_of_march = datetime(2027, 3, 1, tzinfo=UTC)
    start_ns, end_ns = bounds("month", "UTC", 31, 0, int(first_of_march.timestamp()) * NS)
    days = [datetime.fromtimestamp(edge // NS, UTC).date() for edge in (start_ns, end_ns)]
    assert days == [date(2027, 2, 28), date(2027, 3, 31)]


@pytest.mark.promise("P-09", bound="around every clock change")
@pytest.mark.parametrize("period", ["day", "week"])
def test_days_and_weeks_tile_time_around_every_clock_change(period: Period) -> None:
    around = 2 * DAY_S if period == "day" else WEEK_S
    for found, name in changes().items():
        for at_s, _ in found:
            walk(name, period, 1, at_s - around, at_s + around)


moments = st.integers(FROM_S, UNTIL_S - 1)


@given(st.sampled_from(ZONES), st.sampled_from(CALENDAR_PERIODS), st.integers(1, LAST_START_DAY), moments)
@example("Europe/Berlin", "month", 31, 951868800)  # 1 March of a leap year
@example("Pacific/Apia", "month", 31, 1325246400)  # a month that lost its last day but one
@example("Pacific/Apia", "day", 1, 1325246400)  # 30 December 2011 was left out
@example("America/Sao_Paulo", "day", 1, 1541300400)  # midnight was left out
@example("America/Havana", "day", 1, 1257051600)  # the hour from midnight came twice
@example("Australia/Lord_Howe", "day", 1, 1301756400)  # half an hour
def test_a_period_holds_its_moment_and_meets_its_neighbours(
    name: str, period: Period, start_day: int, at_s: int
) -> None:
    start_day = 1 + start_day % 7 if period == "week" else 1 if period == "day" else start_day
    start_ns, end_ns = bounds(period, name, start_day, 0, at_s * NS)
    assert start_ns <= at_s * NS < end_ns
    assert bounds(period, name, start_day, 0, start_ns - 1)[1] == start_ns
    assert bounds(period, name, start_day, 0, end_ns)[0] == end_ns
    zone = ZoneInfo(name)
    for edge_ns in (start_ns, end_ns):
        assert edge_ns % NS == 0
        assert begins_at(edge_ns // NS, zone, period, start_day)


@given(st.integers(1, MAX_ROLLING_H), moments)
def test_rolling_steps_tile_time_and_a_window_is_sixty_of_them(hours: int, at_s: int) -> None:
    start_ns, end_ns = bounds("rolling", "UTC", 1, hours, at_s * NS + 1)
    assert start_ns <= at_s * NS + 1 < end_ns
    assert (end_ns - start_ns) * ROLLING_BUCKETS == hours * 3600 * NS
    assert bounds("rolling", "UTC", 1, hours, end_ns)[0] == end_ns


def test_total_is_one_period() -> None:
    assert bounds("total", "UTC", 1, 0, 0) == bounds("total", "UTC", 1, 0, LAST_NS - 1) == (0, LAST_NS)


def test_a_calendar_is_made_once_and_answers_again_from_memory() -> None:
    known = calendar("month", "Europe/Berlin", 15)
    assert calendar("month", "Europe/Berlin", 15) is known
    assert known.bounds(FROM_S * NS) is known.bounds(FROM_S * NS + 1)


@pytest.mark.parametrize("name", ["", "Europe/Berln", "../etc/passwd", "/etc/localtime", "Europe", "UTC\0"])
def test_what_is_no_zone_is_told(name: str) -> None:
    assert "is no time zone" in (zone_problem(name) or "")
    with pytest.raises(ValueError, match="is no time zone"):
        calendar("day", name)


@pytest.mark.parametrize(
    ("period", "start_day"),
    [("day", 2), ("week", 0), ("week", 8), ("month", 32), ("month", 0), ("quarter", 0), ("total", 2)],
)
def test_start_days_that_not_every_period_has_are_told(period: Period, start_day: int) -> None:
    assert start_day_problem(period, start_day)
    with pytest.raises(ValueError, match="start"):
        calendar(period, "UTC", start_day)


@pytest.mark.parametrize("hours", [0, MAX_ROLLING_H + 1])
def test_windows_of_no_length_or_beyond_a_year_are_told(hours: int) -> None:
    with pytest.raises(ValueError, match="rolling window"):
        calendar("rolling", rolling_h=hours)


def test_every_period_has_a_first_day_by_default() -> None:
    assert [start_day_problem(period, 1) for period in PERIODS] == [None] * len(PERIODS)
