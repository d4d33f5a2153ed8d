"""The budgets of directory.yaml: their structs, every field documented, and the faults of one budget by itself.

The command line and the admin API read budgets through the same structs, so a mistake has one wording everywhere.
Must not know what else a directory declares, nor what was spent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from fastgate.amounts import USD_PLACES, decimal_places, usd_problem
from fastgate.budgets import DEFAULT_STAGES, EVERY, PPM, RESERVED_TAGS, split_tag
from fastgate.directory_checks import Id, Models
from fastgate.periods import MAX_ROLLING_H, Period, start_day_problem, zone_problem
from fastgate.snapshot import BudgetLevel, StageAction
from fastgate.strict import BAD, Check, Range
from fastgate.tags import tag_name_problem, tag_value_problem

MAX_STAGE = 10
"""Times the limit."""
STAGE_PLACES = 6
"""Parts per million."""
MAX_STAGES = 16


def at_problem(value: Decimal) -> str | None:
    if not 0 < value <= MAX_STAGE:
        return f"must be more than 0 and at most {MAX_STAGE}: 0.80 is 80 % of the limit"
    return f"has more than {STAGE_PLACES} decimal places" if decimal_places(value) > STAGE_PLACES else None


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when settled spend reaches a part of the limit."""

    at: Annotated[Decimal, Check(at_problem)]
    """Part of the limit: 0.80 is 80 %."""
    do: StageAction
    """alert: tell. downgrade: cheaper models. pause: refuse calls; in a hard budget also where its ceiling is."""


def stages_of(stages: Sequence[tuple[int, StageAction]]) -> tuple[Stage, ...]:
    """Stages as a file writes them."""
    return tuple(Stage(at=(Decimal(at_ppm) / PPM).normalize(), do=action) for at_ppm, action in stages)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent on what one level selects, in every period. A call is bound by all budgets that select it.
    Level, of, org, per_seat, models, period, tz and start day of a budget never change: that is a new budget, with an
    id of its own. Amount, mode and stages may change at any time, and change no spend."""

    id: Id
    """Unique among budgets; names it in headers, refusals and reports."""
    level: BudgetLevel
    """What kind of thing it is a budget of."""
    of: str
    """Whose: an id of that level; for a tag `NAME=VALUE`, or `NAME=*` to give every value a budget of this size. The
    tags `session` and `cost_center` are set by fastgate."""
    org: Id | None = None
    """The org whose tag it is; may be left out where there is only one. For tags only."""
    per_seat: bool = False
    """Whether each member of the org, team or tag has this much, instead of all together."""
    models: Models = ()
    """Families (`opus`), model ids or globs that it is about; empty: all."""
    period: Period
    """How long the amount must last before it begins anew; total: for ever, rolling: the last `rolling_h` hours."""
    rolling_h: Annotated[int, Range(1, MAX_ROLLING_H)] | None = None
    """Length of a rolling window in hours: 5, 24, 168 …"""
    tz: Annotated[str, Check(zone_problem)] = "UTC"
    """Time zone in which periods begin, like Europe/Berlin."""
    start_day: int = 1
    """Day on which a period begins: 1 (Monday) to 7 of a week, 1 to 31 of a month or of a quarter's first month,
    or its last day where it has fewer."""
    usd: Annotated[Decimal, Check(usd_problem)]
    """The limit of one period, in US dollars."""
    mode: Literal["hard", "soft"] = "hard"
    """hard: nothing passes its ceiling, the limit times the `at` of its pause stage. soft: stages only, so calls in
    flight may take spend past its pause."""
    stages: tuple[Stage, ...] = stages_of(DEFAULT_STAGES)
    """What happens on the way, in rising order; `[]`: nothing before the limit."""

    def usd_nano(self) -> int:
        return int(self.usd.scaleb(USD_PLACES))

    def stages_ppm(self) -> list[tuple[int, StageAction]]:
        return [(int(stage.at * PPM), stage.do) for stage in self.stages]


def budget_faults(budget: Any) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of one budget; fields that could not be read are BAD and left out."""
    if budget.level == "tag" and budget.of is not BAD and (wrong := tag_problem(budget.of)):
        yield "of", wrong
    if budget.level not in ("tag", BAD) and budget.org is not None:
        yield "org", f"is for tags only; the org of a {budget.level} is known"
    if budget.per_seat is True and budget.level in ("user", "key"):
        yield "per_seat", f"a {budget.level} is one seat already; per_seat is for an org, a team or a tag"
    if budget.period is not BAD:
        if budget.period == "rolling" and budget.rolling_h is None:
            yield "period", "rolling needs rolling_h, the length of the window in hours"
        if budget.period != "rolling" and budget.rolling_h is not None:
            yield "rolling_h", "is for the period rolling only"
        if budget.start_day is not BAD and (wrong := start_day_problem(budget.period, budget.start_day)):
            yield "start_day", wrong
    yield from _stage_faults(budget.stages)


def tag_problem(of: str) -> str | None:
    """What is wrong with the tag that a budget or pause is of."""
    name, value = split_tag(of)
    if "=" not in of:
        return "of a tag is NAME=VALUE, or NAME=* for each of its values"
    wrong = None if name in RESERVED_TAGS else tag_name_problem(name)
    return wrong or (None if value == EVERY else tag_value_problem(value))


def _stage_faults(stages: Sequence[Any]) -> Iterator[tuple[str, str]]:
    if len(stages) > MAX_STAGES:
        yield "stages", f"more than {MAX_STAGES} stages"
    whole = [stage for stage in stages if stage is not BAD and BAD not in (stage.at, stage.do)]
    for before, after in pairwise(whole):
        if after.at <= before.at:
            yield "stages", f"must rise: {after.at} comes after {before.at}"
        if before.do == "pause":
            yield "stages", f"{after.do} at {after.at} is never reached: calls pause at {before.at}"
    for action in ("downgrade", "pause"):
        if sum(stage.do == action for stage in whole) > 1:
            yield "stages", f"more than one {action}"
