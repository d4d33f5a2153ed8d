"""The histogram of lateness: what is counted is read back, of living workers alone, and is what /metrics says."""

from __future__ import annotations

import bisect
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fastgate.control.metrics import lag_lines
from fastgate.lag import LAG_BOUNDS_MS, Lag, LagCounts, lag_of, sweep


def test_workers_are_added_up_and_the_dead_swept(tmp_path: Path) -> None:
    one, two = LagCounts(tmp_path / "a.lag"), LagCounts(tmp_path / "b.lag")
    for late_ms in (0.0, 0.25, 4.9, 9_999.0):
        one.add(int(late_ms * 1e6))
        two.add(int(late_ms * 1e6))
    lag = lag_of(tmp_path, ["a", "b", "not there"])
    assert (lag.beats, lag.sum_ns) == (8, 2 * 10_004_150_000)
    assert (lag.counts[0], lag.counts[-1], lag.within(0.5), lag.within(0.75)) == (4, 2, 0.25, 5)
    assert lag.within(1.0) == float("inf")
    assert lag.since(lag_of(tmp_path, ["a"])).beats == 4
    sweep(tmp_path, ["a"])
    assert lag_of(tmp_path, ["b"]).beats == 0
    one.close()
    two.close()
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.integers(0, 50), min_size=len(LAG_BOUNDS_MS) + 1, max_size=len(LAG_BOUNDS_MS) + 1))
def test_the_page_is_cumulative_and_ends_with_all(counts: list[int]) -> None:
    lines = [line for line in lag_lines(Lag(counts, 1_500_000_000)) if not line.startswith("#")]
    buckets = [int(line.rpartition(" ")[2]) for line in lines if "_bucket" in line]
    assert buckets == sorted(buckets)
    assert (buckets[-1], lines[-2]) == (sum(counts), "fastgate_loop_lag_seconds_sum 1.500000")
    assert lines[-1] == f"fastgate_loop_lag_seconds_count {sum(counts)}"


@given(st.lists(st.floats(0, 3000), min_size=1), st.floats(0.01, 1))
def test_a_share_is_within_its_bound(lates_ms: list[float], share: float) -> None:
    counts = [0] * (len(LAG_BOUNDS_MS) + 1)
    for late_ms in lates_ms:
        counts[bisect.bisect_left(LAG_BOUNDS_MS, late_ms)] += 1
    bound = Lag(counts, 0).within(share)
    assert sum(late_ms <= bound for late_ms in lates_ms) >= share * len(lates_ms)
