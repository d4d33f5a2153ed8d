"""Counters of the version before: what is charged stays charged, and what is not is charged once."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fastgate.stores.counters import PAGE_CALLS, VERSION, Database
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.errors import StoreError
from fastgate.stores.ledger_port import CellKey, Charge

MONTH = CellKey("month", 1, "", 0)
DONE = [1, 2, 3, PAGE_CALLS - 1, PAGE_CALLS, 5 * PAGE_CALLS + 7]


def version_1(path: Path) -> None:
    """A file as that version leaves it."""
    Database(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE seen")
        db.execute("CREATE TABLE seen (epoch TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (epoch, n)) WITHOUT ROWID")
        db.executemany("INSERT INTO seen VALUES (?, ?)", [(epoch, n) for epoch in "ab" for n in DONE])
        db.execute("INSERT INTO cells VALUES (77, 'month', 1, '', 0, 500)")
        db.execute("INSERT INTO offsets VALUES ('a', 1, 2, 3, 0)")
        db.execute("PRAGMA user_version = 1")
        db.commit()


def test_calls_that_are_charged_stay_so(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    version_1(path)
    with closing(ControlCounters(Database(path))) as store:
        assert store.places() == {"a": ((1, 2, 3), False)}
        told = [(n, 10) for n in range(6 * PAGE_CALLS)]
        assert store.apply("a", (1, 9, 9), False, [Charge("a", (), (MONTH,), told)]) == [77]
        spent = 500 + 10 * (len(told) - len(DONE))
        assert store.cells("month", 1)[0].figures.spent_nano == spent
        assert store.apply("a", (1, 9, 9), False, [Charge("a", (), (MONTH,), told)]) == []
        store.apply("a", (1, 9, 9), False, [Charge("b", (77,), (), [(2, 10), (4, 10)])])
        assert store.cells("month", 1)[0].figures.spent_nano == spent + 10
    Database(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'seen_1'").fetchone() == (0,)


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "counters.sqlite"
    Database(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StoreError, match="another fastgate"):
        Database(path)
