"""Budgets, increases and pauses as plain methods that the admin API and the command line both call.

Owns checks of arguments, the shapes of answers, and that every change is published at once. Must not know HTTP, nor
how spend is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec

from fastgate._core.money import format_usd
from fastgate.amounts import USD_PLACES, usd_problem
from fastgate.asking import Questions
from fastgate.budgets import PPM, ceiling_nano, has_own_cells, pause_ppm, stage_at, stage_nano
from fastgate.clock import wall_ns
from fastgate.control import shapes_budgets as shapes
from fastgate.control.errors import OperationError, moment, of_store
from fastgate.control.questions import Approvers, Intake
from fastgate.control.shapes import Change, Page
from fastgate.control.shapes_cache import CacheShare
from fastgate.directory_budgets import Budget, budget_faults, stages_of, tag_problem
from fastgate.periods import calendar
from fastgate.selection import since_of, step_of
from fastgate.snapshot import BudgetLevel, BudgetRow, PauseRow
from fastgate.state import StateDir
from fastgate.stores import ports
from fastgate.stores.ledger_port import ONLY_THIS, CellKey, Figures
from fastgate.stores.ports import IncreaseDraft, StoreError
from fastgate.strict import read
from fastgate.times import rfc3339
from fastgate.tree import ConfigErrors

T = TypeVar("T")

MEMBERS_SHOWN = 1_000
"""Cells of one budget that are listed, the most spent first: a budget of sessions has one for each."""

Verdict = Literal["approve", "deny", "end"]


class Budgets:
    """Everything about budgets over one directory. `publish` puts what the store holds in force; `replay` says what a
    budget would have done to the calls on record, `cached` what the cache did for those it selects now, `idle` what it
    names that no call has; `approvers` are told of increases that wait."""

    def __init__(
        self,
        store: ports.BudgetStore,
        publish: Callable[[], object],
        replay: Callable[[BudgetRow], dict[str, Any]],
        figures: Callable[[Sequence[tuple[CellKey, int]]], Sequence[Figures]],
        members: Callable[[str, int, int, int], Sequence[tuple[str, Figures]]],
        cached: Callable[[BudgetRow], CacheShare],
        idle: Callable[[BudgetRow], list[str]],
        approvers: Approvers,
        state: StateDir,
    ) -> None:
        self._store = store
        self._publish = publish
        self._replay = replay
        self._figures = figures
        self._members = members
        self._cached = cached
        self._idle = idle
        self.intake = Intake(store, Questions(state.questions_dir), approvers)

    # -- budgets ----------------------------------------------------------------------------------------------------

    def list(self, after: str = "", limit: int = 100) -> Page[shapes.Budget]:
        views, following = self._store.page(after, limit)
        return Page([*self._shown(views)], following)

    def show(self, budget_id: str) -> shapes.Budget:
        view = _stored(lambda: self._store.show(budget_id))
        (shown,) = self._shown([view])
        shown = msgspec.structs.replace(shown, cache=self._cached(view.row))
        if not has_own_cells(view.row):
            return shown
        return msgspec.structs.replace(shown, members=self._of_members(view.row))

    def _of_members(self, row: BudgetRow) -> Sequence[shapes.Member]:
        """What each member or value has spent in the period now."""
        now_ns = wall_ns()
        key, since_ns = cell_now(row, now_ns)
        after_ns = key.start_ns - 1 if since_ns == ONLY_THIS else since_ns
        found = _stored(lambda: self._members(row.id, row.created_ns, after_ns, MEMBERS_SHOWN))
        return [member_of(row, cell, figures, now_ns) for cell, figures in found]

    def _shown(self, views: Sequence[ports.BudgetView]) -> Sequence[shapes.Budget]:
        """Budgets with what is spent and held of those that have one cell for all."""
        now_ns = wall_ns()
        pooled = [view.row for view in views if not has_own_cells(view.row)]
        figures = _stored(lambda: self._figures([cell_now(row, now_ns) for row in pooled]))
        known = {row.id: found for row, found in zip(pooled, figures, strict=True)}
        return [budget_of(view, now_ns, known.get(view.row.id)) for view in views]

    def put(self, budget_id: str, change: shapes.BudgetChange, actor: str, *, dry_run: bool) -> shapes.BudgetPut:
        """Makes a budget, or changes the amount, mode and stages of one. A dry run tells what would change, and what
        the budget would have done to the calls on record."""
        wanted = self._wanted(budget_id, shapes.fields_given(change))
        view, changes = _stored(lambda: self._store.put(wanted, actor, dry_run))
        if changes and not dry_run:
            self._told(f"budget {budget_id} is stored")
        at_ns = wall_ns()
        shown = [
            Change(0, rfc3339(at_ns), actor, each.action, each.kind, each.id, each.before, each.after)
            for each in changes
        ]
        replay = self._replay(view.row) if dry_run else None
        return shapes.BudgetPut(dry_run, self._shown([view])[0], shown, replay, self._idle(view.row))

    def _wanted(self, budget_id: str, given: dict[str, Any]) -> Budget:
        """The whole budget: what it is now, and what is given. Checked as directory.yaml is, in the same words."""
        try:
            known = written(self._store.show(budget_id).row)
        except StoreError as error:
            if error.kind != "not_found":
                raise of_store(error) from None
            known = {}
        if given.get("period") != "rolling" and "period" in given and "rolling_h" not in given:
            known.pop("rolling_h", None)
        text = json.dumps({"id": budget_id, **known, **given}, ensure_ascii=False)
        try:
            reading = read(text.encode(), Budget, {}, "budget")
            for field, message in budget_faults(reading.value):
                reading.fault((field,), message)
            return reading.done()
        except ConfigErrors as errors:
            wrong = "; ".join(f"{problem.path}: {problem.message}" for problem in errors.problems)
            raise OperationError("invalid", f"budget {budget_id}: {wrong}.") from None

    def remove(self, budget_id: str, actor: str) -> shapes.Budget:
        view = _stored(lambda: self._store.remove(budget_id, actor))
        self._told(f"budget {budget_id} is removed")
        return self._shown([view])[0]

    # -- increases --------------------------------------------------------------------------------------------------

    def increases(
        self, budget_id: str = "", after: str = "", limit: int = 100, state: str = ""
    ) -> Page[shapes.Increase]:
        _stored(self.intake.take)
        views, following = self._store.increases(budget_id, after, limit, state)
        now_ns = wall_ns()
        return Page([increase_of(view, now_ns) for view in views], following)

    def request(self, budget_id: str, new: shapes.NewIncrease, actor: str) -> shapes.Increase:
        wrong = usd_problem(new.usd)
        if wrong is not None:
            raise OperationError("invalid", f"usd: {wrong}.")
        until_ns = moment("until", new.until)
        draft = IncreaseDraft(budget_id, int(new.usd.scaleb(USD_PLACES)), until_ns, new.reason, new.cell)
        view = _stored(lambda: self._store.request(draft, actor, new.approve))
        if new.approve:
            self._told(f"increase {view.id} is approved")
        else:
            self.intake.ask(view)
        return increase_of(view, wall_ns())

    def decide(self, increase_id: str, verdict: Verdict, actor: str) -> shapes.Increase:
        _stored(self.intake.take)
        view = _stored(lambda: self._store.decide(increase_id, verdict, actor))
        _stored(self.intake.answer)
        try:
            if verdict != "deny":
                self._told(f"increase {increase_id} is {view.state}")
        finally:
            self.intake.decided(view)
        return increase_of(view, wall_ns())

    # -- pauses -----------------------------------------------------------------------------------------------------

    def pauses(self) -> Page[shapes.Pause]:
        return Page([pause_of(row) for row in self._store.pauses()])

    def pause(self, new: shapes.NewPause, actor: str) -> shapes.Pause:
        """Published before this returns; workers have it 50 ms later."""
        if new.level == "tag" and (wrong := tag_problem(new.of)):
            raise OperationError("invalid", f"of: {wrong}.")
        until_ns = 0 if new.until is None else moment("until", new.until)
        row = _stored(lambda: self._store.pause(new.level, new.of, new.org, new.reason, until_ns, actor))
        self._told(f"{new.level} {new.of} is paused")
        return pause_of(row)

    def resume(self, level: BudgetLevel, of: str, org: str, actor: str) -> shapes.Pause:
        row = _stored(lambda: self._store.resume(level, of, org, actor))
        self._told(f"{level} {of} is resumed")
        return pause_of(row)

    def _told(self, done: str) -> None:
        try:
            self._publish()
        except OSError as error:
            told = f"{done}, but workers cannot be told: {error}. It is tried again every second."
            raise OperationError("unusable", told) from None


def written(row: BudgetRow) -> dict[str, Any]:
    """A budget as directory.yaml would have it."""
    budget = {
        "level": row.level,
        "of": row.of,
        "per_seat": row.per_seat,
        "models": list(row.models),
        "period": row.period,
        "tz": row.tz,
        "start_day": row.start_day,
        "usd": str(Decimal(row.usd_nano).scaleb(-USD_PLACES)),
        "mode": "hard" if row.hard else "soft",
        "stages": [{"at": f"{stage.at:f}", "do": stage.do} for stage in stages_of(row.stages)],
    }
    if row.level == "tag":
        budget["org"] = row.org
    if row.rolling_h:
        budget["rolling_h"] = row.rolling_h
    return budget


def cell_now(row: BudgetRow, now_ns: int) -> tuple[CellKey, int]:
    """The one cell of a budget in its period now, and since when its neighbours count too."""
    start_ns, end_ns = step_of(row, now_ns)
    since_ns = since_of(row, start_ns, end_ns) if row.period == "rolling" else ONLY_THIS
    return CellKey(row.id, row.created_ns, "", start_ns), since_ns


def budget_of(view: ports.BudgetView, now_ns: int, figures: Figures | None) -> shapes.Budget:
    row = view.row
    ceiling = ceiling_nano(row, now_ns, "")
    starts_ns, resets_ns = calendar(row.period, row.tz, row.start_day, row.rolling_h).bounds(now_ns)
    has_period = row.period not in ("total", "rolling")
    return shapes.Budget(
        id=row.id,
        level=row.level,
        of=row.of,
        org=row.org,
        per_seat=row.per_seat,
        models=list(row.models),
        period=row.period,
        rolling_h=row.rolling_h or None,
        tz=row.tz,
        start_day=row.start_day,
        mode="hard" if row.hard else "soft",
        limit=format_usd(row.usd_nano),
        ceiling=None if ceiling is None else format_usd(ceiling),
        spent=None if figures is None else format_usd(figures.spent_nano),
        held=None if figures is None else format_usd(figures.leased_nano + figures.doubtful_nano),
        stages=[
            shapes.Stage(f"{Decimal(at_ppm) / PPM:f}", do, format_usd(stage_nano(row, at_ppm, now_ns, "")))
            for at_ppm, do in row.stages
        ],
        increases=[
            shapes.Raise(format_usd(each.nano), rfc3339(each.not_after_ns), each.cell or None)
            for each in row.increases
            if each.not_after_ns > now_ns
        ],
        starts_at=rfc3339(starts_ns) if has_period else None,
        resets_at=rfc3339(resets_ns) if has_period else None,
        created=rfc3339(row.created_ns),
        origin=view.origin,
    )


def member_of(row: BudgetRow, cell: str, figures: Figures, now_ns: int) -> shapes.Member:
    top_nano = stage_nano(row, pause_ppm(row.stages), now_ns, cell)
    return shapes.Member(
        member=cell,
        limit=format_usd(row.usd_nano),
        ceiling=format_usd(top_nano) if row.hard else None,
        spent=format_usd(figures.spent_nano),
        held=format_usd(figures.leased_nano),
        remaining=format_usd(top_nano - figures.spent_nano - figures.leased_nano),
        stage=stage_at(row, figures.spent_nano, now_ns, cell) or "ok",
    )


def increase_of(view: ports.IncreaseView, now_ns: int) -> shapes.Increase:
    over = view.state in ("approved", "requested") and view.not_after_ns <= now_ns
    return shapes.Increase(
        id=view.id,
        budget=view.budget,
        cell=view.cell or None,
        usd=format_usd(view.amount_nano),
        until=rfc3339(view.not_after_ns),
        reason=view.reason,
        state="expired" if over else view.state,
        requested_by=view.requested_by,
        requested=rfc3339(view.requested_ns),
        decided_by=view.decided_by or None,
        decided=rfc3339(view.decided_ns) if view.decided_ns else None,
    )


def pause_of(row: PauseRow) -> shapes.Pause:
    return shapes.Pause(
        level=row.level,
        of=row.of,
        org=row.org or None,
        reason=row.reason,
        by=row.by,
        since=rfc3339(row.since_ns),
        until=rfc3339(row.until_ns) if row.until_ns else None,
    )


def _stored(operation: Callable[[], T]) -> T:
    """A store's operation, its refusals as ours."""
    try:
        return operation()
    except StoreError as error:
        raise of_store(error) from None
