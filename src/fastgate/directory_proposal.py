"""A file of proposed budgets, read and checked as directory.yaml's own are. Knows nothing of what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fastgate.directory import parse_directory
from fastgate.directory_budgets import Budget, budget_faults
from fastgate.strict import BAD, Reading, read

SECTION = "budgets"


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has nothing but budgets."""

    budgets: tuple[Budget, ...]
    """What is proposed, as directory.yaml has it."""


def proposed_budgets(text: bytes, environ: Mapping[str, str], file: str) -> tuple[Budget, ...]:
    """The budgets of a whole directory.yaml, or of a file that has only them. Raises ConfigErrors with everything that
    is wrong."""
    reading = read(text, Proposal, environ, file)
    if len(reading.root.entries) > 1:
        return parse_directory(text, environ, file)[0].budgets
    first: dict[str, int] = {}
    for index, budget in enumerate(reading.value.budgets if reading.value.budgets is not BAD else ()):
        if budget is not BAD:
            _check(reading, index, budget, first)
    return reading.done().budgets


def _check(reading: Reading[Proposal], index: int, budget: Any, first: dict[str, int]) -> None:
    path = (SECTION, index)
    if budget.id is not BAD and first.setdefault(budget.id, index) != index:
        reading.fault((*path, "id"), f"{budget.id} is already the id of {SECTION}[{first[budget.id]}]")
    for field, wrong in budget_faults(budget):
        reading.fault((*path, field), wrong)
