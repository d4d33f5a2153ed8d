"""Pressure: two steps, three signals, none of them without calls; and the queue of a late loop stays short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastgate.gateway.pressure import (
    BUSY_CALLS,
    CALM,
    FEW_CALLS,
    HOLD_S,
    LATE_S,
    REFUSE_LAG_S,
    REFUSING,
    TARGET_S,
    WAITING_CALLS,
    Pressure,
)
from fastgate.gateway.pulse import PULSE_S


def pressure_of(limit: int = 1 << 30, sent: int = 0) -> Pressure:
    return Pressure(limit, lambda: sent, lambda: now_ns)


now_ns = 0


def test_steps_by_calls_in_flight() -> None:
    pressure = pressure_of(100)
    assert [pressure.closing(n) for n in (0, 89, 90, 99)] == [False, False, True, True]
    assert [pressure.level(n) for n in (0, 99, 100, 500)] == [CALM, CALM, REFUSING, REFUSING]


def test_a_late_loop_closes_connections_and_lets_no_more_wait_than_it_gets_through() -> None:
    pressure = pressure_of()
    for _ in range(200):
        assert pressure.level(0) == CALM
    pressure.beat(0.4, 0.39, 120)  # it got through eighty of two hundred: 200 a second
    assert [pressure.level(n) for n in (0, 59, 60, 99)] == [CALM, CALM, REFUSING, REFUSING]
    assert pressure.closing(0)
    pressure.beat(PULSE_S, 0.0, 0)
    assert pressure.closing(0), "it is late in turns"
    pressure.beat(HOLD_S, 0.0, 0)
    assert pressure.level(500) == CALM and not pressure.closing(500)


def test_calls_that_were_sent_on_do_not_wait() -> None:
    pressure = pressure_of(sent=5_000)
    pressure.beat(0.2, 0.19, 5_000 + FEW_CALLS)
    assert [pressure.level(5_000 + n) for n in (0, WAITING_CALLS - 1, WAITING_CALLS)] == [CALM, CALM, REFUSING]


def test_a_loop_that_streams_keep_takes_nothing_new() -> None:
    pressure = pressure_of(sent=BUSY_CALLS)
    pressure.beat(REFUSE_LAG_S, REFUSE_LAG_S, BUSY_CALLS)
    assert pressure.level(BUSY_CALLS) == REFUSING
    pressure.beat(PULSE_S, 0.0, BUSY_CALLS)
    assert pressure.level(BUSY_CALLS) == CALM


@given(st.floats(0, 100), st.integers(0, FEW_CALLS - 1))
def test_a_machine_that_others_keep_busy_is_no_overload(lag_s: float, calls: int) -> None:
    pressure = pressure_of()
    pressure.beat(lag_s + PULSE_S, lag_s, calls)
    assert pressure.level(calls) == CALM and not pressure.closing(calls)


@given(st.floats(0, 10), st.integers(0, 300), st.integers(1, 200))
def test_more_in_flight_never_means_less_pressure(lag_s: float, in_flight: int, limit: int) -> None:
    pressure = pressure_of(limit)
    pressure.beat(lag_s + PULSE_S, lag_s, in_flight)
    assert pressure.level(in_flight) <= pressure.level(in_flight + 1)
    assert pressure.level(in_flight) == REFUSING or in_flight < limit


@given(st.floats(200e-6, 8e-3), st.floats(0.2, 8), st.integers(0, 2))
def test_no_overload_makes_the_loop_late(cost_s: float, times: float, behind: int) -> None:
    """A loop that does in each turn what came in the turn before, as the event loop does, or some turns before, as
    bodies come: whatever a call costs and however many times too many come, what waits is soon no more than TARGET_S of
    work, or WAITING_CALLS; nobody is refused where there is no overload, and where there is one it always has work."""
    global now_ns
    pressure, came, refused = pressure_of(), [0] * (1 + behind), 0
    waits: list[float] = []
    for _ in range(60):
        away_s = max(PULSE_S, came[0] * cost_s)
        waiting, taken, begun_ns = sum(came), 0, now_ns
        for n in range(round(away_s * times / cost_s)):
            now_ns = begun_ns + int(n * cost_s / times * 1e9)
            done = min(came[0], int(n / times))
            found = pressure.level(waiting - done + taken)
            taken += found != REFUSING
            refused += found == REFUSING
        came = [*came[1:], taken]
        waits.append(sum(came) * cost_s)
        now_ns = begun_ns + int(away_s * 1e9)
        pressure.beat(away_s, away_s - PULSE_S, sum(came))
    settled = waits[-10:]
    assert max(waits) <= 2 * max(TARGET_S, WAITING_CALLS * cost_s) + (LATE_S + PULSE_S) * times * (1 + behind)
    assert max(settled) <= 2 * max(TARGET_S, WAITING_CALLS * cost_s)
    if times <= 0.8:
        assert refused == 0
    if times >= 2:
        assert min(settled) >= min(LATE_S, WAITING_CALLS * cost_s / 2), "it always has work"
