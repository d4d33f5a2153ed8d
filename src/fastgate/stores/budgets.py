"""Budgets, increases and pauses in SQLite: the operations of ports.BudgetStore, one transaction each, each logged.

Must not know what was spent, nor configuration, snapshots' travel or HTTP.
"""

from __future__ import annotations

import secrets as random_source
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, Select, Table, delete, func, insert, select, update

from fastgate import clock
from fastgate.budgets import EVERY, split_tag
from fastgate.directory_budgets import MAX_USD, Budget
from fastgate.snapshot import BudgetLevel, BudgetRow, PauseRow
from fastgate.stores import schema
from fastgate.stores.changelog import write_changes
from fastgate.stores.declared import budget_row, immutable_sentence, selector_changes
from fastgate.stores.engine import reading
from fastgate.stores.ports import BudgetView, Change, IncreaseDraft, IncreaseView, StoreError
from fastgate.times import NS

MAX_LIVE_INCREASES = 100
"""Of one budget at a time: their sum still fits 64 bits beside the largest limit."""
MAX_REASON_CHARS = 300
"""Of an increase or pause; it stands in refusals, which are one line on a terminal."""
MAX_AHEAD_NS = 366 * 86400 * NS
"""How far ahead an increase may end: what is to last longer is another limit."""

Verdict = Literal["approve", "deny", "end"]
_AFTER: dict[Verdict, tuple[str, str]] = {
    "approve": ("requested", "approved"),
    "deny": ("requested", "denied"),
    "end": ("approved", "ended"),
}
"""What each verdict applies to, and what it makes of it."""
_SUBJECTS: dict[str, Table] = {"org": schema.orgs, "team": schema.teams, "user": schema.users, "key": schema.keys}


def _orgs() -> dict[str, Select[Any]]:
    """For each level the query of (subject, the org it belongs to now)."""
    orgs, teams, users, keys = schema.orgs.c, schema.teams.c, schema.users.c, schema.keys.c
    owner = teams.id == func.coalesce(keys.team_id, users.team_id)
    of_keys = schema.keys.outerjoin(schema.users, users.id == keys.user_id).join(schema.teams, owner)
    return {
        "org": select(orgs.id, orgs.id.label("org")),
        "team": select(teams.id, teams.org_id.label("org")),
        "user": select(users.id, teams.org_id.label("org")).join(schema.teams, teams.id == users.team_id),
        "key": select(keys.id, teams.org_id.label("org")).select_from(of_keys),
    }


ORGS = _orgs()


