"""Pressure and turns with a made clock: nobody waits for long however many come, nobody is refused where all fit."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate.gateway.pressure import (
    BUSY_CALLS,
    CALM,
    CLOSING,
    HOLD_S,
    REFUSE_LAG_S,
    REFUSING,
    TARGET_NS,
    WAITED_NS,
    WAITING_CALLS,
    Pressure,
)
from fastgate.gateway.pulse import PULSE_NS, PULSE_S
from fastgate.gateway.turns import GAP_NS, LONGEST_NS, TURN_NS, Turns

US, MS, S = 1_000, 1_000_000, 1_000_000_000


class Loop:
    """A worker: one loop, whose time is spent by the calls that begin, and a door that sees each call when it comes,
    whatever the loop does. A call's body comes `body_ns` after its head; to begin takes what `cost_ns` says."""

    def __init__(self, cost_ns: Callable[[], int], body_ns: int) -> None:
        self.now_ns = 10 * S
        self.cost_ns, self.body_ns = cost_ns, body_ns
        self.soon: deque[Callable[[], object]] = deque()
        self.turns = Turns(self.soon.append, lambda: self.now_ns, lambda: self.busy_ns)
        self.pressure = Pressure(1 << 30, self.turns, lambda: 0, random.Random(1).random)
        self.heads: deque[int] = deque()
        """When calls will come."""
        self.bodies: deque[int] = deque()
        """When those came whose bodies are on their way."""
        self.closes: deque[bool] = deque()
        """Of those that have not begun, in their order: whether the answer closes its connection."""
        self.in_flight = self.refused = self.busy_ns = 0
        self.shared = 1
        """How many want the core that the loop is on."""
        self.waits: list[int] = []
        """From a call's head to its beginning."""
        self._beat_ns = self.now_ns

    def spend(self, ns: int) -> None:
        """Time goes by, and the door is asked meanwhile."""
        end_ns = self.now_ns + ns
        while self.heads and self.heads[0] <= end_ns:
            self.now_ns = max(self.now_ns, self.heads.popleft())
            if self.pressure.level(self.in_flight) == REFUSING:
                self.refused += 1
            else:
                self.in_flight += 1
                self.bodies.append(self.now_ns)
                self.closes.append(self.pressure.closing(self.in_flight))
        self.now_ns = end_ns

    def go(self, came_ns: int) -> None:
        """A call begins."""
        self.waits.append(self.now_ns - came_ns)
        self.in_flight -= 1
        self.answered(self.closes.popleft())
        cost_ns = self.cost_ns()
        self.busy_ns += cost_ns
        self.spend(cost_ns * self.shared)

    def answered(self, closes: bool) -> None:
        """A client has its answer."""

    def body(self, came_ns: int) -> None:
        if self.turns.full():
            self.turns.wait(lambda: self.go(came_ns))
        else:
            self.go(came_ns)
            self.turns.done()

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + int(seconds * S)
        while self.now_ns < end_ns:
            there = [self.bodies.popleft() for _ in range(sum(at + self.body_ns <= self.now_ns for at in self.bodies))]
            ready = [self.soon.popleft() for _ in range(len(self.soon))]
            for called in ready:
                called()
            for came_ns in there:
                self.body(came_ns)
            away_ns = self.now_ns - self._beat_ns
            if away_ns >= PULSE_NS:
                self._beat_ns = self.now_ns
                self.pressure.beat(away_ns / S, (away_ns - PULSE_NS) / S, self.in_flight)
            self.spend(10 * US if self.soon or self.bodies else 200 * US)  # it polls


