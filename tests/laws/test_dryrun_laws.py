"""The dry run against its slow twin, over any calls and any budgets; and that money is neither made nor lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate.control.dryrun.replay import dry_run
from fastgate.control.dryrun.report import Report
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import UsageTable
from fastgate.journal import KIND_CALL, JournalWriter, call_id
from fastgate.periods import Period
from fastgate.record import CallRecord, Usage
from fastgate.snapshot import BudgetLevel, BudgetRow, Raise, StageAction
from fastgate.stores.engine import reading, writing
from tests.model import dryrun as model
from tests.support.flights import encode, record

HOUR_NS = 3600 * 1_000_000_000
START_NS = 1_790_000_000 * 1_000_000_000
HOURS = 24 * 9

STAGES: list[tuple[tuple[int, StageAction], ...]] = [
    ((800_000, "alert"), (950_000, "downgrade"), (1_100_000, "pause")),
    ((500_000, "alert"), (700_000, "alert")),
    ((300_000, "downgrade"),),
    ((1_000_000, "pause"),),
    (),
]
PERIODS: list[tuple[Period, int]] = [
    ("day", 0), ("week", 0), ("month", 0), ("total", 0), ("rolling", 1), ("rolling", 5), ("rolling", 60),
]  # fmt: skip
SELECTORS: list[tuple[BudgetLevel, str, bool, tuple[str, ...]]] = [
    ("org", "acme", False, ()),
    ("org", "acme", True, ("opus",)),
    ("team", "platform", False, ()),
    ("team", "web", True, ()),
    ("user", "alice", False, ("claude-haiku-*",)),
    ("key", "k1", False, ()),
    ("tag", "project=x", False, ()),
    ("tag", "project=*", False, ()),
    ("tag", "session=*", False, ()),
    ("tag", "cost_center=CC-1001", True, ()),
]


def some_call(draw: Random) -> dict[str, Any]:
    """Quarters of an hour, so that several begin at once and some on the edge of a period."""
    return {
        "at_ns": START_NS + draw.randint(0, HOURS * 4) * HOUR_NS // 4,
        "team": draw.choice(["platform", "web"]),
        "user": draw.choice(["alice", "bob", ""]),
        "key": draw.choice(["k1", "k2"]),
        "model_used": draw.choice(["claude-opus-4-5", "claude-haiku-4-5"]),
        "session": draw.choice(["s1", "s2", ""]),
        "tags": draw.choice([{}, {"project": "x"}, {"project": "y"}]),
        "cost_nano": draw.randint(0, 40),
        "usage": Usage(draw.randint(0, 30)),
    }


def some_budget(draw: Random, n: int) -> BudgetRow:
    level, of, per_seat, models = draw.choice(SELECTORS)
    period, rolling_h = draw.choice(PERIODS)
    return BudgetRow(
        id=f"b{n}",
        org="acme",
        level=level,
        of=of,
        per_seat=per_seat,
        models=models,
        period=period,
        rolling_h=rolling_h,
        tz=draw.choice(["UTC", "America/New_York"]) if period != "rolling" else "UTC",
        start_day=1,
        usd_nano=draw.choice([20, 40, 100, 250, 400]),
        hard=draw.random() < 0.5,
        stages=draw.choice(STAGES),
        increases=tuple(
            Raise(
                draw.choice([30, 100]),
                START_NS + draw.randint(1, 200) * HOUR_NS,
                draw.choice(["", "alice", "x", "key:k1"]),
            )
            for _ in range(draw.choice([0, 0, 1, 2]))
        ),
        created_ns=0,
    )


def cheaper(_provider: str, model_name: str, tokens: tuple[int, ...]) -> int:
    return tokens[0] if "opus" in model_name else 0


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsageTable]:
    """One for all examples: making one costs a hundred times what an example does."""
    with closing(UsageTable(tmp_path_factory.mktemp("dryrun") / "usage.sqlite")) as table:
        yield table


def run(
    table: UsageTable, changes: list[dict[str, Any]], rows: list[BudgetRow], since_ns: int
) -> tuple[Report, list[CallRecord]]:
    with tempfile.TemporaryDirectory() as folder:
        calls = []
        with closing(JournalWriter.create(Path(folder))) as writer:
            for n, change in enumerate(changes, 1):
                one = record(call_id(writer.epoch, n), **change)
                writer.append(KIND_CALL, encode(one))
                calls.append(one)
        with writing(table.engine) as connection:
            connection.exec_driver_sql("DELETE FROM counted")
        Ingestor(table, Path(folder)).catch_up()
        with reading(table.engine) as connection:
            return dry_run(connection, rows, since_ns, START_NS + 10**18, cheaper), calls


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=120)
def test_the_replay_is_its_slow_twin(table: UsageTable, seed: int) -> None:
    """Drawn by a seeded generator: lists as Hypothesis makes them are mostly too short to reach a stage."""
    draw = Random(seed)
    changes = [some_call(draw) for _ in range(draw.randint(0, 70))]
    rows = [some_budget(draw, n) for n in range(draw.randint(1, 4))]
    since_ns = START_NS + draw.choice([0, 0, draw.randint(0, HOURS)]) * HOUR_NS
    report, calls = run(table, changes, rows, since_ns)
    slow = model.replay(calls, rows, since_ns, cheaper)
    total = report.total()
    replayed = [one for one in calls if one.at_ns >= since_ns and one.cost_nano]
    assert total.calls == len(replayed)
    assert total.recorded_nano == sum(one.cost_nano for one in replayed)
    assert total.refused_calls == len(slow["refused"])
    assert total.refused_nano == sum(one.cost_nano for one in replayed if one.id in slow["refused"])
    assert (total.downgraded_calls, total.saved_nano) == (len(slow["downgraded"]), sum(slow["downgraded"].values()))
    kept = sum(nano for one, nano in slow["kept"] if one.at_ns >= since_ns)
    assert total.recorded_nano - total.refused_nano - total.saved_nano == kept, "money is neither made nor lost"
    fixed = {row.id for row in rows if row.period != "rolling"}
    found = {
        (outcome.budget, outcome.subject, outcome.seat, outcome.start_ns, stage.at_ppm): stage.at_ns
        for outcome in report.outcomes
        for stage in outcome.stages
        if outcome.budget in fixed
    }
    assert found == slow["reached"]
    for sums in (report.by("team"), report.by("user"), report.by("key")):
        assert sum(flow.recorded_nano for flow in sums.values()) == total.recorded_nano
        assert sum(flow.refused_calls for flow in sums.values()) == total.refused_calls
    assert sum(recorded for _, recorded, _ in report.days) == total.recorded_nano
    assert sum(avoided for _, _, avoided in report.days) == total.refused_nano + total.saved_nano
    assert sum(outcome.refused_nano for outcome in report.outcomes) == total.refused_nano
