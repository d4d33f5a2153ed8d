"""Temporary increases in SQLite: asked for, by an operator or with a developer's own key, granted, denied and ended."""

from __future__ import annotations

import secrets as random_source
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, insert, select, update

from fastgate import clock
from fastgate.amounts import MAX_USD
from fastgate.asking import Asked, reason_problem, until_problem
from fastgate.budgets import EVERY, has_own_cells, split_tag
from fastgate.snapshot import BudgetRow
from fastgate.stores import schema
from fastgate.stores.budget_rows import SUBJECTS, approved, missing, org_of, view_of
from fastgate.stores.changelog import write_changes
from fastgate.stores.engine import reading
from fastgate.stores.ports import Change, IncreaseDraft, IncreaseView, StoreError
from fastgate.times import NS

MAX_LIVE_INCREASES = 100
"""Of one budget at a time: their sum still fits 64 bits beside the largest limit."""
IDS_AT_ONCE = 500
"""In one query; SQLite takes 32,766 (its limit on variables)."""

Verdict = Literal["approve", "deny", "end"]
_AFTER: dict[Verdict, tuple[str, str]] = {
    "approve": ("requested", "approved"),
    "deny": ("requested", "denied"),
    "end": ("approved", "ended"),
}
"""What each verdict applies to, and what it makes of it."""


class EmbeddedIncreases:
    """The part of a BudgetStore that is about increases."""

    def __init__(self, engine: Engine, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._engine = engine
        self._write = write

    def request(self, draft: IncreaseDraft, actor: str, approve: bool) -> IncreaseView:
        """With `approve` the asker grants it at once."""
        if wrong := reason_problem(draft.reason):
            raise StoreError("refused", wrong)
        if not 0 < draft.amount_nano <= MAX_USD * NS:
            raise StoreError("refused", f"an increase must be more than 0 and at most {MAX_USD} dollars")
        with self._write() as connection:
            now_ns = clock.wall_ns()
            if wrong := until_problem(draft.not_after_ns, now_ns):
                raise StoreError("refused", wrong)
            _require_cell(connection, view_of(connection, draft.budget).row, draft.cell)
            found = IncreaseView(
                id=f"inc-{random_source.token_hex(4)}",
                budget=draft.budget,
                amount_nano=draft.amount_nano,
                not_after_ns=draft.not_after_ns,
                reason=draft.reason,
                state="requested",
                requested_by=actor,
                requested_ns=now_ns,
                decided_by="",
                decided_ns=0,
                cell=draft.cell,
            )
            _insert(connection, found, actor, now_ns)
            return self._decide(connection, found.id, "approve", actor, now_ns) if approve else found

    def take(self, asked: Asked) -> IncreaseView | None:
        """The id makes it once: a control plane that was killed before it could say so takes it in again."""
        table = schema.increases
        with self._write() as connection:
            row = connection.execute(select(table).where(table.c.id == asked.id)).first()
            if row is not None:
                return _increase(row)
            now_ns, actor = clock.wall_ns(), f"key:{asked.key}"
            found = IncreaseView(
                id=asked.id,
                budget=asked.budget,
                amount_nano=asked.amount_nano,
                not_after_ns=asked.not_after_ns,
                reason=asked.reason,
                state="requested",
                requested_by=actor,
                requested_ns=asked.asked_ns,
                decided_by="",
                decided_ns=0,
                cell=asked.cell,
                key_id=asked.key,
            )
            budgets = schema.budgets.c
            of = (budgets.id == asked.budget) & (budgets.created_ns == asked.created_ns)
            if connection.execute(select(budgets.id).where(of)).first() is None:
                gone = Change("deny", "increase", found.id, _asked(found), {"state": "denied", "reason": "no budget"})
                write_changes(connection, [gone], actor, now_ns)
                return None
            _insert(connection, found, actor, now_ns)
            return found

    def stand(self, ids: Sequence[str]) -> dict[str, IncreaseView]:
        table = schema.increases
        found: dict[str, IncreaseView] = {}
        with reading(self._engine) as connection:
            for begin in range(0, len(ids), IDS_AT_ONCE):
                some = select(table).where(table.c.id.in_(ids[begin : begin + IDS_AT_ONCE]))
                found.update((row.id, _increase(row)) for row in connection.execute(some))
        return found

    def decide(self, increase_id: str, verdict: Verdict, actor: str) -> IncreaseView:
        with self._write() as connection:
            return self._decide(connection, increase_id, verdict, actor, clock.wall_ns())

    def _decide(
        self, connection: Connection, increase_id: str, verdict: Verdict, actor: str, now_ns: int
    ) -> IncreaseView:
        table = schema.increases
        row = connection.execute(select(table).where(table.c.id == increase_id)).first()
        if row is None:
            raise missing(connection, table, "increase", increase_id)
        wanted, state = _AFTER[verdict]
        if row.state != wanted:
            raise StoreError("conflict", f"increase {increase_id} is {row.state}, not {wanted}")
        if verdict == "approve":
            self._check_room(connection, row, now_ns)
        values = {"state": state, "decided_by": actor, "decided_ns": now_ns}
        connection.execute(update(table).where(table.c.id == increase_id).values(**values))
        after = {"state": state, "budget": row.budget_id, "amount_nano": row.amount_nano, "reason": row.reason}
        write_changes(
            connection, [Change(verdict, "increase", increase_id, {"state": row.state}, after)], actor, now_ns
        )
        return _increase(connection.execute(select(table).where(table.c.id == increase_id)).one())

    def _check_room(self, connection: Connection, row: Row[Any], now_ns: int) -> None:
        if row.not_after_ns <= now_ns:
            raise StoreError("conflict", f"increase {row.id} would have ended already; ask for another")
        found = approved(connection, row.budget_id).get(row.budget_id, ())
        live = [each for each in found if each.not_after_ns > now_ns]
        if len(live) >= MAX_LIVE_INCREASES:
            raise StoreError("conflict", f"budget {row.budget_id} has {MAX_LIVE_INCREASES} increases; set its usd")

    def increases(
        self, budget_id: str = "", after: str = "", limit: int = 100, state: str = ""
    ) -> tuple[list[IncreaseView], str | None]:
        table = schema.increases
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit + 1)
        if budget_id:
            query = query.where(table.c.budget_id == budget_id)
        if state:
            query = query.where(table.c.state == state)
        with reading(self._engine) as connection:
            found = [_increase(row) for row in connection.execute(query)]
        return found[:limit], found[limit - 1].id if len(found) > limit else None