class EmbeddedBudgets:
    """A BudgetStore. Safe to use from several threads of its process."""

    def __init__(self, engine: Engine, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._engine = engine
        self._write = write

    # -- budgets ----------------------------------------------------------------------------------------------------

    def put(self, budget: Budget, actor: str, dry_run: bool = False) -> tuple[BudgetView, list[Change]]:
        with reading(self._engine) if dry_run else self._write() as connection:
            now_ns = clock.wall_ns()
            old = connection.execute(select(schema.budgets).where(schema.budgets.c.id == budget.id)).mappings().first()
            row = budget_row(budget, _tag_org(connection, budget.level, budget.org))
            change = _planned(budget.id, dict(old) if old is not None else None, row)
            _require(connection, row["level"], row["of"], row["org_id"])
            if dry_run or change is None:
                view = _shape(connection, {"created_ns": now_ns, **(old or {}), **row, "id": budget.id}, "managed")
                return view, [change] if change is not None else []
            if old is None:
                values = {**row, "id": budget.id, "created_ns": now_ns, "origin": "managed"}
                connection.execute(insert(schema.budgets).values(**values))
            else:
                table = schema.budgets
                connection.execute(update(table).where(table.c.id == budget.id).values(**(change.after or {})))
            write_changes(connection, [change], actor, now_ns)
            return _view(connection, budget.id), [change]

    def page(self, after: str = "", limit: int = 100) -> tuple[list[BudgetView], str | None]:
        table = schema.budgets
        with reading(self._engine) as connection:
            query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit + 1)
            views = [_shape(connection, dict(row), row["origin"]) for row in connection.execute(query).mappings()]
        return views[:limit], views[limit - 1].row.id if len(views) > limit else None

    def show(self, budget_id: str) -> BudgetView:
        with reading(self._engine) as connection:
            return _view(connection, budget_id)

    def remove(self, budget_id: str, actor: str) -> BudgetView:
        with self._write() as connection:
            view = _view(connection, budget_id)
            if view.origin == "declared":
                raise StoreError("refused", f"budget {budget_id} is declared in directory.yaml; remove it there")
            table = schema.budgets
            row = dict(connection.execute(select(table).where(table.c.id == budget_id)).mappings().one())
            connection.execute(delete(table).where(table.c.id == budget_id))
            before = {name: value for name, value in row.items() if name not in ("id", "origin", "created_ns")}
            write_changes(connection, [Change("remove", "budget", budget_id, before, None)], actor, clock.wall_ns())
            return view

    # -- increases --------------------------------------------------------------------------------------------------

    def request(self, draft: IncreaseDraft, actor: str, approve: bool) -> IncreaseView:
        """With `approve` the asker grants it at once."""
        _check_reason(draft.reason)
        if not 0 < draft.amount_nano <= MAX_USD * NS:
            raise StoreError("refused", f"an increase must be more than 0 and at most {MAX_USD} dollars")
        with self._write() as connection:
            now_ns = clock.wall_ns()
            if not now_ns < draft.not_after_ns <= now_ns + MAX_AHEAD_NS:
                raise StoreError("refused", "an increase must end in the future, within a year; for longer, set usd")
            _view(connection, draft.budget)
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
            )
            connection.execute(insert(schema.increases).values(**_columns(found)))
            write_changes(connection, [Change("request", "increase", found.id, None, _asked(found))], actor, now_ns)
            return self._decide(connection, found.id, "approve", actor, now_ns) if approve else found

    def decide(self, increase_id: str, verdict: Verdict, actor: str) -> IncreaseView:
        with self._write() as connection:
            return self._decide(connection, increase_id, verdict, actor, clock.wall_ns())

    def _decide(
        self, connection: Connection, increase_id: str, verdict: Verdict, actor: str, now_ns: int
    ) -> IncreaseView:
        table = schema.increases
        row = connection.execute(select(table).where(table.c.id == increase_id)).first()
        if row is None:
            raise StoreError("not_found", f"there is no increase {increase_id}")
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
        live = [ends for _, ends in _approved(connection, row.budget_id).get(row.budget_id, ()) if ends > now_ns]
        if len(live) >= MAX_LIVE_INCREASES:
            raise StoreError("conflict", f"budget {row.budget_id} has {MAX_LIVE_INCREASES} increases; set its usd")

    def increases(
        self, budget_id: str = "", after: str = "", limit: int = 100
    ) -> tuple[list[IncreaseView], str | None]:
        table = schema.increases
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit + 1)
        if budget_id:
            query = query.where(table.c.budget_id == budget_id)
        with reading(self._engine) as connection:
            found = [_increase(row) for row in connection.execute(query)]
        return found[:limit], found[limit - 1].id if len(found) > limit else None

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
    if connection.execute(select(_SUBJECTS[kind].c.id).where(_SUBJECTS[kind].c.id == subject)).first() is None:
        raise StoreError("not_found", f"there is no {kind} {subject}")
    if level == "tag" and name == "cost_center" and value != EVERY:
        centers = schema.cost_centers.c.id
        if connection.execute(select(centers).where(centers == value)).first() is None:
            raise StoreError("not_found", f"there is no cost centre {value}")


def _check_reason(reason: str) -> None:
    if not (0 < len(reason) <= MAX_REASON_CHARS and reason.isprintable() and reason == reason.strip()):
        raise StoreError("refused", f"a reason is needed: 1 to {MAX_REASON_CHARS} printable characters on one line")


