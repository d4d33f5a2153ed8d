"""Laws of the rate table: whatever worker a call comes to, it is let in exactly when the slow model lets it in."""

from __future__ import annotations

import itertools
import os
import tempfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastgate._core.rates import LANES, MAX_TOKENS, SLOTS, TABLE_BYTES, Gate, RateTable
from tests.model.rates import MINUTE_NS, Rates, Subject

WORKERS = 3
LIMITS = {1: (5, 0, 0), 2: (7, 900, 2), 3: (0, 1000, 3), 1 + SLOTS: (3, 0, 1), 1 + 2 * SLOTS: (0, 0, 0)}
"""Three of them hash to one place."""
GATES = [[1], [2, 3], [1 + SLOTS, 2, 1], [3, 1 + 2 * SLOTS], [1 + SLOTS]]


class RatesMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        os.ftruncate(self.file.fileno(), TABLE_BYTES)
        self.model = Rates({key: Subject(*limits) for key, limits in LIMITS.items()})
        self.gates = [self.gates_of(RateTable(self.file.fileno(), lane)) for lane in range(WORKERS)]
        self.now_ns = 10**15
        self.calls = 0
        self.inside: dict[int, tuple[int, int]] = {}

    def gates_of(self, table: RateTable) -> list[Gate]:
        return [table.gate([(key, *LIMITS[key]) for key in keys]) for keys in GATES]

    @rule(worker=st.integers(0, WORKERS - 1), which=st.integers(0, len(GATES) - 1))
    def enter(self, worker: int, which: int) -> None:
        self.calls += 1
        gate = self.gates[worker][which]
        why = gate.enter(self.now_ns)
        assert why == self.model.enter(self.calls, GATES[which], self.now_ns)
        if why == 0:
            self.inside[self.calls] = (worker, which)
        elif why % 3 != 0:
            assert gate.wait_ns > 0
            at, kind = divmod(why - 1, 3)
            subject = self.model.subjects[GATES[which][at]]
            assert subject.refusal(self.now_ns + gate.wait_ns - 1) == kind + 1
            assert subject.refusal(self.now_ns + gate.wait_ns) != kind + 1

    @rule(data=st.data(), tokens=st.integers(0, 3000))
    @precondition(lambda self: self.inside)
    def leave(self, data: st.DataObject, tokens: int) -> None:
        call = data.draw(st.sampled_from(sorted(self.inside)))
        worker, which = self.inside.pop(call)
        self.gates[worker][which].leave(tokens, self.now_ns)
        self.model.leave(call, GATES[which], tokens, self.now_ns)

    @rule(by_ns=st.integers(0, 2 * MINUTE_NS))
    def wait(self, by_ns: int) -> None:
        self.now_ns += by_ns

    @rule(worker=st.integers(0, WORKERS - 1))
    def die(self, worker: int) -> None:
        """A worker is killed, and its successor takes its lane."""
        for call, (where, which) in list(self.inside.items()):
            if where == worker:
                del self.inside[call]
                for key in GATES[which]:
                    if self.model.subjects[key].parallel:
                        self.model.subjects[key].inside.remove(call)
        self.gates[worker] = self.gates_of(RateTable(self.file.fileno(), worker))

    @invariant()
    def in_flight_is_what_is_inside(self) -> None:
        for gates in self.gates:
            for gate, keys in zip(gates, GATES, strict=True):
                assert gate.in_flight == [len(self.model.subjects[key].inside) for key in keys]

    def teardown(self) -> None:
        self.file.close()


TestRates = RatesMachine.TestCase


@pytest.fixture(scope="module")
def table() -> Any:
    with tempfile.TemporaryFile() as file:
        os.ftruncate(file.fileno(), TABLE_BYTES)
        yield RateTable(file.fileno(), LANES - 1)


fresh = itertools.count(1 << 20)


@given(rate=st.integers(1, 60), start_ns=st.integers(MINUTE_NS, 1 << 60))
def test_a_minutes_worth_at_once_and_then_the_rate(table: RateTable, rate: int, start_ns: int) -> None:
    gate = table.gate([(next(fresh), rate, 0, 0)])
    assert [gate.enter(start_ns) for _ in range(rate + 3)] == [0] * rate + [1] * 3
    step_ns = MINUTE_NS // rate
    assert gate.wait_ns <= step_ns
    for later in range(1, 4):
        assert gate.enter(start_ns + later * step_ns) == 0
        assert gate.enter(start_ns + later * step_ns) == 1


def test_a_table_with_more_subjects_than_slots_is_stricter_never_looser() -> None:
    with tempfile.TemporaryFile() as file:
        os.ftruncate(file.fileno(), TABLE_BYTES)
        full = RateTable(file.fileno(), 0)
        for key in range(1, SLOTS + 1):
            full.gate([(key, 1, 0, 1)])
        first, late = full.gate([(7, 1, 0, 1)]), full.gate([(7 + SLOTS * 3, 1, 0, 1)])
        assert first.enter(10**15) == 0
        assert late.enter(10**15) == 3


@pytest.mark.parametrize("limits", [[], [(0, 1, 1, 1)], [(1, -1, 0, 0)], [(1, 0, 0, -1)], [(1, 1, 1, 1)] * 4])
def test_what_is_no_limit_is_refused(table: RateTable, limits: list[tuple[int, int, int, int]]) -> None:
    with pytest.raises(ValueError, match="limit"):
        table.gate(limits)


def test_absurd_token_counts_do_not_wrap(table: RateTable) -> None:
    gate = table.gate([(99, 0, 1, 0)])
    assert gate.enter(10**15) == 0
    gate.leave((1 << 63) - 1, 10**15)
    assert gate.enter(10**15) == 2
    assert gate.wait_ns == MAX_TOKENS * MINUTE_NS - MINUTE_NS + 1
    gate.leave(-5, 10**15)
    with pytest.raises(ValueError, match="lane"):
        RateTable(0, LANES)
