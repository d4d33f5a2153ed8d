"""What was spent before a budget was made: sums of the usage table up to a place in every journal.

Reads only. A new budget counts from its period's start; from that place on each record is charged one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from fastgate.clock import wall_ns
from fastgate.control.usage import UsageTable
from fastgate.control.usage_schema import calls, counted, offsets
from fastgate.journal import START, Position
from fastgate.selection import Selection, since_of, step_of
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.stores.engine import reading
from fastgate.stores.ledger_port import CellKey

_LEVELS = {"org": calls.c.org, "team": calls.c.team, "user": calls.c.user, "key": calls.c.key}


class History:
    """The recorded calls of one state directory."""

    def __init__(self, table: UsageTable) -> None:
        self._table = table

    def places(self) -> dict[str, Position]:
        return self._table.positions()

    def before(
        self, row: BudgetRow, places: Mapping[str, Position], journals: Iterable[str]
    ) -> list[tuple[CellKey, int]] | None:
        """What the budget's cells come to, of calls recorded before `places`, from the start of the period or window of
        now. None: the usage table is not as far yet. `journals` are those that still exist."""
        start_ns, end_ns = step_of(row, wall_ns())
        rolling = row.period == "rolling"
        from_ns = since_of(row, start_ns, end_ns) + 1 if rolling else start_ns
        step = calls.c.at_ns - calls.c.at_ns % (end_ns - start_ns) if rolling else None
        who = (calls.c.org, calls.c.team, calls.c.user, calls.c.key, calls.c.cost_center, calls.c.session)
        columns = (*who, calls.c.tags, calls.c.model_used, *(() if step is None else (step.label("step"),)))
        with reading(self._table.engine) as connection:
            reached = {
                found.epoch: Position(found.segment, found.offset, found.sequence)
                for found in connection.execute(select(offsets))
            }
            if any(reached.get(epoch, START) < places.get(epoch, START) for epoch in journals):
                return None
            where = [calls.c.at_ns >= from_ns, calls.c.cost_nano > 0]
            if row.level in _LEVELS:
                where.append(_LEVELS[row.level] == row.of)
            ahead = _ahead(reached, places)
            if ahead is not None:
                where.append(~ahead)
            # The texts depend on these numbers alone.
            alike = (counted.c.kind, counted.c.thread, *(() if step is None else (step,)))
            query = calls.ask(select(*columns, func.sum(calls.c.cost_nano)).where(*where)).group_by(*alike)
            groups = connection.execute(query).all()
        return _cells(row, groups, start_ns if not rolling else None)


def _ahead(reached: Mapping[str, Position], places: Mapping[str, Position]) -> ColumnElement[bool] | None:
    """The rows that the usage table has and the charges have not reached: they are charged one by one."""
    terms = []
    for epoch, position in reached.items():
        place = places.get(epoch, START)
        if position > place:
            later = or_(
                calls.c.segment > place.segment,
                and_(calls.c.segment == place.segment, calls.c.offset >= place.offset),
            )
            terms.append(and_(calls.c.epoch == epoch, later))
    return or_(*terms) if terms else None


def _cells(row: BudgetRow, groups: Iterable[Any], start_ns: int | None) -> list[tuple[CellKey, int]]:
    selection = Selection((row,))
    spent: dict[CellKey, int] = {}
    for org, team, user, key, cost_center, session, tags, model, *rest in groups:
        named = msgspec.json.decode(tags)
        who = KeyRow(b"", key, user, team, org, cost_center, named, (), 0)
        for match in selection.matches(who, named, session, model):
            cell = CellKey(row.id, row.created_ns, match.cell, rest[0] if start_ns is None else start_ns)
            spent[cell] = spent.get(cell, 0) + rest[-1]
    return sorted(spent.items())