def _view(connection: Connection, budget_id: str) -> BudgetView:
    row = connection.execute(select(schema.budgets).where(schema.budgets.c.id == budget_id)).mappings().first()
    if row is None:
        raise StoreError("not_found", f"there is no budget {budget_id}")
    return _shape(connection, dict(row), row["origin"])


def _shape(connection: Connection, row: dict[str, Any], origin: Any) -> BudgetView:
    org = row["org_id"] or _org_of(connection, row["level"], row["of"])
    increases = _approved(connection, row["id"]).get(row["id"], ())
    return BudgetView(_budget(row, org, increases), origin)


def _budget(row: Any, org: str, increases: Sequence[tuple[int, int]]) -> BudgetRow:
    return BudgetRow(
        id=row["id"],
        org=org,
        level=row["level"],
        of=row["of"],
        per_seat=row["per_seat"],
        models=tuple(row["models"]),
        period=row["period"],
        rolling_h=row["rolling_h"],
        tz=row["tz"],
        start_day=row["start_day"],
        usd_nano=row["usd_nano"],
        hard=row["mode"] == "hard",
        stages=tuple((at_ppm, action) for at_ppm, action in row["stages"]),
        increases=tuple(increases),
        created_ns=row["created_ns"],
    )


def _org_of(connection: Connection, level: str, of: str) -> str:
    """The org that a subject belongs to now; empty where the subject is gone."""
    found = connection.execute(ORGS[level].where(_SUBJECTS[level].c.id == of)).first()
    return str(found.org) if found is not None else ""


def _approved(connection: Connection, budget_id: str = "") -> dict[str, list[tuple[int, int]]]:
    """Approved increases by budget, in the order in which they end."""
    table = schema.increases
    query = select(table.c.budget_id, table.c.amount_nano, table.c.not_after_ns).where(table.c.state == "approved")
    if budget_id:
        query = query.where(table.c.budget_id == budget_id)
    found: dict[str, list[tuple[int, int]]] = {}
    for budget, amount, ends in connection.execute(query.order_by(table.c.not_after_ns, table.c.id)):
        found.setdefault(budget, []).append((amount, ends))
    return found


def budget_rows(connection: Connection) -> list[BudgetRow]:
    """Every budget, for the snapshot, by id."""
    table = schema.budgets
    rows = connection.execute(select(table).order_by(table.c.id)).mappings().all()
    increases = _approved(connection)
    orgs: dict[tuple[str, str], str] = {}
    for level in {row["level"] for row in rows} - {"tag"}:
        named = select(table.c.of).where(table.c.level == level)
        found = connection.execute(ORGS[level].where(_SUBJECTS[level].c.id.in_(named)))
        orgs.update({(level, of): org for of, org in found})
    return [
        _budget(row, row["org_id"] or orgs.get((row["level"], row["of"]), ""), increases.get(row["id"], ()))
        for row in rows
    ]


def pause_rows(connection: Connection) -> list[PauseRow]:
    table = schema.pauses
    found = connection.execute(select(table).order_by(table.c.level, table.c.of, table.c.org_id))
    return [PauseRow(row.level, row.of, row.org_id, row.reason, row.by, row.since_ns, row.until_ns) for row in found]


def _increase(row: Row[Any]) -> IncreaseView:
    fields = {name: getattr(row, name) for name in IncreaseView.__struct_fields__ if name != "budget"}
    return IncreaseView(budget=row.budget_id, **fields)


def _columns(view: IncreaseView) -> dict[str, Any]:
    return {"budget_id" if name == "budget" else name: getattr(view, name) for name in IncreaseView.__struct_fields__}


def _asked(view: IncreaseView) -> dict[str, Any]:
    names = ("budget", "amount_nano", "not_after_ns", "reason")
    return {name: getattr(view, name) for name in names}
