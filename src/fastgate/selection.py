"""Which budgets select a call, and which cell of each it falls into. Both planes ask here: the worker before a call is
sent, the control plane for every record, so that what was held and what is charged are told apart by nothing.

An index over the rows of one snapshot. Knows nothing of what was spent; what one row selects is budgets.py's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fastgate.budgets import EVERY, SESSION_TAG, seat, selected, selects_model, split_tag
from fastgate.periods import calendar
from fastgate.snapshot import BudgetRow, KeyRow

ROLLING_BUCKETS_KEPT = 61
"""Steps of a window that moves: the sixty whole ones and the one that is being left."""


class Match(NamedTuple):
    """One budget that selects a call; `cell` is the member or tag value whose own cell it is, empty for the one."""

    row: BudgetRow
    cell: str


class Selection:
    """The budgets of one snapshot. `by_session`: some cell depends on the session a call belongs to."""

    def __init__(self, rows: Iterable[BudgetRow]) -> None:
        self.rows = tuple(rows)
        self._by_subject: dict[tuple[str, str], list[BudgetRow]] = {}
        self._by_tag: list[BudgetRow] = []
        for row in self.rows:
            if row.level == "tag":
                self._by_tag.append(row)
            else:
                self._by_subject.setdefault((row.level, row.of), []).append(row)
        self.by_session = any(split_tag(row.of)[0] == SESSION_TAG for row in self._by_tag)

    def matches(self, who: KeyRow, tags: Mapping[str, str], session: str, model: str) -> list[Match]:
        """Every budget that binds a call of `who` on `model`, in the order of the snapshot."""
        subjects = (("org", who.org), ("team", who.team), ("user", who.user), ("key", who.key))
        rows = [row for subject in subjects for row in self._by_subject.get(subject, ())]
        found = []
        for row in (*rows, *self._by_tag):
            value = selected(row.level, row.of, row.org, who, tags, session)
            if value is not None and selects_model(row.models, model):
                found.append(Match(row, cell_of(row, who, value)))
        return found


def cell_of(row: BudgetRow, who: KeyRow, value: str) -> str:
    """The cell of a call of `who` that falls under `value` of the selector; empty where all share one."""
    own = row.level == "tag" and split_tag(row.of)[1] == EVERY
    if own and row.per_seat:
        return f"{value} {seat(who)}"
    return value if own else seat(who) if row.per_seat else ""


def step_of(row: BudgetRow, at_ns: int) -> tuple[int, int]:
    """Start and end, in UTC nanoseconds, of the cell that a call at `at_ns` falls into: the period, or the step of a
    window that moves."""
    return calendar(row.period, row.tz, row.start_day, row.rolling_h).bounds(at_ns)


def since_of(row: BudgetRow, start_ns: int, end_ns: int) -> int:
    """Of a rolling budget, the moment after which cells must begin to count together with the one of this step: a cell
    leaves when all of it is older than the window."""
    return end_ns - ROLLING_BUCKETS_KEPT * (end_ns - start_ns) - 1
