"""Slow oracle of the store of money: it keeps what happened, one list an event, and works every figure out anew.

The one rule it shares with the product is `judge`, what an ask is answered; the laws are checked on its outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fastgate.stores.ledger_port import (
    ONLY_THIS,
    Answer,
    Ask,
    CellKey,
    CellRow,
    Charge,
    Exchange,
    Figures,
    Part,
    Place,
    WorkerState,
    judge,
    slice_nano,
)


@dataclass
class Want:
    seq: int
    epoch: str
    call: int
    keys: tuple[CellKey, ...]
    nano: int
    until_ns: int


@dataclass
class Counters:
    """Everything that ever happened to the cells."""

    numbers: dict[CellKey, int] = field(default_factory=dict)
    seeds: list[tuple[CellKey, int]] = field(default_factory=list)
    budgets: set[tuple[str, int]] = field(default_factory=set)
    grants: list[tuple[str, CellKey, int]] = field(default_factory=list)
    returns: list[tuple[str, CellKey, int]] = field(default_factory=list)
    charges: dict[tuple[str, int], list[tuple[CellKey, int, bool]]] = field(default_factory=dict)
    """By call: cell, cost, and whether a lease was charged for it."""
    reaped: dict[tuple[str, CellKey], int] = field(default_factory=dict)
    states: dict[str, tuple[WorkerState, int]] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    wants: list[Want] = field(default_factory=list)
    seqs: int = 0
    offsets: dict[str, tuple[Place, bool]] = field(default_factory=dict)

    # -- figures ----------------------------------------------------------------------------------------------------

    def number(self, key: CellKey) -> int:
        return self.numbers.setdefault(key, len(self.numbers) + 1)

    def key(self, number: int) -> CellKey:
        return next(key for key, found in self.numbers.items() if found == number)

    def charged(self, key: CellKey) -> int:
        return sum(cost for parts in self.charges.values() for cell, cost, _ in parts if cell == key)

    def spent(self, key: CellKey) -> int:
        seeded = sum(nano for cell, nano in self.seeds if cell == key)
        # What was charged whole counts once: calls of that worker are taken out of it as far as they go.
        rest = 0
        for (epoch, cell), nano in self.reaped.items():
            if cell == key:
                rest += max(0, nano - self._charged_after_reaping(epoch, key))
        return seeded + self.charged(key) + rest

    def _charged_after_reaping(self, epoch: str, key: CellKey) -> int:
        return sum(
            cost
            for (worker, _), parts in self.charges.items()
            for cell, cost, leased in parts
            if worker == epoch and cell == key and leased
        ) - self.before_reaping.get((epoch, key), 0)

    before_reaping: dict[tuple[str, CellKey], int] = field(default_factory=dict)

    def lease(self, epoch: str, key: CellKey) -> int:
        granted = sum(nano for worker, cell, nano in self.grants if (worker, cell) == (epoch, key))
        returned = sum(nano for worker, cell, nano in self.returns if (worker, cell) == (epoch, key))
        spent = sum(
            cost
            for (worker, _), parts in self.charges.items()
            for cell, cost, leased in parts
            if worker == epoch and cell == key and leased
        )
        return granted - returned - spent

    def figures(self, keys: Iterable[CellKey]) -> Figures:
        spent = leased = doubtful = 0
        for key in keys:
            spent += self.spent(key)
            for epoch, (state, _) in self.states.items():
                open_nano = max(0, self.lease(epoch, key))
                leased += open_nano if state == "live" else 0
                doubtful += open_nano if state == "doubtful" else 0
        return Figures(spent, leased, doubtful)

    def group(self, part: Part) -> list[CellKey]:
        self.number(part.key)
        if part.since_ns == ONLY_THIS:
            return [part.key]
        return [key for key in self.numbers if key[:3] == part.key[:3] and key.start_ns > part.since_ns]

    def ahead(self, part: Part, seq: int, now_ns: int) -> int:
        group = self.group(part)
        return sum(
            want.nano
            for want in self.wants
            for key in want.keys
            if key in group and want.until_ns > now_ns and (seq == 0 or want.seq < seq)
        )

    # -- workers ----------------------------------------------------------------------------------------------------

    def exchange(
        self,
        epoch: str,
        returns: Iterable[tuple[int, int]],
        asks: Sequence[Ask],
        gone: Iterable[int],
        until_ns: int,
        now_ns: int,
    ) -> Exchange:
        if self.states.get(epoch, ("live", 0))[0] == "reaped":
            return Exchange("reaped", [], frozenset())
        self.states[epoch] = "live", until_ns
        for cell, nano in returns:
            self.returns.append((epoch, self.key(cell), nano))
        for call in gone:
            self._drop(epoch, call)
        order = sorted(range(len(asks)), key=lambda i: (self._seq(epoch, asks[i].call) or 1 << 62, i))
        answers = {index: self._answer(epoch, asks[index], now_ns) for index in order}
        wanted = {
            self.numbers[key]
            for want in self.wants
            for key in want.keys
            if want.epoch != epoch and want.until_ns > now_ns and self.lease(epoch, key) > 0
        }
        return Exchange("live", [answers[index] for index in range(len(asks))], frozenset(wanted))

    def _answer(self, epoch: str, ask: Ask, now_ns: int) -> Answer:
        seq = self._seq(epoch, ask.call) if ask.call else 0
        cells = tuple(self.number(part.key) for part in ask.parts)
        figures = tuple(self.figures(self.group(part)) for part in ask.parts)
        ahead = [self.ahead(part, seq, now_ns) for part in ask.parts]
        for index, part in enumerate(ask.parts):
            if part.key[:2] not in self.budgets:
                self._drop(epoch, ask.call)
                return Answer("unready", 0, cells, (), index, figures)
        verdict, nano, at = judge(ask, figures, ahead)
        if verdict == "granted":
            granted = []
            for part in ask.parts:
                now = self.figures(self.group(part))
                quiet = self.ahead(part, 0, now_ns) == 0
                extra = slice_nano(part, now, nano, ask.floor_nano) if quiet else 0
                granted.append(nano + part.debt_nano + extra)
                if granted[-1]:
                    self.grants.append((epoch, part.key, granted[-1]))
            self._drop(epoch, ask.call)
            after = tuple(self.figures(self.group(part)) for part in ask.parts)
            return Answer("granted", nano, cells, tuple(granted), at, after)
        if verdict == "waits" and ask.call:
            self._want(epoch, ask)
        else:
            self._drop(epoch, ask.call)
        return Answer(verdict, 0, cells, (), at, figures)

    def _seq(self, epoch: str, call: int) -> int:
        return next((want.seq for want in self.wants if (want.epoch, want.call) == (epoch, call)), 0)

    def _want(self, epoch: str, ask: Ask) -> None:
        for want in self.wants:
            if (want.epoch, want.call) == (epoch, ask.call):
                want.until_ns = ask.until_ns
                return
        self.seqs += 1
        keys = tuple(part.key for part in ask.parts)
        self.wants.append(Want(self.seqs, epoch, ask.call, keys, ask.need_nano, ask.until_ns))

    def _drop(self, epoch: str, call: int) -> None:
        if call:
            self.wants = [want for want in self.wants if (want.epoch, want.call) != (epoch, call)]

    # -- the control plane ------------------------------------------------------------------------------------------

    def places(self) -> dict[str, tuple[Place, bool]]:
        return dict(self.offsets)

    def apply(self, epoch: str, place: Place, finished: bool, charges: Sequence[Charge]) -> list[int]:
        changed = []
        for charge in charges:
            for n, cost_nano in charge.calls:
                call = charge.epoch, n
                if not cost_nano or call in self.charges or not (charge.cells or charge.others):
                    continue
                leased = charge.epoch in self.states
                parts = [(self.key(cell), cost_nano, leased) for cell in charge.cells]
                parts += [(key, cost_nano, False) for key in charge.others]
                self.charges[call] = parts
                changed += [self.number(key) for key, _, _ in parts]
        self.offsets[epoch] = place, finished
        return changed

    def seeded(self) -> set[tuple[str, int]]:
        return set(self.budgets)

    def seed(self, budget: str, created_ns: int, spent: Sequence[tuple[CellKey, int]]) -> None:
        if (budget, created_ns) not in self.budgets:
            self.budgets.add((budget, created_ns))
            for key, nano in spent:
                self.number(key)
                self.seeds.append((key, nano))

    def workers(self) -> dict[str, WorkerState]:
        return {epoch: state for epoch, (state, _) in self.states.items()}

    def expire(self, now_ns: int) -> list[str]:
        self.wants = [want for want in self.wants if want.until_ns > now_ns]
        late = [epoch for epoch, (state, until) in self.states.items() if state == "live" and until <= now_ns]
        for epoch in late:
            self.states[epoch] = "doubtful", self.states[epoch][1]
        return late

    def release(self, epoch: str) -> int:
        freed = sum(max(0, self.lease(epoch, key)) for key in self.numbers)
        if self.states.pop(epoch, ("", 0))[0] == "reaped":
            freed = sum(max(0, self.lease(epoch, key)) for key in self.numbers)
        self.wants = [want for want in self.wants if want.epoch != epoch]
        self.released.add(epoch)
        return freed

    def reap(self, epoch: str) -> int:
        state, until = self.states.get(epoch, ("reaped", 0))
        if state == "reaped":
            return 0
        total = 0
        for key in self.numbers:
            nano = max(0, self.lease(epoch, key))
            if nano:
                self.reaped[epoch, key] = nano
                self.before_reaping[epoch, key] = self._charged_after_reaping(epoch, key)
                total += nano
        self.states[epoch] = "reaped", until
        self.wants = [want for want in self.wants if want.epoch != epoch]
        return total

    def cells(self, budget: str, created_ns: int) -> list[CellRow]:
        rows = [
            CellRow(number, key, self.figures([key]))
            for key, number in self.numbers.items()
            if key[:2] == (budget, created_ns)
        ]
        return sorted(rows, key=lambda row: (row.key.cell, row.key.start_ns))

    def close(self) -> None:
        pass
