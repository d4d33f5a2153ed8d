"""The embedded store of money: `counters.sqlite`, opened by every worker and by the control plane.

The one SQL of the data plane, plain sqlite3 and off the loop; the file is its own, so that counting calls never makes
a lease wait. Owns the tables and `exchange`; what the control plane does to them is counters_control. A transaction
takes the write lock at its start: what it read cannot have changed when it writes.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fastgate.stores.errors import StoreError
from fastgate.stores.ledger_port import (
    ONLY_THIS,
    Answer,
    Ask,
    CellKey,
    Exchange,
    Figures,
    Part,
    WorkerState,
    judge,
    slice_nano,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

VERSION = 2

PAGE_CALLS = 512
"""Calls of one row of `seen`, a byte each: what a batch of charges reads and writes of them is a few rows, and several
fit into one page of the file."""

BUSY_TIMEOUT_MS = 5000
"""As for the directory's file. A transaction here takes a few milliseconds; the longest, a batch of a thousand calls,
about ten."""

NUMBER_BITS = 20
"""Cells are numbered from a random multiple of 2^20 on: records that name cells of a file that was lost must not fall
on those of its successor."""

SCHEMA = """
CREATE TABLE cells (
    id INTEGER PRIMARY KEY,
    budget TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    cell TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    spent INTEGER NOT NULL DEFAULT 0,
    UNIQUE (budget, created_ns, cell, start_ns)
);
CREATE TABLE seeded (budget TEXT NOT NULL, created_ns INTEGER NOT NULL, PRIMARY KEY (budget, created_ns)) WITHOUT ROWID;
CREATE TABLE workers (epoch TEXT PRIMARY KEY, state TEXT NOT NULL, until_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (
    cell INTEGER NOT NULL, epoch TEXT NOT NULL, nano INTEGER NOT NULL, PRIMARY KEY (cell, epoch)
) WITHOUT ROWID;
CREATE INDEX leases_of ON leases (epoch);
CREATE TABLE wants (
    cell INTEGER NOT NULL, seq INTEGER NOT NULL, epoch TEXT NOT NULL, call INTEGER NOT NULL, nano INTEGER NOT NULL,
    until_ns INTEGER NOT NULL, PRIMARY KEY (epoch, call, cell)
) WITHOUT ROWID;
CREATE INDEX wants_on ON wants (cell, seq);
CREATE TABLE seen (
    epoch TEXT NOT NULL, page INTEGER NOT NULL, calls BLOB NOT NULL, PRIMARY KEY (epoch, page)
) WITHOUT ROWID;
CREATE TABLE offsets (
    epoch TEXT PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, sequence INTEGER NOT NULL,
    finished INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE numbers (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
"""

_FIGURES = """
SELECT coalesce(sum(max(l.nano, 0)) FILTER (WHERE w.state = 'live'), 0),
       coalesce(sum(max(l.nano, 0)) FILTER (WHERE w.state = 'doubtful'), 0)
FROM leases l JOIN workers w ON w.epoch = l.epoch WHERE l.cell = ?
"""

_ADD_LEASE = (
    "INSERT INTO leases (cell, epoch, nano) VALUES (?, ?, ?) "
    "ON CONFLICT (cell, epoch) DO UPDATE SET nano = nano + excluded.nano"
)


class Database:
    """One connection to the file, made with its tables if need be; used from one thread at a time."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError("unusable", f"{path} cannot be opened: {error.strerror}") from None
        self.connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False)
        self.connection.isolation_level = None
        try:
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._make()
        except BaseException as error:
            self.connection.close()
            if isinstance(error, sqlite3.Error):
                raise StoreError("unusable", f"{path}: {error}") from error
            raise

    def _make(self) -> None:
        with self.writing() as db:
            (found,) = db.execute("PRAGMA user_version").fetchone()
            if found == VERSION:
                return
            if found == 1:
                _from_version_1(db)
                return
            if found:
                raise StoreError("unusable", f"{self.path} was written by another fastgate (version {found})")
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            first = (1 + secrets.randbelow(1 << 30)) << NUMBER_BITS
            db.executemany("INSERT INTO numbers VALUES (?, ?)", [("cell", first), ("want", 1)])
            db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction with the write lock from its start. Raises StoreError(unusable)."""
        with self._lock:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self.connection
                    self.connection.execute("COMMIT")
                except BaseException:
                    if self.connection.in_transaction:
                        self.connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError("unusable", f"{self.path}: {error}") from error

    def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """One consistent view."""
        with self._lock:
            try:
                self.connection.execute("BEGIN")
                try:
                    return ask(self.connection)
                finally:
                    self.connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError("unusable", f"{self.path}: {error}") from error

    def close(self) -> None:
        with self._lock:
            self.connection.close()


def _from_version_1(db: sqlite3.Connection) -> None:
    """Calls that are charged had a row each."""
    db.execute("ALTER TABLE seen RENAME TO seen_1")
    (made,) = (statement for statement in SCHEMA.split(";") if "CREATE TABLE seen " in statement)
    db.execute(made)
    for epoch, page in db.execute("SELECT DISTINCT epoch, n / ? FROM seen_1", (PAGE_CALLS,)).fetchall():
        calls = bytearray(PAGE_CALLS)
        first = page * PAGE_CALLS
        within = (epoch, first, first + PAGE_CALLS)
        for (n,) in db.execute("SELECT n FROM seen_1 WHERE epoch = ? AND n >= ? AND n < ?", within):
            calls[n - first] = 1
        db.execute("INSERT INTO seen VALUES (?, ?, ?)", (epoch, page, bytes(calls)))
    db.execute("DROP TABLE seen_1")
    db.execute(f"PRAGMA user_version = {VERSION}")


def next_number(db: sqlite3.Connection, name: str) -> int:
    (number,) = db.execute("UPDATE numbers SET next = next + 1 WHERE name = ? RETURNING next - 1", (name,)).fetchone()
    return int(number)


def cell_of(db: sqlite3.Connection, key: CellKey) -> int:
    """The number of a cell, made if need be."""
    row = db.execute("SELECT id FROM cells WHERE budget=? AND created_ns=? AND cell=? AND start_ns=?", key).fetchone()
    if row is not None:
        return int(row[0])
    number = next_number(db, "cell")
    db.execute("INSERT INTO cells (id, budget, created_ns, cell, start_ns) VALUES (?, ?, ?, ?, ?)", (number, *key))
    return number


def leased_of(db: sqlite3.Connection, cell: int) -> tuple[int, int]:
    """What is leased of a cell to workers that answer, and to those that do not."""
    leased, doubtful = db.execute(_FIGURES, (cell,)).fetchone()
    return leased, doubtful


def group_of(db: sqlite3.Connection, key: CellKey, since_ns: int) -> list[tuple[int, int]]:
    """(id, spent) of the cells that count together: the one, or those of a window that moves."""
    if since_ns == ONLY_THIS:
        return db.execute(
            "SELECT id, spent FROM cells WHERE budget=? AND created_ns=? AND cell=? AND start_ns=?", key
        ).fetchall()
    return db.execute(
        "SELECT id, spent FROM cells WHERE budget=? AND created_ns=? AND cell=? AND start_ns>?",
        (*key[:3], since_ns),
    ).fetchall()


class _Turn:
    """One exchange: the worker it is for, and the cells as its transaction has seen and changed them."""

    def __init__(self, db: sqlite3.Connection, epoch: str, now_ns: int) -> None:
        self.db = db
        self.epoch = epoch
        self.now_ns = now_ns
        self.numbers: dict[CellKey, int] = {}
        self.groups: dict[tuple[int, int], list[int]] = {}
        self.known: dict[int, Figures] = {}
        self.ready: dict[tuple[str, int], bool] = {}

    def cell(self, part: Part) -> int:
        number = self.numbers.get(part.key)
        if number is None:
            number = self.numbers[part.key] = cell_of(self.db, part.key)
            self.groups.clear()  # the cell may be new, and then counts in a window that was seen without it
        return number

    def group(self, part: Part) -> list[int]:
        at = self.cell(part), part.since_ns
        found = self.groups.get(at)
        if found is None:
            rows = group_of(self.db, part.key, part.since_ns)
            for number, spent in rows:
                if number not in self.known:
                    self.known[number] = Figures(spent, *leased_of(self.db, number))
            found = self.groups[at] = [number for number, _ in rows]
        return found

    def figures(self, part: Part) -> Figures:
        cells = [self.known[number] for number in self.group(part)]
        return cells[0] if len(cells) == 1 else Figures(*(sum(column) for column in zip(*cells, strict=True)))

    def ahead(self, part: Part, seq: int) -> int:
        """What wants older than `seq` (0: all) of anyone will take of the part's cells."""
        total = 0
        for number in self.group(part):
            (nano,) = self.db.execute(
                "SELECT coalesce(sum(nano), 0) FROM wants WHERE cell = ? AND until_ns > ? AND (? = 0 OR seq < ?)",
                (number, self.now_ns, seq, seq),
            ).fetchone()
            total += nano
        return total

    def is_ready(self, part: Part) -> bool:
        budget = part.key[:2]
        found = self.ready.get(budget)
        if found is None:
            row = self.db.execute("SELECT 1 FROM seeded WHERE budget = ? AND created_ns = ?", budget).fetchone()
            found = self.ready[budget] = row is not None
        return found

    def answer(self, ask: Ask) -> Answer:
        seq = self.seq_of(ask.call) if ask.call else 0
        figures = tuple(self.figures(part) for part in ask.parts)
        ahead = [self.ahead(part, seq) for part in ask.parts]
        cells = tuple(self.cell(part) for part in ask.parts)
        unready = next((index for index, part in enumerate(ask.parts) if not self.is_ready(part)), None)
        if unready is not None:
            self.drop(ask.call)
            return Answer("unready", 0, cells, (), unready, figures)
        verdict, nano, at = judge(ask, figures, ahead)
        if verdict == "granted":
            granted = tuple(self.lease(ask, part, nano) for part in ask.parts)
            self.drop(ask.call)
            return Answer("granted", nano, cells, granted, at, tuple(self.figures(part) for part in ask.parts))
        if verdict == "waits" and ask.call:
            self.want(ask, cells, seq)
        elif ask.call:
            self.drop(ask.call)
        return Answer(verdict, 0, cells, (), at, figures)

    def lease(self, ask: Ask, part: Part, nano: int) -> int:
        cell = self.figures(part)
        extra = slice_nano(part, cell, nano, ask.floor_nano) if self.ahead(part, 0) == 0 else 0
        granted = nano + part.debt_nano + extra
        number = self.cell(part)
        if granted:
            self.db.execute(_ADD_LEASE, (number, self.epoch, granted))
            one = self.known[number]
            self.known[number] = Figures(one.spent_nano, *leased_of(self.db, number))
        return granted

    def seq_of(self, call: int) -> int:
        row = self.db.execute("SELECT seq FROM wants WHERE epoch = ? AND call = ?", (self.epoch, call)).fetchone()
        return 0 if row is None else int(row[0])

    def want(self, ask: Ask, cells: Sequence[int], seq: int) -> None:
        if seq:
            self.db.execute(
                "UPDATE wants SET until_ns = ? WHERE epoch = ? AND call = ?", (ask.until_ns, self.epoch, ask.call)
            )
            return
        seq = next_number(self.db, "want")
        self.db.executemany(
            "INSERT OR REPLACE INTO wants (cell, seq, epoch, call, nano, until_ns) VALUES (?, ?, ?, ?, ?, ?)",
            [(cell, seq, self.epoch, ask.call, ask.need_nano, ask.until_ns) for cell in cells],
        )

    def drop(self, call: int) -> None:
        if call:
            self.db.execute("DELETE FROM wants WHERE epoch = ? AND call = ?", (self.epoch, call))


class WorkerCounters:
    """What a worker does with the store."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def exchange(
        self,
        epoch: str,
        returns: Iterable[tuple[int, int]],
        asks: Sequence[Ask],
        gone: Iterable[int],
        until_ns: int,
        now_ns: int,
    ) -> Exchange:
        with self.database.writing() as db:
            state = _renew(db, epoch, until_ns)
            if state == "reaped":
                return Exchange(state, [], frozenset())
            db.executemany(
                "UPDATE leases SET nano = nano - ? WHERE cell = ? AND epoch = ?",
                [(nano, cell, epoch) for cell, nano in returns],
            )
            db.executemany("DELETE FROM wants WHERE epoch = ? AND call = ?", [(epoch, call) for call in gone])
            turn = _Turn(db, epoch, now_ns)
            # Those with a want come first, oldest first: who asks for the first time stands behind them.
            order = sorted(range(len(asks)), key=lambda i: ((turn.seq_of(asks[i].call) or 1 << 62), i))
            answers: list[Answer | None] = [None] * len(asks)
            for index in order:
                answers[index] = turn.answer(asks[index])
            wanted = db.execute(
                "SELECT DISTINCT w.cell FROM wants w JOIN leases l ON l.cell = w.cell AND l.epoch = ? "
                "AND l.nano > 0 WHERE w.epoch <> ? AND w.until_ns > ?",
                (epoch, epoch, now_ns),
            ).fetchall()
        done = [answer for answer in answers if answer is not None]
        return Exchange(state, done, frozenset(cell for (cell,) in wanted))

    def figures(self, wanted: Sequence[tuple[CellKey, int]]) -> list[Figures]:
        def look(db: sqlite3.Connection) -> list[Figures]:
            found = []
            for key, since_ns in wanted:
                cells = [Figures(spent, *leased_of(db, cell)) for cell, spent in group_of(db, key, since_ns)]
                found.append(Figures(*(sum(column) for column in zip(*cells, strict=True))))
            return found

        return self.database.read(look)

    def window(self, key: CellKey, since_ns: int) -> list[tuple[int, int]]:
        rows = self.database.read(
            lambda db: db.execute(
                "SELECT start_ns, spent FROM cells WHERE budget=? AND created_ns=? AND cell=? AND start_ns>? "
                "ORDER BY start_ns",
                (*key[:3], since_ns),
            ).fetchall()
        )
        return [(start_ns, spent) for start_ns, spent in rows]

    def close(self) -> None:
        self.database.close()


def _renew(db: sqlite3.Connection, epoch: str, until_ns: int) -> WorkerState:
    """The worker answers: its leases are good again, unless they have been charged in the meantime."""
    row = db.execute("SELECT state FROM workers WHERE epoch = ?", (epoch,)).fetchone()
    if row is not None and row[0] == "reaped":
        return "reaped"
    db.execute("INSERT OR REPLACE INTO workers (epoch, state, until_ns) VALUES (?, 'live', ?)", (epoch, until_ns))
    return "live"
