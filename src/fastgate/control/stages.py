"""Budget stages: works out from settled spend which stage every cell has reached, publishes it, and tells who listens.

Settled spend ÷ the limit decides, never what is held. Owns the comparison and the publication; what a stage does to a
call is the gateway's affair, whom an alert goes to is the alerts'. The same stage may be told again after a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from fastgate.budgets import EVERY, split_tag, stage_at, stage_nano
from fastgate.clock import boot_ns, wall_ns
from fastgate.log import Log
from fastgate.selection import since_of, step_of
from fastgate.snapshot import BudgetRow
from fastgate.stages import StageChange, StageNote, read_stages, write_stages
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.ledger_port import ONLY_THIS, CellKey

REVIEW_NS = 1_000_000_000
"""How often stages that stand are looked at without news: windows move, periods and increases end."""

log = Log("stages")

Listener = Callable[[StageChange], None]


class HasStages(Protocol):
    """What this needs of the board."""

    stages_at_ns: int


class Stages:
    """The stages of every cell that has one. `listeners` are called with each change, in the order of the changes,
    from the thread that found it: they put it into a queue of theirs and raise nothing."""

    def __init__(self, counters: ControlCounters, path: Path, board: HasStages) -> None:
        self.listeners: list[Listener] = []
        self.notes: dict[CellKey, StageNote] = _left_behind(path)
        self._counters = counters
        self._path = path
        self._board = board
        self._rows: tuple[BudgetRow, ...] = ()
        self._cells: dict[CellKey, tuple[BudgetRow, str]] = {}
        self._review_ns = 0
        self._lock = threading.Lock()
        self._told = False
        """Whether this process has told what stands. What another has written down, it may not have told."""
        self._written: dict[CellKey, StageNote] | None = None

    def look(self, rows: tuple[BudgetRow, ...], changed: Iterable[int]) -> list[StageChange]:
        """Work out the stages of the cells that changed, and of all where budgets changed or a second is over; publish
        and tell what is new. Raises StoreError or OSError."""
        with self._lock:
            now_ns = wall_ns()
            due = self._due(rows, changed)
            changes = [change for change in (self._weigh(row, cell, now_ns) for row, cell in due) if change]
            changes += self._forget(rows, now_ns)
            if self.notes != self._written:
                write_stages(self._path, self.notes)
                self._written = dict(self.notes)
                self._board.stages_at_ns = boot_ns()
            self._told = True
        for change in changes:
            for listener in self.listeners:
                listener(change)
        return changes

    def _due(self, rows: tuple[BudgetRow, ...], changed: Iterable[int]) -> list[tuple[BudgetRow, str]]:
        known = {(row.id, row.created_ns): row for row in rows}
        due: dict[tuple[str, str], tuple[BudgetRow, str]] = {}
        if rows is not self._rows:
            self._rows = rows
            for row in rows:
                due[row.id, ""] = (row, "")
                for one in self._counters.cells(row.id, row.created_ns):
                    due[row.id, one.key.cell] = (row, one.key.cell)
        for one in self._counters.cells_named(changed):
            row_of = known.get(one.key[:2])
            if row_of is not None:
                due[one.key.budget, one.key.cell] = (row_of, one.key.cell)
        if boot_ns() >= self._review_ns:
            self._review_ns = boot_ns() + REVIEW_NS
            for key in self.notes:
                row_of = known.get(key[:2])
                if row_of is not None:
                    due[key.budget, key.cell] = (row_of, key.cell)
        return list(due.values())

    def _weigh(self, row: BudgetRow, cell: str, now_ns: int) -> StageChange | None:
        """The stage of one cell now; a change where it is not the one that was noted."""
        start_ns, end_ns = step_of(row, now_ns)
        rolling = row.period == "rolling"
        since_ns = since_of(row, start_ns, end_ns) if rolling else ONLY_THIS
        (figures,) = self._counters.figures([(CellKey(row.id, row.created_ns, cell, start_ns), since_ns)])
        stage = stage_at(row, figures.spent_nano, now_ns, cell)
        key = CellKey(row.id, row.created_ns, cell, 0 if rolling else start_ns)
        before = self.notes.get(key)
        if stage is None and not _always_noted(row, cell):
            self.notes.pop(key, None)
        else:
            self.notes[key] = StageNote(stage, figures.spent_nano)
        was = (None, 0) if before is None else (before.stage, _furthest(row, before.spent_nano, now_ns, cell))
        if was == (stage, _furthest(row, figures.spent_nano, now_ns, cell)) and (self._told or stage is None):
            return None
        return StageChange(
            row.id, row.created_ns, cell, key.start_ns, stage or "", figures.spent_nano, row.usd_nano, now_ns
        )

    def _forget(self, rows: Iterable[BudgetRow], now_ns: int) -> list[StageChange]:
        """Drop what is of budgets that are gone and of periods that are over: a stage of those is in force no more."""
        known = {(row.id, row.created_ns): row for row in rows}
        changes = []
        for key, note in list(self.notes.items()):
            row = known.get(key[:2])
            if row is not None and key.start_ns == (0 if row.period == "rolling" else step_of(row, now_ns)[0]):
                continue
            del self.notes[key]
            if note.stage is not None:
                usd_nano = row.usd_nano if row is not None else 0
                changes.append(StageChange(*key[:4], "", 0, usd_nano, now_ns))
        return changes


def _left_behind(path: Path) -> dict[CellKey, StageNote]:
    """What stood when the process before ended: what of it stands no more is told at the first look."""
    try:
        return read_stages(path)
    except (OSError, ValueError) as error:
        log.warning("stages are worked out anew", file=str(path), why=error)
        return {}


def _furthest(row: BudgetRow, spent_nano: int, now_ns: int, cell: str) -> int:
    """Where the furthest stage stands that a spend has reached, in parts per million; 0 for none. A budget may have
    several alerts, and each is told."""
    return max((at_ppm for at_ppm, _ in row.stages if spent_nano >= stage_nano(row, at_ppm, now_ns, cell)), default=0)


def _always_noted(row: BudgetRow, cell: str) -> bool:
    """A soft budget's spend is on no worker's mind otherwise; those with a cell for every value would be too many."""
    return not row.hard and (cell == "" or not (row.level == "tag" and split_tag(row.of)[1] == EVERY))
