"""Pressure: two steps, two signals, and none of them without calls in flight."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastgate.gateway.pressure import BUSY_CALLS, CALM, CLOSE_LAG_S, CLOSING, REFUSE_LAG_S, REFUSING, Pressure


def test_steps_by_calls_in_flight() -> None:
    pressure = Pressure(100)
    assert [pressure.level(n) for n in (0, 89, 90, 99, 100, 500)] == [CALM, CALM, CLOSING, CLOSING, REFUSING, REFUSING]


def test_steps_by_lateness_and_back() -> None:
    pressure = Pressure(1000)
    levels = []
    for lag_s in (0.0, CLOSE_LAG_S, REFUSE_LAG_S, 5.0, CLOSE_LAG_S, 0.01):
        pressure.note(lag_s, BUSY_CALLS)
        levels.append(pressure.level(BUSY_CALLS))
    assert levels == [CALM, CLOSING, REFUSING, REFUSING, CLOSING, CALM]


@given(st.floats(0, 100), st.integers(0, BUSY_CALLS - 1))
def test_a_machine_that_others_keep_busy_is_no_overload(lag_s: float, in_flight: int) -> None:
    pressure = Pressure(1000)
    pressure.note(lag_s, in_flight)
    assert pressure.level(in_flight) == CALM


@given(st.floats(0, 10), st.integers(0, 300), st.integers(1, 200))
def test_more_in_flight_never_means_less_pressure(lag_s: float, in_flight: int, limit: int) -> None:
    pressure = Pressure(limit)
    pressure.note(lag_s, in_flight)
    assert pressure.level(in_flight) <= pressure.level(in_flight + 1)
    assert (pressure.level(in_flight) == REFUSING) >= (in_flight >= limit)