@settings(max_examples=20)
@given(st.integers(500, 8_000), st.floats(0.2, 8), st.integers(0, 30))
def test_no_overload_makes_a_call_wait_for_long(cost_us: int, times: float, body_ms: int) -> None:
    """Whatever calls cost, and however many times too many come: those that are taken begin soon, nobody is refused who
    could be served, and where there is too much the worker always has work."""
    loop = Loop(lambda: cost_us * US, body_ms * MS)
    gap_ns = int(cost_us * US / times)
    loop.heads.extend(range(loop.now_ns, loop.now_ns + 2 * S, gap_ns))
    loop.run(1.5)
    began, busy_ns = len(loop.waits), loop.busy_ns
    loop.run(0.5)
    target_ns = max(TARGET_NS, WAITING_CALLS * cost_us * US)
    slack_ns = body_ms * MS + LONGEST_NS + PULSE_NS + 2 * cost_us * US
    assert max(loop.waits) <= target_ns + WAITED_NS * max(1, times) + (1 + times) * slack_ns
    assert max(loop.waits[began:], default=0) <= target_ns + 2 * slack_ns
    if times <= 0.8:
        assert loop.refused == 0
    if times >= 1.5:
        assert loop.refused > 0
        assert loop.busy_ns - busy_ns >= 0.45 * S


