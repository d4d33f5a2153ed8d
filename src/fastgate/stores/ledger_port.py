"""What the gateway needs of a store of money: the shapes that cross, the operations, and the rule for one ask.

The store owns cells: what was spent in each, and what is leased to whom. Its one duty is that no grant takes spent,
doubtful and leased money above a ceiling. Knows no database, no budgets' selectors and no calendar. Money is int
nano-dollars; `start_ns` is wall time; every deadline is on CLOCK_BOOTTIME, which counts while a machine sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

ONLY_THIS = -1
"""`Part.since_ns` of a cell that stands alone: its period is not a window that moves."""

SHARE = 8
"""Of what is free in a cell, at most this part goes into one slice beyond a call's need: four workers that all want
more at once leave half of it, and near the ceiling slices shrink to nothing."""

Verdict = Literal["granted", "waits", "full", "unready"]
"""granted: the lease is there. waits: only money of calls in flight is in the way. full: not even the floor fits into
what was not spent. unready: the budget is new and what was spent on it before is not counted yet."""

WorkerState = Literal["live", "doubtful", "reaped"]


class CellKey(NamedTuple):
    """One budget in one period; `cell` is the member or the tag's value where a budget has a cell for each. A rolling
    budget has one for each step of its window."""

    budget: str
    created_ns: int
    """When the budget was made: one made anew under an old name is another."""
    cell: str
    start_ns: int


class Part(NamedTuple):
    """One cell of an ask. `since_ns`: cells of the same budget that begin after it count too. `debt_nano` is what the
    worker owes already; `extra_nano` a slice beyond the need that would be welcome."""

    key: CellKey
    since_ns: int
    ceiling_nano: int
    debt_nano: int = 0
    extra_nano: int = 0


class Ask(NamedTuple):
    """Money for one call on all of its cells, or on none. `call` is its number at this worker, 0 for a slice ahead of
    need, which never waits. `take`: now anything from the floor up is welcome. Its want lapses at `until_ns`."""

    call: int
    parts: tuple[Part, ...]
    need_nano: int
    floor_nano: int
    take: bool
    until_ns: int


class Figures(NamedTuple):
    """A cell, or a rolling budget's window: what is spent, leased to workers, and leased to those who do not answer."""

    spent_nano: int = 0
    leased_nano: int = 0
    doubtful_nano: int = 0

    @property
    def settled_nano(self) -> int:
        """What nothing that is in flight can give back."""
        return self.spent_nano + self.doubtful_nano


class Answer(NamedTuple):
    """`nano` is what the call may hold; `granted` what each cell was leased for it, debts and slices included.
    `at` is the part that decided. `cells` are the store's numbers of the cells: what records name."""

    verdict: Verdict
    nano: int
    cells: tuple[int, ...]
    granted: tuple[int, ...]
    at: int
    figures: tuple[Figures, ...]


class Exchange(NamedTuple):
    """What one exchange with the store gave. `wanted`: cells of this worker's on which others wait."""

    state: WorkerState
    answers: list[Answer]
    wanted: frozenset[int]


class Charge(NamedTuple):
    """Finished calls of one worker on the same cells: those they were held on, and those they were not (a soft budget,
    or one that their worker did not know yet). `calls` are (number, cost in nano-dollars). `epoch` and the number name
    a call: it is charged once however often it is told."""

    epoch: str
    cells: tuple[int, ...]
    others: tuple[CellKey, ...]
    calls: list[tuple[int, int]]


class CellRow(NamedTuple):
    """A cell as reports and stages see it."""

    id: int
    key: CellKey
    figures: Figures


Place = tuple[int, int, int]
"""How far a journal is applied: segment, offset, sequence."""


