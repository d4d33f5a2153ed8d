"""Reads proposed budgets from a file's text and runs them over what this gateway has recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from fastgate.clock import wall_ns
from fastgate.control.dryrun.replay import Cheaper, dry_run
from fastgate.control.dryrun.report import view
from fastgate.control.errors import OperationError, of_file
from fastgate.directory_budgets import Budget
from fastgate.directory_proposal import proposed_budgets
from fastgate.snapshot import BudgetRow
from fastgate.stores.engine import reading
from fastgate.times import NS
from fastgate.tree import ConfigErrors

DEFAULT_DAYS = 30
"""A month's budgets are seen whole at least once."""
DAY_NS = 24 * 3600 * NS


def propose(text: bytes, environ: Mapping[str, str], file: str, orgs: list[str]) -> list[BudgetRow]:
    """The budgets of a file: of a whole directory.yaml, or of one that has only them. `orgs` are those there are: where
    it is one, tags are its. Raises OperationError with everything that is wrong."""
    try:
        budgets = proposed_budgets(text, environ, file)
    except ConfigErrors as errors:
        raise of_file("the proposed budgets have errors", errors) from None
    if not budgets:
        raise OperationError("invalid", f"{file} proposes no budgets.")
    return [row_of(budget, orgs) for budget in budgets]


def row_of(budget: Budget, orgs: list[str]) -> BudgetRow:
    """A proposed budget as the ledger would count it."""
    org = budget.of if budget.level == "org" else budget.org or ""
    if budget.level == "tag" and not org:
        if len(orgs) != 1:
            raise OperationError("invalid", f"budget {budget.id}: there are {len(orgs)} orgs; say whose tag it is.")
        org = orgs[0]
    return BudgetRow(
        id=budget.id,
        org=org,
        level=budget.level,
        of=budget.of,
        per_seat=budget.per_seat,
        models=budget.models,
        period=budget.period,
        rolling_h=budget.rolling_h or 0,
        tz=budget.tz,
        start_day=budget.start_day,
        usd_nano=budget.usd_nano(),
        hard=budget.mode == "hard",
        stages=tuple(budget.stages_ppm()),
        increases=(),
        created_ns=0,
    )


def replay(
    engine: Engine, rows: list[BudgetRow], cheaper: Cheaper, since_ns: int | None, until_ns: int | None
) -> dict[str, Any]:
    """The report over the usage table, JSON-ready. By default over the last 30 days."""
    now_ns = wall_ns()
    until_ns = now_ns if until_ns is None else until_ns
    since_ns = until_ns - DEFAULT_DAYS * DAY_NS if since_ns is None else since_ns
    if since_ns >= until_ns:
        raise OperationError("invalid", "since must lie before until.")
    with reading(engine) as connection:
        return view(dry_run(connection, rows, since_ns, until_ns, cheaper))
