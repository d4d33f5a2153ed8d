"""How long a dry run takes: a month of a million recorded calls against budgets at every level.

    python -m bench.dryrun [--calls N] [--check]

The goal is ten seconds for a million. Prints one line of JSON and, at full size, leaves bench/dryrun.json for the page;
with --check, exits 1 when the goal is missed then.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from bench.lock import only_one
from bench.section import Goal, Section
from fastgate.config_routing import Routing
from fastgate.control.cascade import cascade_steps
from fastgate.control.dryrun.prices import NextCheaper
from fastgate.control.dryrun.replay import dry_run
from fastgate.control.usage import UsageTable
from fastgate.control.usage_schema import KIND, THREAD, counted, epochs, kinds, threads
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.snapshot import BudgetLevel, BudgetRow
from fastgate.stores.engine import reading, writing

CALLS = 1_000_000
GOAL_S = 10.0
DAYS = 30
DAY_NS = 86_400 * 1_000_000_000
START_NS = 20_454 * DAY_NS  # 2026-01-01
USERS, TEAMS = 200, 20
FILL_ROWS = 50_000

STAGES = ((800_000, "alert"), (950_000, "downgrade"), (1_100_000, "pause"))


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Calls of 200 users in 20 teams, evenly over a month, 2 cents each on average."""
    draw = random.Random(1)
    for n in range(count):
        user = int(USERS * draw.random() ** 2)  # some work more
        yield {
            "worker": 1, "number": n, "at_ns": START_NS + n * DAYS * DAY_NS // count, "org": "acme",
            "team": f"t{user % TEAMS}", "user": f"u{user}", "key": f"u{user}-{n % 2}", "cost_center": f"c{user % 5}",
            "session": f"s{n // 40}", "agent": "", "model_asked": "claude-opus-4-5",
            "model_used": ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")[n % 3], "endpoint": "a",
            "provider": "anthropic", "outcome": "ok",
            "tags": f'{{"project":"p{user % 7}"}}', "cache": "", "namespace": "",
            "cost_nano": draw.randint(1, 40_000_000), "cost_asked_nano": 0, "saved_nano": 0, "input_tokens": 900,
            "output_tokens": 600, "cache_write_5m_tokens": 1000, "cache_write_1h_tokens": 0,
            "cache_read_tokens": 40_000, "journal": 1, "segment": 1, "offset": n,
        }  # fmt: skip


def fill(table: UsageTable, count: int) -> None:
    """Put `count` calls into an empty usage table."""
    kind_numbers: dict[tuple[str, ...], int] = {}
    thread_numbers: dict[tuple[str, ...], int] = {}
    blank = {column.name: 0 for column in counted.columns if not column.nullable and not column.primary_key}
    made = rows(count)
    with writing(table.engine) as connection:
        connection.execute(epochs.insert(), [{"id": 1, "name": "e"}])
        while batch := list(islice(made, FILL_ROWS)):
            figures = []
            for one in batch:
                kind, thread = tuple(one.pop(name) for name in KIND), tuple(one.pop(name) for name in THREAD)
                numbers = {
                    "kind": kind_numbers.setdefault(kind, len(kind_numbers) + 1),
                    "thread": thread_numbers.setdefault(thread, len(thread_numbers) + 1),
                }
                figures.append(blank | one | numbers)
            connection.execute(counted.insert(), figures)
        for named, names, found in ((kinds, KIND, kind_numbers), (threads, THREAD, thread_numbers)):
            texts = [{"id": n, **dict(zip(names, key, strict=True))} for key, n in found.items()]
            connection.execute(named.insert(), texts)


def budgets() -> list[BudgetRow]:
    """One for each org, team and user, and one for each value of a tag: five on each call, some of them too small."""
    monthly = 20_000 * 10**9

    def row(level: BudgetLevel, of: str, usd_nano: int, **more: Any) -> BudgetRow:
        fields: dict[str, Any] = {
            "id": f"{level}-{of}", "org": "acme", "level": level, "of": of, "per_seat": False, "models": (),
            "period": "month", "rolling_h": 0, "tz": "Europe/Berlin", "start_day": 1, "usd_nano": usd_nano,
            "hard": True, "stages": STAGES, "increases": (), "created_ns": 0,
        }  # fmt: skip
        return BudgetRow(**fields | more)

    return [
        row("org", "acme", monthly),
        *(row("team", f"t{n}", monthly // TEAMS) for n in range(TEAMS)),
        *(row("user", f"u{n}", 3 * 10**9, period="day", tz="UTC") for n in range(USERS)),
        row("tag", "project=*", monthly // 7),
        row("tag", "cost_center=*", 10**12, period="rolling", rolling_h=24, tz="UTC"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dryrun", description="Measure the dry run of budgets.")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--check", action="store_true", help="exit 1 when the goal is missed")
    chosen = parser.parse_args()
    count = chosen.calls
    with tempfile.TemporaryDirectory() as folder, closing(UsageTable(Path(folder) / "usage.sqlite")) as table:
        fill(table, count)
        prices = compile_prices(PriceSettings())
        cheaper = NextCheaper(prices, cascade_steps(Routing(), prices))
        with only_one():
            begun, busy = time.perf_counter(), time.process_time()
            with reading(table.engine) as connection:
                report = dry_run(connection, budgets(), START_NS, START_NS + DAYS * DAY_NS, cheaper)
            took_s, busy_s = time.perf_counter() - begun, time.process_time() - busy
    total = report.total()
    print(
        json.dumps(
            {
                "calls": total.calls,
                "budgets": len(report.budgets),
                "refused": total.refused_calls,
                "downgraded": total.downgraded_calls,
                "seconds": round(took_s, 2),
                "cpu_seconds": round(busy_s, 2),
                "goal_s": GOAL_S,
            }
        )
    )
    if count < CALLS:
        return 0
    goal = Goal(f"{total.calls:,} calls are replayed in {took_s:.1f} s (<= {GOAL_S:g})", took_s <= GOAL_S)
    about = (
        "A month of calls by 200 users, five budgets on each, alone on one core; reading them from disk is part of it."
    )
    cells = (
        f"{total.calls:,}",
        f"{len(report.budgets)}",
        f"{took_s:.2f}",
        f"{busy_s:.2f}",
        f"{total.calls / took_s:,.0f}",
    )
    columns = ("calls", "budgets", "seconds", "CPU seconds", "calls/s")
    Section("Dry run of budgets", about, columns, [cells], [goal]).write("dryrun")
    return 1 if chosen.check and not goal.met else 0


if __name__ == "__main__":
    raise SystemExit(main())