def judge(ask: Ask, figures: Sequence[Figures], ahead: Sequence[int]) -> tuple[Verdict, int, int]:
    """Verdict, amount and deciding part for one ask. `ahead` is what older wants will take of each cell first."""
    at = room_nano = left_nano = -1
    for index, (part, cell, first) in enumerate(zip(ask.parts, figures, ahead, strict=True)):
        unspent_nano = part.ceiling_nano - cell.settled_nano - part.debt_nano
        free_nano = unspent_nano - cell.leased_nano - first
        if index == 0 or unspent_nano < left_nano:
            at, left_nano = index, unspent_nano
        room_nano = free_nano if index == 0 else min(room_nano, free_nano)
    if not ask.parts:
        return "granted", ask.need_nano, 0
    if left_nano < ask.floor_nano:
        return "full", 0, at
    if room_nano >= ask.need_nano:
        return "granted", ask.need_nano, at
    if room_nano >= ask.floor_nano and (ask.take or left_nano < ask.need_nano):
        return "granted", room_nano, at
    return "waits", 0, at


def slice_nano(part: Part, cell: Figures, nano: int, step_nano: int) -> int:
    """How much more than `nano` is leased ahead of need: none at all once it would not serve one more call."""
    free_nano = part.ceiling_nano - cell.settled_nano - cell.leased_nano - nano - part.debt_nano
    extra_nano = min(part.extra_nano, free_nano // SHARE)
    return extra_nano if extra_nano >= max(step_nano, 1) else 0


class LedgerStore(Protocol):
    """Each operation is one transaction. Raises StoreError(unusable) for what the disk or server cannot do."""

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
        """Give back what is unused, then ask, oldest want first. `gone` are calls that wait no more. The worker's
        leases are good until `until_ns`; after it they are doubtful, never free."""
        ...

    def window(self, key: CellKey, since_ns: int) -> list[tuple[int, int]]:
        """(start, spent) of the cells of a rolling budget that count together, oldest first."""
        ...

    # -- the journal's consumer -------------------------------------------------------------------------------------

    def places(self) -> dict[str, tuple[Place, bool]]:
        """How far each journal is applied, and whether that is its end."""
        ...

    def apply(self, epoch: str, place: Place, finished: bool, charges: Sequence[Charge]) -> list[int]:
        """Charge finished calls and move on in the journal of `epoch`, both or neither; the cells that changed."""
        ...

    def seeded(self) -> set[tuple[str, int]]:
        """The budgets (id, created_ns) whose history is counted."""
        ...

    def seed(self, budget: str, created_ns: int, spent: Sequence[tuple[CellKey, int]]) -> None:
        """Count what was spent before the budget was known; from now on it can be leased."""
        ...

    # -- those who do not answer ------------------------------------------------------------------------------------

    def workers(self) -> dict[str, WorkerState]: ...

    def leased(self, epoch: str) -> dict[int, int]:
        """What a worker has leased, by the store's numbers of the cells."""
        ...

    def expire(self, now_ns: int) -> list[str]:
        """Leases that have run out are doubtful from now on; the workers they belong to."""
        ...

    def release(self, epoch: str) -> int:
        """The worker is dead and every call of it is applied: what it had leased beyond them is free. How much."""
        ...

    def reap(self, epoch: str) -> int:
        """Charge whole what a worker has leased that nobody can prove dead; its calls are later taken out of that.
        How much was charged."""
        ...

    # -- views ------------------------------------------------------------------------------------------------------

    def cells(self, budget: str, created_ns: int) -> list[CellRow]: ...

    def members(self, budget: str, created_ns: int, since_ns: int, limit: int) -> list[tuple[str, Figures]]:
        """Of a budget with many cells, what each comes to of those that begin after `since_ns`; the most spent first.
        What is leased and what is doubtful is one sum, under `leased_nano`."""
        ...

    def figures(self, wanted: Sequence[tuple[CellKey, int]]) -> list[Figures]:
        """Of cells or, with their `since_ns`, of windows; zeros where nothing was ever spent or leased."""
        ...

    def close(self) -> None: ...