@settings(max_examples=50)
@given(st.integers(1, 400), st.integers(20, 200), st.integers(0, 20))
def test_many_small_calls_at_once_are_all_served(calls: int, cost_us: int, body_ms: int) -> None:
    loop = Loop(lambda: cost_us * US, body_ms * MS)
    loop.heads.extend([loop.now_ns + S // 2] * calls)
    loop.run(1.0)
    assert (len(loop.waits), loop.refused) == (calls, 0)


def test_small_calls_are_served_beside_neighbours_that_keep_the_core() -> None:
    """It takes long, and not for the calls: in a closed loop, so that all that are answered come again."""
    loop = Loop(lambda: 100 * US, MS)
    loop.shared = 50
    for _ in range(20):
        loop.heads.extend([loop.now_ns] * 64)
        loop.run(0.35)
    assert loop.refused == 0 and len(loop.waits) > 500


def test_small_calls_right_after_an_overload_with_dear_ones_are_all_served() -> None:
    """A third of what the worker can do, and two hundred at once."""
    costs = [8 * MS]
    loop = Loop(lambda: costs[0], MS)
    loop.heads.extend(range(loop.now_ns, loop.now_ns + S, 2 * MS))
    loop.run(1.0)
    while loop.in_flight:
        loop.run(0.01)
    assert loop.refused > 0 and loop.pressure.late == CLOSING
    refused, costs[0] = loop.refused, 100 * US
    loop.heads.extend(range(loop.now_ns, loop.now_ns + 3 * S, 300 * US))
    loop.run(1.0)
    loop.heads.extendleft([loop.now_ns] * 200)
    loop.run(2.5)
    assert (loop.refused, loop.in_flight) == (refused, 0)


def test_an_overload_is_over_soon_after_its_last_call() -> None:
    loop = Loop(lambda: 2 * MS, MS)
    loop.heads.extend(range(loop.now_ns, loop.now_ns + S, MS // 2))
    loop.run(1.0)
    assert loop.pressure.late == CLOSING and closed_of(loop.pressure, 1_000) > 0
    loop.run(HOLD_S + 1.0)
    assert loop.pressure.late == CALM and loop.in_flight == 0 and closed_of(loop.pressure, 1_000) == 0


def closed_of(pressure: Pressure, calls: int) -> int:
    return sum(pressure.closing(1) for _ in range(calls))


class Worker(Loop):
    """One of those that share clients, who come again as soon as they are answered: to the same one on a connection
    that is kept, to any on a new one."""

    def __init__(self, cost_ns: int, clients: int, workers: list[Worker], dice: random.Random) -> None:
        super().__init__(lambda: cost_ns, MS)
        self.workers, self.dice = workers, dice
        self.heads.extend([self.now_ns] * clients)

    def answered(self, closes: bool) -> None:
        to = self.dice.choice(self.workers) if closes else self
        to.heads.append(max(self.now_ns, to.now_ns) + MS)

    def clients(self) -> int:
        return len(self.heads) + self.in_flight


@settings(max_examples=10)
@given(st.integers(1_000, 1_600), st.integers(0, 99))
def test_clients_of_a_pressed_worker_spread_and_do_not_all_leave(cost_us: int, seed: int) -> None:
    """They are few enough for two workers, and most are at one at first. Who is refused does not come again."""
    workers: list[Worker] = []
    dice = random.Random(seed)
    workers += (Worker(cost_us * US, clients, workers, dice) for clients in (80, 20))
    shares = []
    for turn in range(3_000):
        for worker in workers:
            worker.run(MS / S)
        if turn >= 2_000:
            shares.append(workers[0].clients() / sum(worker.clients() for worker in workers))
    assert min(shares) >= 0.3 and max(shares) <= 0.7


def test_what_others_wait_for_is_not_kept_from_them() -> None:
    """Between two turns the loop looks at all else."""
    loop = Loop(lambda: 500 * US, 0)
    loop.heads.extend([loop.now_ns] * 30)
    loop.run(0.0001)
    times = []
    while loop.in_flight:
        times.append(loop.now_ns)
        loop.run(1e-9)
    assert max(b - a for a, b in pairwise(times)) <= TURN_NS + MS


def test_a_call_that_goes_on_in_the_next_turn_is_the_last_of_its_own() -> None:
    soon: list[Callable[[], object]] = []
    went: list[int] = []
    now_ns = [S]
    turns = Turns(soon.append, lambda: now_ns[0], lambda: now_ns[0])
    while not turns.full():
        now_ns[0] += GAP_NS // 2
        turns.done()
    assert TURN_NS <= now_ns[0] - S < TURN_NS + GAP_NS and soon == []
    for number, goes_on in enumerate((True, True, False, False)):
        turns.wait(partial(begin, went, number, goes_on))
    assert turns.full() and turns.waiting() == 4
    for expected in ([0], [0, 1], [0, 1, 2, 3]):
        (turn,), soon[:] = soon, []
        turn()
        assert went == expected
    assert turns.waiting() == 0 and soon == [], "an idle loop is not woken"


def begin(went: list[int], number: int, goes_on: bool) -> bool:
    went.append(number)
    return goes_on


def test_what_a_call_takes_is_what_it_takes_of_the_loop() -> None:
    """Not what the server's threads spend meanwhile on bodies that are still coming."""
    soon: list[Callable[[], object]] = []
    turns = Turns(soon.append)
    turns.wait(lambda: None)
    turns.wait(lambda: True)
    turns.wait(lambda: None)
    soon.pop(0)()
    busy = threading.Thread(target=spend_processor_time, args=(100 * MS,))
    busy.start()
    busy.join()
    soon.pop(0)()
    assert 0 < turns.takes_ns(1) < 25 * MS


def spend_processor_time(ns: int) -> None:
    end_ns = time.thread_time_ns() + ns
    while time.thread_time_ns() < end_ns:
        pass


def pressure_of(limit: int = 1 << 30) -> Pressure:
    return Pressure(limit, Turns(lambda _: None, lambda: S, lambda: S), lambda: 0)


def test_steps_by_calls_in_flight() -> None:
    pressure = pressure_of(100)
    assert [pressure.closing(n) for n in (0, 89, 90, 99)] == [False, False, True, True]
    assert [pressure.level(n) for n in (0, 99, 100, 500)] == [CALM, CALM, REFUSING, REFUSING]


def test_a_loop_that_streams_keep_takes_nothing_new() -> None:
    pressure = pressure_of()
    pressure.beat(REFUSE_LAG_S, REFUSE_LAG_S, BUSY_CALLS)
    assert pressure.level(BUSY_CALLS) == REFUSING
    pressure.beat(PULSE_S, 0.0, BUSY_CALLS)
    assert pressure.level(BUSY_CALLS) == CALM


@given(st.floats(0, 100), st.integers(0, BUSY_CALLS - 1))
def test_a_machine_that_others_keep_busy_is_no_overload(lag_s: float, calls: int) -> None:
    pressure = pressure_of()
    pressure.beat(lag_s + PULSE_S, lag_s, calls)
    assert pressure.level(calls) == CALM and not pressure.closing(calls)
