"""What the stages tell the alerts: every stage that settled spend comes to, several of one kind too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fastgate.control.stages import Stages
from fastgate.stages import StageChange
from tests.unit.control.alerts.conftest import row

LIMIT_NANO = 100 * 10**9
DAY_NS = 86_400 * 10**9
NOON_NS = 20_000 * DAY_NS + DAY_NS // 2


class Spent(NamedTuple):
    spent_nano: int


class Counters:
    """One cell, whose spend the test sets."""

    spent_nano = 0

    def cells(self, *_: Any) -> list[Any]:
        return []

    def cells_named(self, *_: Any) -> list[Any]:
        return []

    def figures(self, *_: Any) -> list[Spent]:
        return [Spent(self.spent_nano)]


class Board:
    stages_at_ns = 0


def test_the_end_of_a_period_ends_its_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters, told = Counters(), list[StageChange]()
    stages = Stages(counters, tmp_path / "stages.msgpack", Board())  # type: ignore[arg-type]
    stages.listeners.append(told.append)
    budget = row("user", "alice", period="day", hard=False)
    monkeypatch.setattr("fastgate.control.stages.wall_ns", lambda: NOON_NS)
    counters.spent_nano = LIMIT_NANO
    stages.look((budget,), ())
    monkeypatch.setattr("fastgate.control.stages.wall_ns", lambda: NOON_NS + DAY_NS)
    counters.spent_nano = 0
    stages.look((budget,), ())
    stages.look((budget,), ())
    assert [(change.stage, change.period_start_ns) for change in told] == [
        ("downgrade", NOON_NS - DAY_NS // 2), ("", NOON_NS - DAY_NS // 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("after", "spent_nano", "told_after"),
    [
        ("it goes on", LIMIT_NANO, [("downgrade", 0)]),  # whether it was told before, nobody knows
        ("it fell", LIMIT_NANO * 85 // 100, [("alert", 0)]),
        ("it has cleared", 0, [("", 0)]),
        ("its period is over", 0, [("", 0)]),
        ("its budget is gone", LIMIT_NANO, [("", 0)]),
        ("it was made anew", 0, [("", 0)]),
        ("the file is damaged", 0, []),
    ],
)
def test_what_happened_while_nobody_looked_is_told_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str, spent_nano: int, told_after: list[tuple[str, int]]
) -> None:
    counters, told, path = Counters(), list[StageChange](), tmp_path / "stages.msgpack"
    budget = row("user", "alice", period="day")
    monkeypatch.setattr("fastgate.control.stages.wall_ns", lambda: NOON_NS)
    counters.spent_nano = LIMIT_NANO
    Stages(counters, path, Board()).look((budget,), [1])  # type: ignore[arg-type]
    counters.spent_nano = spent_nano
    rows = (budget,)
    match after:
        case "its period is over":
            monkeypatch.setattr("fastgate.control.stages.wall_ns", lambda: NOON_NS + DAY_NS)
        case "its budget is gone":
            rows = (row("user", "bob", period="day"),)
        case "it was made anew":
            rows = (row("user", "alice", period="day", created_ns=8),)
        case "the file is damaged":
            path.write_bytes(b"\xff")
    again = Stages(counters, path, Board())  # type: ignore[arg-type]
    again.listeners.append(told.append)
    for _ in range(2):
        again.look(rows, ())
    midnight_ns = NOON_NS - DAY_NS // 2
    found = [(change.stage, change.period_start_ns - midnight_ns) for change in told if change.budget == budget.id]
    assert found == told_after
    assert {change.created_ns for change in told if change.budget == budget.id} <= {7}


@pytest.mark.parametrize("period", ["month", "total"])
def test_two_alerts_and_a_pause_are_three(tmp_path: Path, period: str) -> None:
    counters, told = Counters(), list[StageChange]()
    stages = Stages(counters, tmp_path / "stages.msgpack", Board())  # type: ignore[arg-type]
    stages.listeners.append(told.append)
    budget = row("user", "alice", period=period, hard=False,
                 stages=((500_000, "alert"), (800_000, "alert"), (1_000_000, "pause")))  # fmt: skip
    for percent in (10, 49, 50, 79, 80, 81, 99, 100, 130):
        counters.spent_nano = LIMIT_NANO * percent // 100
        stages.look((budget,), ())
    assert [(change.stage, change.spent_nano * 100 // LIMIT_NANO) for change in told] == [
        ("alert", 50), ("alert", 80), ("pause", 100),
    ]  # fmt: skip
