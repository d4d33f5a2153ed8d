"""Laws of the store of money, against a book that keeps every event and adds them up anew (L1 to L4 and L7)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastgate.stores.counters import PAGE_CALLS, Database
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.ledger_port import ONLY_THIS, Ask, CellKey, Charge, Part
from tests.model.counters import Counters

CEILINGS = {"day": 100, "month": 250, "window": 120, "late": 80}
"""By budget, small enough that every schedule runs into them; `late` is not counted from the start."""

WINDOW = 3
EPOCHS = ("a", "b", "c")
amounts = st.integers(0, 60)


def part_of(budget: str, step: int, debt: int = 0, extra: int = 0) -> Part:
    rolling = budget == "window"
    key = CellKey(budget, 1, "", step if rolling else 0)
    return Part(key, step - WINDOW if rolling else ONLY_THIS, CEILINGS[budget], debt, extra)


class CountersMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "counters.sqlite"
        self.store = ControlCounters(Database(self.path))
        self.book = Counters()
        self.now = 1
        self.calls = 0
        self.step = 10
        self.names: dict[int, int] = {}
        """The book's number of each cell of the store."""
        self.waiting: dict[tuple[str, int], Ask] = {}
        self.charged: list[Charge] = []
        for budget in ("day", "month", "window"):
            for each in (self.store, self.book):
                each.seed(budget, 1, [])

    def told(self, cells: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.names[cell] for cell in cells)

    @rule(epoch=st.sampled_from(EPOCHS), data=st.data())
    def exchange(self, epoch: str, data: st.DataObject) -> None:
        asks = [self.ask(epoch, data) for _ in range(data.draw(st.integers(0, 3)))]
        gone = data.draw(st.lists(st.sampled_from(sorted(call for _, call in self.waiting) or [0]), max_size=1))
        returns = []
        for cell, number in self.names.items():
            free = self.book.lease(epoch, self.book.key(number))
            if free and data.draw(st.booleans()):
                returns.append((cell, data.draw(st.integers(min(free, 0), max(free, 0)))))
        until = self.now + data.draw(st.integers(1, 5))
        mine = self.store.exchange(epoch, returns, asks, gone, until, self.now)
        theirs = self.book.exchange(
            epoch, [(self.names[cell], nano) for cell, nano in returns], asks, gone, until, self.now
        )
        for ask, a, b in zip(asks, mine.answers, theirs.answers, strict=False):
            self.names.update(zip(a.cells, b.cells, strict=True))
            assert a._replace(cells=b.cells) == b
            self.waiting.pop((epoch, ask.call), None)
            if a.verdict == "waits" and ask.call:
                self.waiting[epoch, ask.call] = ask
            if a.verdict == "granted":
                self.no_grant_passes_a_ceiling(ask)
        assert mine.state == theirs.state
        assert len(mine.answers) == len(theirs.answers)
        assert {self.names[cell] for cell in mine.wanted} == set(theirs.wanted)

    def no_grant_passes_a_ceiling(self, ask: Ask) -> None:
        """L2."""
        for part in ask.parts:
            cell = self.book.figures(self.book.group(part))
            assert cell.settled_nano + cell.leased_nano <= part.ceiling_nano

    def ask(self, epoch: str, data: st.DataObject) -> Ask:
        again = sorted(call for owner, call in self.waiting if owner == epoch)
        if again and data.draw(st.booleans()):
            ask = self.waiting[epoch, data.draw(st.sampled_from(again))]
            return ask._replace(take=data.draw(st.booleans()), until_ns=self.now + 3)
        self.calls += 1
        budgets = data.draw(st.lists(st.sampled_from(sorted(CEILINGS)), unique=True, max_size=3))
        extra = data.draw(st.sampled_from((0, 8, 1000)))
        need = data.draw(amounts)
        parts = tuple(part_of(budget, self.step, data.draw(st.integers(0, 5)), extra) for budget in budgets)
        ahead_of_need = data.draw(st.booleans())
        floor = data.draw(st.integers(0, need))
        return Ask(0 if ahead_of_need else self.calls, parts, need, floor, data.draw(st.booleans()), self.now + 3)

    @rule(epoch=st.sampled_from(EPOCHS), costs=st.lists(amounts, min_size=1, max_size=3), data=st.data())
    def apply(self, epoch: str, costs: list[int], data: st.DataObject) -> None:
        cells = tuple(data.draw(st.lists(st.sampled_from(sorted(self.names) or [0]), unique=True, max_size=3)))
        if not self.names:
            cells = ()
        others = (part_of("day", self.step).key,) if data.draw(st.booleans()) else ()
        others = tuple(key for key in others if self.number(key) not in cells)
        told = []
        for cost in costs:
            self.calls += data.draw(st.sampled_from([1, PAGE_CALLS - 1, PAGE_CALLS]))
            told.append((self.calls, cost))
        charge = Charge(epoch, cells, others, told)
        self.charged.append(charge)
        self.charge([charge])

    @precondition(lambda self: self.charged)
    @rule(data=st.data())
    def told_again_changes_nothing(self, data: st.DataObject) -> None:
        """L4."""
        charge = data.draw(st.sampled_from(self.charged))
        if charge.epoch in self.book.released:
            return
        once = charge._replace(calls=charge.calls[:1])
        self.charge([charge, once, charge])

    def charge(self, charges: list[Charge]) -> None:
        place = (1, self.calls, self.calls)
        changed = self.store.apply("journal", place, False, charges)
        theirs = self.book.apply("journal", place, False, [c._replace(cells=self.told(c.cells)) for c in charges])
        for charge in charges:
            for key in charge.others:
                self.number(key)
        assert {self.names[cell] for cell in changed} == set(theirs)
        assert self.store.places() == self.book.places()

    def number(self, key: CellKey) -> int:
        """The store's number of a cell that exists there, noted."""
        for row in self.store.cells(key.budget, key.created_ns):
            if row.key == key:
                self.names[row.id] = self.book.number(key)
                return row.id
        return -1

    @rule(by=st.integers(1, 4))
    def time_passes(self, by: int) -> None:
        self.now += by
        before = self.book.figures(self.book.numbers)
        assert self.store.expire(self.now) == sorted(self.book.expire(self.now))
        after = self.book.figures(self.book.numbers)
        assert sum(before) == sum(after), "time freed money"

    @rule()
    def the_window_moves(self) -> None:
        self.step += 1

    @rule(epoch=st.sampled_from(EPOCHS))
    def a_worker_is_charged_whole(self, epoch: str) -> None:
        assert self.store.reap(epoch) == self.book.reap(epoch)

    @rule(epoch=st.sampled_from(EPOCHS))
    def a_worker_is_dead_and_told(self, epoch: str) -> None:
        if self.book.states.get(epoch, ("", 0))[0] in ("live", "doubtful"):
            assert self.store.release(epoch) == self.book.release(epoch)
            self.waiting = {at: ask for at, ask in self.waiting.items() if at[0] != epoch}
            # A worker that comes back has another epoch; here the name is used again, with nothing leased.
            self.book.grants = [grant for grant in self.book.grants if grant[0] != epoch]
            self.book.returns = [one for one in self.book.returns if one[0] != epoch]
            for call, parts in list(self.book.charges.items()):
                if call[0] == epoch:
                    self.book.charges[f"{epoch} before", call[1]] = [(k, n, False) for k, n, _ in parts]
                    del self.book.charges[call]

    @rule(nano=amounts)
    def history_is_counted(self, nano: int) -> None:
        key = part_of("late", self.step).key
        for each in (self.store, self.book):
            each.seed("late", 1, [(key, nano)])
        self.number(key)

    @rule()
    def restart(self) -> None:
        """L7: another process sees the same."""
        self.store.close()
        self.store = ControlCounters(Database(self.path))

    @invariant()
    def every_figure_is_what_its_events_add_up_to(self) -> None:
        """L1."""
        for budget in CEILINGS:
            mine = [(row.key, row.figures) for row in self.store.cells(budget, 1)]
            theirs = {row.key: row.figures for row in self.book.cells(budget, 1)}
            for key, figures in mine:
                assert figures == theirs[key], key
        assert self.store.workers() == self.book.workers()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


CountersMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestCounters = CountersMachine.TestCase


@pytest.fixture
def store(tmp_path: Path) -> ControlCounters:
    store = ControlCounters(Database(tmp_path / "counters.sqlite"))
    store.seed("day", 1, [])
    return store


def ask(call: int, need: int, floor: int = 1, *, take: bool = False, extra: int = 0) -> Ask:
    return Ask(call, (part_of("day", 0, 0, extra),), need, floor, take, 100)


def test_small_calls_cannot_starve_a_large_one(store: ControlCounters) -> None:
    store.exchange("a", [], [ask(1, 60)], [], 100, 1)
    (large,) = store.exchange("b", [], [ask(1, 50)], [], 100, 1).answers
    assert large.verdict == "waits"
    (small,) = store.exchange("c", [], [ask(1, 10)], [], 100, 1).answers
    assert small.verdict == "waits", "it would take what the large one waits for"
    cell = large.cells[0]
    wanted = store.exchange("a", [], [], [], 100, 1).wanted
    assert wanted == {cell}
    assert store.exchange("a", [(cell, 60)], [], [], 100, 1).state == "live"
    (small,) = store.exchange("c", [], [ask(1, 10)], [], 100, 1).answers
    assert small.verdict == "granted", "both fit now"
    (large,) = store.exchange("b", [], [ask(1, 50)], [], 100, 1).answers
    assert (large.verdict, large.nano) == ("granted", 50)


