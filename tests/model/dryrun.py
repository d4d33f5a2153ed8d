"""The slow twin of the dry run: for every call it adds up, from all calls kept so far, what each budget has spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastgate.budgets import ceiling_nano, pause_ppm, seat, selected, selects_model, stage_nano
from fastgate.periods import bounds
from fastgate.record import CallRecord
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.times import NS


def identity(row: BudgetRow, one: CallRecord) -> tuple[str, str] | None:
    """Subject and seat of the cell that a call falls into, None where the budget does not select it."""
    who = KeyRow(b"", one.key, one.user, one.team, one.org, one.cost_center, one.tags, (), 0)
    subject = selected(row.level, row.of, row.org, who, one.tags, one.session)
    if subject is None or not selects_model(row.models, one.model_used):
        return None
    return subject, seat(who) if row.per_seat else ""


def in_window(row: BudgetRow, kept_ns: int, at_ns: int) -> bool:
    """Whether a call at `kept_ns` still counts at `at_ns`."""
    start_ns, _ = bounds(row.period, row.tz, row.start_day, row.rolling_h, at_ns)
    if row.period == "rolling":
        _, left_ns = bounds(row.period, row.tz, row.start_day, row.rolling_h, kept_ns)
        return left_ns > start_ns - row.rolling_h * 3600 * NS
    return kept_ns >= start_ns


def replay(
    calls: Sequence[CallRecord], rows: Sequence[BudgetRow], since_ns: int, cheaper: Callable[..., int]
) -> dict[str, Any]:
    """Ids of refused calls, savings of downgraded ones, and which (budget, subject, seat, period, stage) were reached
    by which call. Periods of a rolling window are left out: they have none."""
    kept: list[tuple[CallRecord, int]] = []
    refused: list[str] = []
    downgraded: dict[str, int] = {}
    reached: dict[tuple[str, str, str, int, int], int] = {}

    def spent(row: BudgetRow, cell: tuple[str, str], at_ns: int) -> int:
        return sum(
            nano for one, nano in kept if identity(row, one) == cell and in_window(row, one.at_ns, at_ns)
        )  # fmt: skip

    def note(row: BudgetRow, cell: tuple[str, str], at_ns: int) -> None:
        start_ns, _ = bounds(row.period, row.tz, row.start_day, row.rolling_h, at_ns)
        for at_ppm, _ in row.stages:
            if row.period != "rolling" and spent(row, cell, at_ns) >= stage_nano(row, at_ppm, at_ns, named(row, cell)):
                reached.setdefault((row.id, *cell, start_ns, at_ppm), at_ns)

    for one in sorted(calls, key=lambda one: one.at_ns):
        if one.cost_nano == 0:
            continue
        if one.at_ns < since_ns:
            kept.append((one, one.cost_nano))
            continue
        at_ns = one.at_ns
        cells = [(row, cell) for row in rows if (cell := identity(row, one)) is not None]
        for row, cell in cells:
            note(row, cell, at_ns)
        saved = 0
        if any(
            action == "downgrade" and spent(row, cell, at_ns) >= stage_nano(row, at_ppm, at_ns, named(row, cell))
            for row, cell in cells
            for at_ppm, action in row.stages
        ):
            usage = one.usage
            tokens = (usage.input_tokens, usage.output_tokens, usage.cache_write_5m_tokens,
                      usage.cache_write_1h_tokens, usage.cache_read_tokens)  # fmt: skip
            saved = min(one.cost_nano, cheaper(one.provider, one.model_used, tokens))
        charged = one.cost_nano - saved
        if any(_refuses(row, named(row, cell), spent(row, cell, at_ns), charged, at_ns) for row, cell in cells):
            refused.append(one.id)
            continue
        if saved:
            downgraded[one.id] = saved
        kept.append((one, charged))
        for row, cell in cells:
            note(row, cell, at_ns)
    return {"refused": refused, "downgraded": downgraded, "reached": reached, "kept": kept}


def named(row: BudgetRow, cell: tuple[str, str]) -> str:
    """A cell as the ledger names it: the tag's value where each has one, the seat where each has one."""
    value, whose = cell
    parts = [value] if row.level == "tag" and row.of.endswith("=*") else []
    return " ".join([*parts, whose] if row.per_seat else parts)


def _refuses(row: BudgetRow, cell: str, spent_nano: int, cost_nano: int, at_ns: int) -> bool:
    ceiling = ceiling_nano(row, at_ns, cell)
    if ceiling is not None:
        return spent_nano + cost_nano > ceiling
    pauses = any(action == "pause" for _, action in row.stages)
    return pauses and spent_nano >= stage_nano(row, pause_ppm(row.stages), at_ns, cell)
