"""What the control plane does with `counters.sqlite`: charge what the journals say, expire and free leases, look.

Charges and the journal's offset move in one transaction, and a call is known by its worker and number, so nothing is
charged twice, whenever this process dies. Time alone frees nothing: leases end by being charged, given back, or with
the proof of their worker's death.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from fastgate._core.tally import charge_once
from fastgate.stores.counters import PAGE_CALLS, Database, WorkerCounters, cell_of, leased_of
from fastgate.stores.ledger_port import CellKey, CellRow, Charge, Figures, Place, WorkerState

SEEN_KEPT = 250_000
"""Calls of one worker that are remembered as charged. A record is there twice only when its journal could not be
written at first: then a few thousand calls apart; 0.3 MB a worker."""

_MEMBERS = """
SELECT c.cell, sum(c.spent) AS spent, coalesce(sum((
    SELECT sum(max(l.nano, 0)) FROM leases l JOIN workers w ON w.epoch = l.epoch
    WHERE l.cell = c.id AND w.state <> 'reaped'
)), 0)
FROM cells c WHERE c.budget = ? AND c.created_ns = ? AND c.start_ns > ?
GROUP BY c.cell ORDER BY spent DESC, c.cell LIMIT ?
"""

_CHARGE_LEASE = (
    "INSERT INTO leases (cell, epoch, nano) VALUES (?, ?, ?) "
    "ON CONFLICT (cell, epoch) DO UPDATE SET nano = nano + excluded.nano"
)


class ControlCounters(WorkerCounters):
    """All of fastgate.stores.ledger_port.LedgerStore on one file."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)

    # -- the journal's consumer -------------------------------------------------------------------------------------

    def places(self) -> dict[str, tuple[Place, bool]]:
        rows = self.database.read(
            lambda db: db.execute("SELECT epoch, segment, offset, sequence, finished FROM offsets").fetchall()
        )
        return {epoch: ((segment, offset, sequence), bool(done)) for epoch, segment, offset, sequence, done in rows}

    def apply(self, epoch: str, place: Place, finished: bool, charges: Sequence[Charge]) -> list[int]:
        changed: dict[int, int] = {}
        with self.database.writing() as db:
            # Calls of one worker mostly fall into the same cells: what is moved is summed up first.
            taken: dict[tuple[str, int], int] = {}
            added: dict[CellKey, int] = {}
            charged = _Charged(db)
            for charge in charges:
                nano = charged.take(charge) if charge.cells or charge.others else 0
                for cell in charge.cells if nano else ():
                    taken[charge.epoch, cell] = taken.get((charge.epoch, cell), 0) + nano
                for key in charge.others if nano else ():
                    added[key] = added.get(key, 0) + nano
            charged.write()
            for (of, cell), nano in taken.items():
                changed[cell] = changed.get(cell, 0) + _take_from_lease(db, of, cell, nano)
            for key, nano in added.items():
                cell = cell_of(db, key)
                changed[cell] = changed.get(cell, 0) + nano
            db.executemany(
                "UPDATE cells SET spent = spent + ? WHERE id = ?", [(nano, cell) for cell, nano in changed.items()]
            )
            db.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?, ?)", (epoch, *place, int(finished)))
        return list(changed)

    def seeded(self) -> set[tuple[str, int]]:
        return set(self.database.read(lambda db: db.execute("SELECT budget, created_ns FROM seeded").fetchall()))

    def seed(self, budget: str, created_ns: int, spent: Sequence[tuple[CellKey, int]]) -> None:
        with self.database.writing() as db:
            new = db.execute("INSERT OR IGNORE INTO seeded VALUES (?, ?)", (budget, created_ns))
            if not new.rowcount:
                return
            for key, nano in spent:
                db.execute("UPDATE cells SET spent = spent + ? WHERE id = ?", (nano, cell_of(db, key)))

    # -- those who do not answer ------------------------------------------------------------------------------------

    def workers(self) -> dict[str, WorkerState]:
        return dict(self.database.read(lambda db: db.execute("SELECT epoch, state FROM workers").fetchall()))

    def leased(self, epoch: str) -> dict[int, int]:
        return dict(
            self.database.read(
                lambda db: db.execute("SELECT cell, nano FROM leases WHERE epoch = ? AND nano > 0", (epoch,)).fetchall()
            )
        )

    def expire(self, now_ns: int) -> list[str]:
        with self.database.writing() as db:
            db.execute("DELETE FROM wants WHERE until_ns <= ?", (now_ns,))
            late = db.execute(
                "UPDATE workers SET state = 'doubtful' WHERE state = 'live' AND until_ns <= ? RETURNING epoch",
                (now_ns,),
            ).fetchall()
        return [epoch for (epoch,) in late]

    def release(self, epoch: str) -> int:
        with self.database.writing() as db:
            (freed,) = db.execute(
                "SELECT coalesce(sum(max(nano, 0)), 0) FROM leases WHERE epoch = ?", (epoch,)
            ).fetchone()
            for table in ("leases", "wants", "workers", "seen"):
                db.execute(f"DELETE FROM {table} WHERE epoch = ?", (epoch,))  # noqa: S608  # four names of our own
        return int(freed)

    def reap(self, epoch: str) -> int:
        with self.database.writing() as db:
            row = db.execute("SELECT state FROM workers WHERE epoch = ?", (epoch,)).fetchone()
            if row is None or row[0] == "reaped":
                return 0
            leases = db.execute("SELECT nano, cell FROM leases WHERE epoch = ? AND nano > 0", (epoch,)).fetchall()
            db.executemany("UPDATE cells SET spent = spent + ? WHERE id = ?", leases)
            db.execute("UPDATE workers SET state = 'reaped' WHERE epoch = ?", (epoch,))
            db.execute("DELETE FROM wants WHERE epoch = ?", (epoch,))
        return sum(nano for nano, _ in leases)

    def forget_seen(self, known: Collection[str]) -> None:
        """Housekeeping: of workers that live long, what is far behind; of those that are neither among `known` nor have
        a lease or a place in a journal, all."""
        with self.database.writing() as db:
            left = db.execute(
                "SELECT DISTINCT epoch FROM seen WHERE epoch NOT IN (SELECT epoch FROM offsets) "
                "AND epoch NOT IN (SELECT epoch FROM workers)"
            ).fetchall()
            gone = [(epoch,) for (epoch,) in left if epoch not in known]
            db.executemany("DELETE FROM seen WHERE epoch = ?", gone)
            for epoch, newest in db.execute("SELECT epoch, max(page) FROM seen GROUP BY epoch").fetchall():
                db.execute("DELETE FROM seen WHERE epoch = ? AND page < ?", (epoch, newest - SEEN_KEPT // PAGE_CALLS))

    def forget_journals(self, epochs: Iterable[str]) -> None:
        """Housekeeping: the offsets of journals that are deleted."""
        with self.database.writing() as db:
            db.executemany("DELETE FROM offsets WHERE epoch = ?", [(epoch,) for epoch in epochs])

    # -- views ------------------------------------------------------------------------------------------------------

    def cells(self, budget: str, created_ns: int) -> list[CellRow]:
        def look(db: sqlite3.Connection) -> list[CellRow]:
            rows = db.execute(
                "SELECT id, budget, created_ns, cell, start_ns, spent FROM cells "
                "WHERE budget = ? AND created_ns = ? ORDER BY cell, start_ns",
                (budget, created_ns),
            ).fetchall()
            return [_cell_row(db, row) for row in rows]

        return self.database.read(look)

    def members(self, budget: str, created_ns: int, since_ns: int, limit: int) -> list[tuple[str, Figures]]:
        rows = self.database.read(lambda db: db.execute(_MEMBERS, (budget, created_ns, since_ns, limit)).fetchall())
        return [(cell, Figures(spent, leased)) for cell, spent, leased in rows]

    def cells_named(self, numbers: Iterable[int]) -> list[CellRow]:
        """The cells with these numbers, as far as they exist."""

        def look(db: sqlite3.Connection) -> list[CellRow]:
            found = []
            for number in numbers:
                row = db.execute(
                    "SELECT id, budget, created_ns, cell, start_ns, spent FROM cells WHERE id = ?", (number,)
                ).fetchone()
                if row is not None:
                    found.append(_cell_row(db, row))
            return found

        return self.database.read(look)


class _Charged:
    """Which calls are charged: pages of the table `seen`, as one transaction has read and marked them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._pages: dict[tuple[str, int], bytearray] = {}

    def take(self, charge: Charge) -> int:
        """What the calls come to that were not charged before; from now on they are."""
        return charge_once(charge.calls, PAGE_CALLS, partial(self._page, charge.epoch))

    def _page(self, epoch: str, at: int) -> bytearray:
        page = self._pages.get((epoch, at))
        if page is None:
            asked = "SELECT calls FROM seen WHERE epoch = ? AND page = ?"
            row = self._db.execute(asked, (epoch, at)).fetchone()
            page = self._pages[epoch, at] = bytearray(PAGE_CALLS if row is None else row[0])
        return page

    def write(self) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", [(*of, bytes(page)) for of, page in self._pages.items()]
        )


def _take_from_lease(db: sqlite3.Connection, epoch: str, cell: int, cost_nano: int) -> int:
    """Take a charge out of what its worker had leased of the cell; what of it is to be added to what is spent there:
    all, unless the lease was charged whole before."""
    row = db.execute("SELECT state FROM workers WHERE epoch = ?", (epoch,)).fetchone()
    if row is None:
        return cost_nano
    if row[0] != "reaped":
        db.execute(_CHARGE_LEASE, (cell, epoch, -cost_nano))
        return cost_nano
    lease = db.execute("SELECT nano FROM leases WHERE cell = ? AND epoch = ?", (cell, epoch)).fetchone()
    charged = min(cost_nano, max(0, lease[0])) if lease is not None else 0
    if charged:
        db.execute("UPDATE leases SET nano = nano - ? WHERE cell = ? AND epoch = ?", (charged, cell, epoch))
    return cost_nano - charged


def _cell_row(db: sqlite3.Connection, row: tuple[int, str, int, str, int, int]) -> CellRow:
    number, budget, created_ns, cell, start_ns, spent = row
    return CellRow(number, CellKey(budget, created_ns, cell, start_ns), Figures(spent, *leased_of(db, number)))
