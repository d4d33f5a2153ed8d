"""The key's own view: who it is, what it may still spend, what is paused. One read of the store of money, off the loop.

Every budget that can bind a call of this key is listed, whatever model the call is for; a session's own only when the
asker says which session. Owns the shape of `/v1/fastgate/me`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from fastgate._core.money import format_usd
from fastgate.budgets import ceiling_nano, live_increases, pause_ppm, selected, stage_at, stage_nano
from fastgate.clock import wall_ns
from fastgate.errors import overloaded
from fastgate.gateway.refusals import asked_with
from fastgate.selection import Match, Selection, since_of, step_of
from fastgate.stores.errors import StoreError
from fastgate.stores.ledger_port import ONLY_THIS, CellKey, Figures
from fastgate.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastgate.asking import Asked
    from fastgate.gateway.worker import Worker
    from fastgate.snapshot import BudgetRow, KeyRow, PauseRow

log = logging.getLogger("fastgate.me")


async def me(worker: Worker, who: KeyRow, session: str) -> dict[str, Any]:
    """What the key behind `who` is told. Raises GatewayError when the store cannot be read."""
    return {
        "key": who.key,
        "user": who.user or None,
        "team": who.team or None,
        "org": who.org,
        "cost_center": who.cost_center or None,
        "budgets": await _budgets(worker, who, session),
        "pauses": _pauses(worker.snapshot.pauses or (), who, session),
    }


def binding(worker: Worker, who: KeyRow, session: str) -> list[Match]:
    """Every budget that can bind a call of this key, and its cell there."""
    rows = {row.id: row for row in worker.snapshot.data.budgets}
    every_model = Selection(msgspec.structs.replace(row, models=()) for row in rows.values())
    return [Match(rows[row.id], cell) for row, cell in every_model.matches(who, who.tags, session, "")]


async def _budgets(worker: Worker, who: KeyRow, session: str) -> list[dict[str, Any]]:
    matches = binding(worker, who, session)
    if not matches:
        return []
    asked = await asked_with(who.key, worker.lending.questions)
    now_ns = wall_ns()
    wanted = [_cell(match, now_ns) for match in matches]
    try:
        figures = await worker.counters.run(worker.counters.figures, wanted)
    except StoreError as error:
        log.error("budgets cannot be shown: %s", error)
        raise overloaded("What was spent cannot be read now; try again.", 1) from None
    return [
        budget(match.row, match.cell, spent, now_ns) | {"requests": asked_of(match, asked, now_ns)}
        for match, spent in zip(matches, figures, strict=True)
    ]


def asked_of(match: Match, asked: Iterable[Asked], now_ns: int) -> list[dict[str, Any]]:
    """Those of one budget: what waits, and what became of the others within a day."""
    of = match.row.id, match.row.created_ns
    return [question(each, now_ns) for each in asked if (each.budget, each.created_ns) == of]


def question(asked: Asked, now_ns: int) -> dict[str, Any]:
    """One increase as who asked for it sees it."""
    state = "expired" if asked.state != "denied" and asked.not_after_ns <= now_ns else asked.state
    return {
        "id": asked.id,
        "budget": asked.budget,
        "cell": asked.cell or None,
        "usd": format_usd(asked.amount_nano),
        "until": rfc3339(asked.not_after_ns),
        "reason": asked.reason,
        "state": "requested" if state == "asked" else state,
        "requested": rfc3339(asked.asked_ns),
        "decided_by": asked.decided_by or None,
    }


def _cell(match: Match, now_ns: int) -> tuple[CellKey, int]:
    row = match.row
    start_ns, end_ns = step_of(row, now_ns)
    since_ns = since_of(row, start_ns, end_ns) if row.period == "rolling" else ONLY_THIS
    return CellKey(row.id, row.created_ns, match.cell, start_ns), since_ns


def budget(row: BudgetRow, cell: str, figures: Figures, now_ns: int) -> dict[str, Any]:
    """One budget as its holder sees it. What is held is of calls in flight, and of workers for the next ones."""
    ceiling = ceiling_nano(row, now_ns, cell)
    top_nano = ceiling if ceiling is not None else stage_nano(row, pause_ppm(row.stages), now_ns, cell)
    held_nano = figures.leased_nano + figures.doubtful_nano
    _, end_ns = step_of(row, now_ns)
    return {
        "id": row.id,
        "level": row.level,
        "of": row.of,
        "cell": cell or None,
        "models": row.models,
        "period": row.period,
        "mode": "hard" if row.hard else "soft",
        "limit": format_usd(row.usd_nano),
        "ceiling": None if ceiling is None else format_usd(ceiling),
        "spent": format_usd(figures.spent_nano),
        "held": format_usd(held_nano),
        "remaining": format_usd(top_nano - figures.spent_nano - held_nano),
        "stage": stage_at(row, figures.spent_nano, now_ns, cell) or "ok",
        "resets_at": None if row.period in ("total", "rolling") else rfc3339(end_ns),
        "increases": [
            {"usd": format_usd(each.nano), "until": rfc3339(each.not_after_ns)}
            for each in live_increases(row, now_ns, cell)
        ],
    }


def _pauses(rows: Iterable[PauseRow], who: KeyRow, session: str) -> list[dict[str, Any]]:
    now_ns = wall_ns()
    return [
        {
            "level": row.level,
            "of": row.of,
            "reason": row.reason,
            "by": row.by,
            "until": rfc3339(row.until_ns) if row.until_ns else None,
        }
        for row in rows
        if selected(row.level, row.of, row.org, who, who.tags, session) is not None and not 0 < row.until_ns <= now_ns
    ]