def test_slices_shrink_to_one_calls_need_near_the_ceiling(store: ControlCounters) -> None:
    granted = []
    for call in range(1, 60):
        (answer,) = store.exchange("a", [], [ask(call, 2, 2, extra=40)], [], 100, 1).answers
        if answer.verdict != "granted":
            break
        granted.append(answer.granted[0])
    assert granted[0] == 2 + 12
    assert granted == sorted(granted, reverse=True)
    assert granted[-1] == 2
    assert sum(granted) > 100 - 2, "the last call that fits gets its lease"


def test_a_frozen_workers_lease_stays_counted_until_it_wakes(store: ControlCounters) -> None:
    (lease,) = store.exchange("a", [], [ask(1, 90)], [], 10, 1).answers
    assert store.expire(11) == ["a"]
    (other,) = store.exchange("b", [], [ask(1, 20, 20)], [], 100, 11).answers
    assert other.verdict == "full"
    assert other.figures[0].doubtful_nano == 90
    store.apply("a", (1, 1, 1), False, [Charge("a", lease.cells, (), [(1, 30)])])
    store.exchange("a", [(lease.cells[0], 60)], [], [], 100, 12)
    (other,) = store.exchange("b", [], [ask(1, 20, 20)], [], 100, 12).answers
    assert other.verdict == "granted"
    assert other.figures[0].spent_nano == 30


def test_reaped_whole_and_applied_later_counts_once(store: ControlCounters) -> None:
    (lease,) = store.exchange("a", [], [ask(1, 90)], [], 10, 1).answers
    assert store.reap("a") == 90
    assert store.exchange("a", [], [ask(2, 1)], [], 100, 2).state == "reaped"
    store.apply("a", (1, 1, 1), False, [Charge("a", lease.cells, (), [(1, 30)])])
    assert store.cells("day", 1)[0].figures.spent_nano == 90
    store.apply("a", (1, 2, 2), False, [Charge("a", lease.cells, (), [(2, 70)])])
    assert store.cells("day", 1)[0].figures.spent_nano == 100, "what it did beyond its lease is charged too"
