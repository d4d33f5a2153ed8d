"""Budgets, increases and pauses in SQLite: the operations of ports.BudgetStore, one transaction each, each logged.

Must not know what was spent, nor configuration, snapshots' travel or HTTP.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from fastgate import clock
from fastgate.asking import reason_problem
from fastgate.budgets import EVERY, split_tag
from fastgate.directory_budgets import Budget
from fastgate.snapshot import BudgetLevel, PauseRow
from fastgate.stores import schema
from fastgate.stores.budget_rows import SUBJECTS, missing, pause_rows, shape, view_of
from fastgate.stores.changelog import write_changes
from fastgate.stores.declared import budget_row, immutable_sentence, selector_changes
from fastgate.stores.engine import reading
from fastgate.stores.increases import EmbeddedIncreases
from fastgate.stores.ports import BudgetView, Change, StoreError


class EmbeddedBudgets(EmbeddedIncreases):
    """A BudgetStore. Safe to use from several threads of its process."""

    # -- budgets ----------------------------------------------------------------------------------------------------

    def put(self, budget: Budget, actor: str, dry_run: bool = False) -> tuple[BudgetView, list[Change]]:
        with reading(self._engine) if dry_run else self._write() as connection:
            now_ns = clock.wall_ns()
            old = connection.execute(select(schema.budgets).where(schema.budgets.c.id == budget.id)).mappings().first()
            row = budget_row(budget, _tag_org(connection, budget.level, budget.org))
            change = _planned(budget.id, dict(old) if old is not None else None, row)
            _require(connection, row["level"], row["of"], row["org_id"])
            if dry_run or change is None:
                view = shape(connection, {"created_ns": now_ns, **(old or {}), **row, "id": budget.id}, "managed")
                return view, [change] if change is not None else []
            if old is None:
                values = {**row, "id": budget.id, "created_ns": now_ns, "origin": "managed"}
                connection.execute(insert(schema.budgets).values(**values))
            else:
                table = schema.budgets
                connection.execute(update(table).where(table.c.id == budget.id).values(**(change.after or {})))
            write_changes(connection, [change], actor, now_ns)
            return view_of(connection, budget.id), [change]

    def page(self, after: str = "", limit: int = 100) -> tuple[list[BudgetView], str | None]:
        table = schema.budgets
        with reading(self._engine) as connection:
            query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit + 1)
            views = [shape(connection, dict(row), row["origin"]) for row in connection.execute(query).mappings()]
        return views[:limit], views[limit - 1].row.id if len(views) > limit else None

    def show(self, budget_id: str) -> BudgetView:
        with reading(self._engine) as connection:
            return view_of(connection, budget_id)

    def remove(self, budget_id: str, actor: str) -> BudgetView:
        with self._write() as connection:
            view = view_of(connection, budget_id)
            if view.origin == "declared":
                raise StoreError("refused", f"budget {budget_id} is declared in directory.yaml; remove it there")
            table = schema.budgets
            row = dict(connection.execute(select(table).where(table.c.id == budget_id)).mappings().one())
            connection.execute(delete(table).where(table.c.id == budget_id))
            before = {name: value for name, value in row.items() if name not in ("id", "origin", "created_ns")}
            write_changes(connection, [Change("remove", "budget", budget_id, before, None)], actor, clock.wall_ns())
            return view

    # -- pauses -----------------------------------------------------------------------------------------------------

    def pause(self, level: BudgetLevel, of: str, org: str, reason: str, until_ns: int, actor: str) -> PauseRow:
        """Until resumed where `until_ns` is 0. A second pause of the same replaces reason and end."""
        _check_reason(reason)
        with self._write() as connection:
            now_ns = clock.wall_ns()
            if until_ns and until_ns <= now_ns:
                raise StoreError("refused", "a pause must end in the future")
            tag_org = _tag_org(connection, level, org)
            _require(connection, level, of, tag_org)
            row = PauseRow(level, of, tag_org or "", reason, actor, now_ns, until_ns)
            before = self._unpause(connection, row)
            columns = {name: getattr(row, name) for name in ("level", "of", "reason", "by", "since_ns", "until_ns")}
            connection.execute(insert(schema.pauses).values(**columns, org_id=row.org))
            after = {"reason": reason, "until_ns": until_ns}
            change = Change("update" if before else "create", "pause", pause_id(row), before, after)
            write_changes(connection, [change], actor, now_ns)
            return row

    def resume(self, level: BudgetLevel, of: str, org: str, actor: str) -> PauseRow:
        """Gives the pause that ended. What a budget paused, only its budget frees."""
        with self._write() as connection:
            now_ns = clock.wall_ns()
            row = PauseRow(level, of, _tag_org(connection, level, org) or "", "", actor, now_ns, 0)
            before = self._unpause(connection, row)
            if before is None:
                raise StoreError("not_found", f"{level} {of} is not paused by hand")
            write_changes(connection, [Change("remove", "pause", pause_id(row), before, None)], actor, now_ns)
            return row

    def pauses(self) -> list[PauseRow]:
        """Those whose end has not come."""
        now_ns = clock.wall_ns()
        with reading(self._engine) as connection:
            return [row for row in pause_rows(connection) if not 0 < row.until_ns <= now_ns]

    def _unpause(self, connection: Connection, row: PauseRow) -> dict[str, Any] | None:
        table = schema.pauses
        same = (table.c.level == row.level) & (table.c.of == row.of) & (table.c.org_id == row.org)
        found = connection.execute(select(table).where(same)).first()
        connection.execute(delete(table).where(same))
        return None if found is None else {"reason": found.reason, "by": found.by, "until_ns": found.until_ns}


def pause_id(row: PauseRow) -> str:
    """As the change log names it."""
    return f"{row.level} {row.of}"


def _planned(budget_id: str, old: dict[str, Any] | None, row: dict[str, Any]) -> Change | None:
    """What putting `row` changes; None where nothing."""
    if old is None:
        return Change("create", "budget", budget_id, None, row)
    if old["origin"] == "declared":
        raise StoreError("refused", f"budget {budget_id} is declared in directory.yaml; change it there")
    if fields := selector_changes(old, row):
        raise StoreError("conflict", immutable_sentence(budget_id, fields))
    differing = [name for name in row if old[name] != row[name]]
    before, after = ({name: rows[name] for name in differing} for rows in (old, row))
    return Change("update", "budget", budget_id, before, after) if differing else None


def _tag_org(connection: Connection, level: str, org: str | None) -> str | None:
    """The org of a tag: the one named, or the only one there is."""
    if level != "tag":
        return None
    if org:
        return org
    found = connection.execute(select(schema.orgs.c.id).limit(2)).scalars().all()
    if len(found) != 1:
        raise StoreError("refused", "a tag is one of its org, and there are several orgs or none: name the org")
    return str(found[0])


def _require(connection: Connection, level: str, of: str, tag_org: str | None) -> None:
    """What a budget or pause is of must exist. A tag exists when somebody uses it; only its org can be checked."""
    name, value = split_tag(of)
    kind, subject = ("org", tag_org) if level == "tag" else (level, of)
    if connection.execute(select(SUBJECTS[kind].c.id).where(SUBJECTS[kind].c.id == subject)).first() is None:
        raise missing(connection, SUBJECTS[kind], kind, str(subject))
    if level == "tag" and name == "cost_center" and value != EVERY:
        centers = schema.cost_centers.c.id
        if connection.execute(select(centers).where(centers == value)).first() is None:
            raise missing(connection, schema.cost_centers, "cost centre", value)


def _check_reason(reason: str) -> None:
    if wrong := reason_problem(reason):
        raise StoreError("refused", wrong)
