"""Breakers: open after a row of failures, one probe at a time for all workers, longer each time, never for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.routing.health import (
    FAILURES_TO_OPEN,
    FIELDS,
    OPEN_FIRST_NS,
    OPEN_MAX_NS,
    OUTLIER_ATTEMPTS,
    OUTLIER_NS,
    PROBE_NS,
    SLOTS,
    WHOLE,
    Breaker,
    HealthTable,
)

NOW = 1_000_000_000_000


def test_two_workers_see_one_breaker(tmp_path: Path) -> None:
    one = HealthTable(tmp_path / "health").breaker("a")
    other = HealthTable(tmp_path / "health").breaker("a")
    stranger = HealthTable(tmp_path / "health").breaker("b")
    for _ in range(FAILURES_TO_OPEN - 1):
        one.failed(NOW)
        assert other.allows(NOW)
    one.failed(NOW)
    assert one.is_open and other.is_open and not other.allows(NOW)
    assert stranger.allows(NOW)
    probed = NOW + OPEN_FIRST_NS
    assert other.allows(probed) and not one.allows(probed)  # one probe for all
    assert one.allows(probed + PROBE_NS)  # given up for another
    other.succeeded()
    assert one.allows(probed) and one.allows(probed) and not one.is_open


def test_each_failed_probe_opens_for_longer_up_to_a_minute(tmp_path: Path) -> None:
    breaker = HealthTable(tmp_path / "health").breaker("a")
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(NOW)
    now, lengths = NOW, []
    for _ in range(12):
        start = now
        while not breaker.allows(now):
            now += OPEN_FIRST_NS // 10
        lengths.append(now - start)
        breaker.failed(now)
    assert lengths == sorted(lengths) or max(lengths) <= OPEN_MAX_NS * 1.01
    assert lengths[3] > lengths[0] * 4
    assert OPEN_MAX_NS * 0.75 < lengths[-1] <= OPEN_MAX_NS * 1.01


def test_what_a_provider_asks_for_is_kept_at_once_but_not_for_ever(tmp_path: Path) -> None:
    breaker = HealthTable(tmp_path / "health").breaker("a")
    breaker.failed(NOW, 7_000_000_000)
    assert not breaker.allows(NOW + 6_900_000_000) and breaker.allows(NOW + 7_000_000_000)
    breaker.succeeded()
    breaker.failed(NOW, 3600 * 1_000_000_000)
    assert breaker.allows(NOW + OPEN_MAX_NS)


def test_times_of_a_clock_before_the_last_boot_count_for_nothing(tmp_path: Path) -> None:
    breaker = HealthTable(tmp_path / "health").breaker("a")
    breaker.failed(NOW * 50, 60_000_000_000)
    assert breaker.allows(NOW)


def test_a_full_table_still_gives_breakers(tmp_path: Path) -> None:
    table = HealthTable(tmp_path / "health")
    for number in range(SLOTS):
        table.breaker(f"e{number}")
    assert table.breaker("one more").allows(NOW)
    for _ in range(FAILURES_TO_OPEN):
        table.breaker("e7").failed(NOW)
    assert not table.breaker("e7").allows(NOW) and table.breaker("e8").allows(NOW)


def ejected(breaker: Breaker, pattern: str, times: int) -> int:
    """After how many attempts it opened, of `pattern` (x fails) over and over; 0 where it did not."""
    for number in range(times):
        if pattern[number % len(pattern)] == "x":
            breaker.failed(NOW)
        else:
            breaker.succeeded()
        if breaker.is_open:
            return number + 1
    return 0


@pytest.mark.parametrize(
    ("pattern", "opens"),
    [("xxx.", True), ("xx.", True), ("xxx..", True), ("x..", False), ("x...", False), ("x" + 19 * ".", False),
     ("xxxx" + 40 * ".", False)],
)  # fmt: skip
def test_who_fails_half_of_its_calls_is_an_outlier(tmp_path: Path, pattern: str, opens: bool) -> None:
    breaker = HealthTable(tmp_path / "health").breaker("a")
    after = ejected(breaker, pattern, 500)
    assert (after > 0) is opens
    if opens:
        assert OUTLIER_ATTEMPTS <= after <= 60
        assert not breaker.allows(NOW + OUTLIER_NS * 7 // 10) and breaker.allows(NOW + OUTLIER_NS)
        breaker.succeeded()
        assert ejected(breaker, pattern, OUTLIER_ATTEMPTS - 1) == 0, "it begins anew"


def test_all_workers_count_into_one_share(tmp_path: Path) -> None:
    workers = [HealthTable(tmp_path / "health").breaker("a") for _ in range(4)]
    for number in range(60):
        worker = workers[number % 4]
        worker.failed(NOW) if number % 3 else worker.succeeded()
        if worker.is_open:
            break
    assert all(worker.is_open for worker in workers)


@given(st.lists(st.booleans(), max_size=200))
def test_the_share_stays_a_share(outcomes: list[bool]) -> None:
    cells = memoryview(bytearray(FIELDS * 8)).cast("q")
    breaker = Breaker(cells)
    for good in outcomes:
        breaker.succeeded() if good else breaker.failed(NOW)
        assert 0 <= cells[FIELDS - 1] & 0xFFFF_FFFF <= WHOLE and 0 <= cells[FIELDS - 1] >> 32 <= OUTLIER_ATTEMPTS