def _require_cell(connection: Connection, row: BudgetRow, cell: str) -> None:
    """What an increase raises alone must be a cell that the budget can have: a seat exists, a tag's value is free."""
    if not cell:
        return
    if not has_own_cells(row):
        raise StoreError("refused", f"budget {row.id} is one for all; only a budget with seats or values has cells")
    value, _, whose = cell.rpartition(" ")
    if row.level == "tag" and split_tag(row.of)[1] == EVERY:
        if not row.per_seat:
            return
        if not value:
            raise StoreError("refused", f"a seat of budget {row.id} is written as VALUE SEAT, with a space")
    elif value:
        raise StoreError("not_found", f"budget {row.id} has no seat {cell}")
    kind, subject = ("key", whose.removeprefix("key:")) if whose.startswith("key:") else ("user", whose)
    if org_of(connection, kind, subject) != row.org:
        told = missing(connection, SUBJECTS[kind], kind, subject)
        raise StoreError("not_found", f"budget {row.id} has no seat {whose} in org {row.org}: {told}")


def _increase(row: Row[Any]) -> IncreaseView:
    fields = {name: getattr(row, name) for name in IncreaseView.__struct_fields__ if name != "budget"}
    return IncreaseView(budget=row.budget_id, **fields)


def _columns(view: IncreaseView) -> dict[str, Any]:
    return {"budget_id" if name == "budget" else name: getattr(view, name) for name in IncreaseView.__struct_fields__}


def _insert(connection: Connection, view: IncreaseView, actor: str, now_ns: int) -> None:
    connection.execute(insert(schema.increases).values(**_columns(view)))
    write_changes(connection, [Change("request", "increase", view.id, None, _asked(view))], actor, now_ns)


def _asked(view: IncreaseView) -> dict[str, Any]:
    names = ("budget", "cell", "amount_nano", "not_after_ns", "reason")
    return {name: getattr(view, name) for name in names}
