"""Charging: history of a new budget and what comes after it meet without a gap, however far the usage table is behind;
dead workers' leases end when all of theirs is charged; stages are published and told once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastgate.clock import wall_ns
from fastgate.control.charging import HELD_UP_STEPS, Charging
from fastgate.control.feed import CallFeed
from fastgate.control.history import History
from fastgate.control.ingest import Ingestor
from fastgate.control.stages import Stages
from fastgate.control.usage import UsageTable
from fastgate.journal import KIND_CALL, JournalWriter, call_id
from fastgate.snapshot import BudgetRow
from fastgate.stages import StageChange, StageNote, read_stages
from fastgate.stores.counters import Database
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.ledger_port import ONLY_THIS, Ask, CellKey, Part
from tests.support.flights import record

USD = 1_000_000_000
FOREVER = 1 << 62


def budget(id: str = "month", **changes: Any) -> BudgetRow:
    stages: Any = ((800_000, "alert"), (950_000, "downgrade"), (1_100_000, "pause"))
    row = BudgetRow(id, "acme", "team", "platform", False, (), "month", 0, "UTC", 1, 10 * USD, True, stages, (), 1)
    return msgspec.structs.replace(row, **changes)


class Board:
    stages_at_ns = 0


class House:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: tuple[BudgetRow, ...] = ()
        (path / "flight").mkdir()
        (path / "journal").mkdir()
        self.table = UsageTable(path / "usage.sqlite")
        self.feed = CallFeed(path / "journal")
        self.ingestor = Ingestor(self.table, self.feed)
        self.counters = ControlCounters(Database(path / "counters.sqlite"))
        self.writer = JournalWriter.create(path / "journal")
        self.board = Board()
        self.stages = Stages(self.counters, path / "stages.msgpack", self.board)
        self.n = 0
        self.start()

    def start(self) -> None:
        history, flight = History(self.table), self.path / "flight"
        self.charging = Charging(self.counters, history, self.feed, flight, lambda: self.rows)

    def call(self, cost: int, **changes: Any) -> None:
        self.n += 1
        fields = {"id": call_id(self.writer.epoch, self.n), "at_ns": wall_ns(), "cost_nano": cost, **changes}
        self.writer.append(KIND_CALL, msgspec.msgpack.encode(record(fields.pop("id"), **fields)))

    def spent(self, id: str = "month", created_ns: int = 1) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in self.counters.cells(id, created_ns):
            found[row.key.cell] = found.get(row.key.cell, 0) + row.figures.spent_nano
        return found

    def close(self) -> None:
        self.writer.close()
        self.counters.close()
        self.table.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def test_a_new_budget_counts_from_its_periods_start_and_each_call_once(house: House) -> None:
    house.rows = (budget("other", of="nobody"),)
    for _ in range(5):
        house.call(100)
    house.call(7, team="elsewhere")
    house.charging.step()
    house.ingestor.catch_up()
    house.charging.catch_up()
    house.rows = (*house.rows, budget())
    house.call(1000)  # nobody has read it yet
    house.ingestor.catch_up()  # the usage table is ahead of the charges
    house.charging.step()
    house.call(10_000)
    house.charging.catch_up()
    assert house.spent() == {"": 11_500}


def test_history_waits_for_the_usage_table(house: House) -> None:
    house.rows = (budget("other", of="nobody"),)
    house.charging.step()
    house.ingestor.catch_up()
    house.charging.step()
    house.call(100)
    house.charging.catch_up()  # the charges are ahead of the usage table
    house.rows = (*house.rows, budget())
    house.charging.step()
    assert house.spent() == {}
    assert not house.charging.catch_up() or house.spent() == {}
    house.ingestor.catch_up()
    house.charging.step()
    assert house.spent() == {"": 100}


def test_charges_go_on_when_the_usage_table_does_not(house: House) -> None:
    house.rows = (budget("other"),)
    house.ingestor.catch_up()
    house.charging.step()
    house.call(100)
    house.charging.catch_up()
    house.rows = (*house.rows, budget("late"))
    house.call(5)
    for _ in range(HELD_UP_STEPS + 2):
        house.charging.step()
    assert house.spent("other") == {"": 105}


def test_catching_up_ends_though_calls_keep_coming(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.rows = (budget(),)
    house.ingestor.catch_up()
    house.charging.step()
    house.call(100)
    step = house.charging.step

    def busy() -> int:
        done = step()
        house.call(1)
        return done

    monkeypatch.setattr(house.charging, "step", busy)
    assert house.charging.catch_up()
    assert 100 <= house.spent()[""] < 110


def test_members_tags_models_and_windows_have_their_own_cells(house: House) -> None:
    house.rows = (
        budget("seats", per_seat=True),
        budget("session", level="tag", of="session=*", period="total"),
        budget("opus", models=("opus",)),
        budget("window", period="rolling", rolling_h=5),
    )
    house.call(1, user="alice", session="s1", model_used="claude-opus-4-5")
    house.call(2, user="bob", session="s2", model_used="claude-haiku-4-5")
    house.call(4, user="bob", session="s1", model_used="claude-opus-4-5")
    house.call(8, at_ns=wall_ns() - 6 * 3600 * USD, session="s3", user="carol", model_used="claude-haiku-4-5")
    house.ingestor.catch_up()
    house.charging.catch_up()
    assert house.spent("session") == {"s1": 5, "s2": 2, "s3": 8}
    assert house.spent("opus") == {"": 5}
    in_month = house.spent("seats")
    assert (in_month["alice"], in_month["bob"]) == (1, 6)
    assert house.spent("window") in ({"": 7}, {"": 15})


def test_a_record_that_is_there_twice_is_charged_once(house: House) -> None:
    house.rows = (budget(),)
    house.ingestor.catch_up()
    house.charging.catch_up()
    house.call(100)
    house.n -= 1
    house.call(100)
    house.charging.catch_up()
    house.start()
    house.charging.catch_up()
    assert house.spent() == {"": 100}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "fg-06h1qprne0br"},
        {"id": f"fg-06h1qprne0br-{1 << 63}"},
        {"cost_nano": 1 << 63},
        {"at_ns": 1 << 63},
        {"cells": (1 << 63,)},
    ],
    ids=["no id", "number", "cost", "time", "cell"],
)
def test_a_record_that_cannot_be_charged_is_told_once_and_the_rest_is_charged(
    house: House, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    house.rows = (budget(),)
    house.ingestor.catch_up()
    house.charging.catch_up()
    house.call(100)
    house.call(**{"cost": 9} | {"cost" if name == "cost_nano" else name: value for name, value in changes.items()})
    house.call(7)
    assert house.charging.catch_up()
    assert house.charging.catch_up()
    assert house.spent() == {"": 107}
    assert ["cannot be charged" in message for message in caplog.messages] == [True]


def test_a_dead_workers_lease_is_free_once_all_of_its_calls_are_charged(house: House) -> None:
    house.rows = (budget(),)
    house.charging.step()
    key = CellKey("month", 1, "", _month_start(house))
    ask = Ask(1, (Part(key, ONLY_THIS, 11 * USD),), 500, 500, False, FOREVER)
    (lease,) = house.counters.exchange(house.writer.epoch, [], [ask], [], FOREVER, 1).answers
    assert lease.verdict == "granted"
    house.call(300, cells=lease.cells)
    house.charging.look_after()
    (row,) = house.counters.cells("month", 1)
    assert row.figures.leased_nano == 500, "its journal is open: it lives"
    house.writer.close()
    damaged = house.path / "flight" / f"{house.writer.epoch}.damaged"
    damaged.touch()
    house.charging.look_after()
    assert house.counters.cells("month", 1)[0].figures.leased_nano >= 200, "nobody can say what it has spent"
    damaged.unlink()
    house.charging.look_after()
    (row,) = house.counters.cells("month", 1)
    assert (row.figures.spent_nano, row.figures.leased_nano) == (300, 0)
    assert house.counters.workers() == {}


def _month_start(house: House) -> int:
    from fastgate.selection import step_of

    return step_of(house.rows[0], wall_ns())[0]


def test_stages_are_published_and_told_once(house: House) -> None:
    told: list[StageChange] = []
    house.stages.listeners.append(told.append)
    house.rows = (budget(), budget("soft", hard=False, usd_nano=100 * USD))
    house.charging.step()

    def look() -> None:
        house.charging.catch_up()
        changed, house.charging.changed = house.charging.changed, set()
        house.stages.look(house.rows, changed)

    look()
    house.call(8 * USD)
    look()
    look()
    house.call(2 * USD)
    look()
    assert [(change.budget, change.stage, change.spent_nano) for change in told] == [
        ("month", "alert", 8 * USD),
        ("month", "downgrade", 10 * USD),
    ]
    notes = read_stages(house.path / "stages.msgpack")
    by_budget = {key.budget: note for key, note in notes.items()}
    assert by_budget == {"month": StageNote("downgrade", 10 * USD), "soft": StageNote(None, 10 * USD)}
    published = house.board.stages_at_ns
    look()
    assert house.board.stages_at_ns == published, "nothing new, nothing published"
    house.rows = (budget(usd_nano=1000 * USD), house.rows[1])
    look()
    assert (told[-1].stage, told[-1].usd_nano) == ("", 1000 * USD)


def test_calls_of_any_time_are_charged(house: House) -> None:
    """Also where no budget but those that are named selects a call: then no period is looked for."""
    house.rows = (budget("other", of="nobody"),)
    for at_ns in (-(1 << 63), -1, 0, (1 << 63) - 1):
        house.call(100, at_ns=at_ns)
    assert house.charging.step() == 4
    assert house.spent("other") == {}


def test_what_was_charged_of_workers_of_whom_nothing_is_left_is_forgotten(house: House) -> None:
    """Soft budgets alone: such a worker has leased nothing, so no end of its leases takes its calls along."""
    house.rows = (budget(hard=False),)
    house.charging.step()
    lives = ["0123456789ab", "0123456789ac", "0123456789ad"]
    for n, life in enumerate(lives, 1):  # as they are recorded for workers that died before their first record
        house.call(100, id=call_id(life, n))
    house.call(100)
    house.charging.step()
    (house.path / "flight" / f"{lives[0]}.flight").touch()
    (house.path / "flight" / f"{lives[1]}.flight.damaged").touch()

    def remembered() -> set[str]:
        with house.counters.database.writing() as db:
            return {epoch for (epoch,) in db.execute("SELECT epoch FROM seen")}

    assert remembered() == {*lives, house.writer.epoch}
    house.charging.keep_house()
    assert remembered() == {*lives[:2], house.writer.epoch}
    for path in (house.path / "flight").iterdir():
        path.unlink()
    house.charging.keep_house()
    assert remembered() == {house.writer.epoch}
    assert sum(house.spent().values()) == 400
