"""Charges finished calls to budgets: the ledger's consumer of the journals, and the end of dead workers' leases.

A record names the cells its money was held on. Budgets that it does not name and that select it are charged too: soft
ones, which hold nothing, and those its worker did not know yet. Charges and the place in the journal move in one
transaction. Owns when; what a charge does is the store's affair, what a budget selects is selection.py's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from fastgate import clock
from fastgate._core.tally import Tally, alike, paid
from fastgate.control.feed import CallFeed, Odd
from fastgate.control.history import History
from fastgate.control.usage_rows import kind_of, session_of
from fastgate.journal import START, Position
from fastgate.journal.format import segment_path, segments_of
from fastgate.log import Log
from fastgate.selection import Match, Selection, step_of
from fastgate.snapshot import BudgetRow, KeyRow
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.ledger_port import CellKey, Charge, Place, WorkerState

BATCH_RECORDS = 2_000
"""Charges of one transaction: about 10 ms during which workers' leases wait."""

KINDS_MAX = 16_384
"""Kinds of calls whose budgets are remembered; sessions come and go."""

HELD_UP_STEPS = 50
"""How long charges wait for the history of a new budget: five seconds, then they go on and it is tried between them."""

FOLLOW_STEPS = 10
"""Where nothing can be charged, the place in the journals is moved once a second."""

DAMAGED = ".damaged"
FLIGHT = ".flight"

log = Log("charging")

INT64_MIN, INT64_MAX = -1 << 63, (1 << 63) - 1

_decode_cells = msgspec.msgpack.Decoder(tuple[Annotated[int, msgspec.Meta(le=INT64_MAX)], ...]).decode
"""As SQLite's integers, which end there; those of a record may be twice as large."""

Extent = tuple[int, int, bool]

Standing = Literal["alive", "frozen", "unreadable", "dead"]
"""alive: as far as anybody knows. frozen: no word for the time of a lease, but its process is there. unreadable: dead,
and the table of its calls in flight is damaged. dead: and what it had in flight is recorded."""


class Unheld:
    """The budgets of one kind of calls that those name no cell of. Its cells are the same from one call to the next,
    until the first of their periods ends."""

    __slots__ = ("_cells", "_from_ns", "_last_ns", "_matches")

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = matches
        self._cells: tuple[CellKey, ...] = ()
        self._from_ns, self._last_ns = (0, -1) if matches else (INT64_MIN, INT64_MAX)

    def at(self, at_ns: int) -> tuple[tuple[CellKey, ...], int, int]:
        """The cells that a call begun at `at_ns` falls into, and the first and last time at which one does."""
        if not self._from_ns <= at_ns <= self._last_ns:
            steps = [step_of(row, at_ns) for row, _ in self._matches]
            self._from_ns = max(INT64_MIN, *(start_ns for start_ns, _ in steps))
            self._last_ns = min(INT64_MAX, *(end_ns - 1 for _, end_ns in steps))
            self._cells = tuple(
                [
                    CellKey(row.id, row.created_ns, cell, start_ns)
                    for (row, cell), (start_ns, _) in zip(self._matches, steps, strict=True)
                ]
            )
        return self._cells, self._from_ns, self._last_ns


class Charging:
    """Brings every journal into the counters. One step at a time, from any thread. `rows` are the budgets in force;
    `changed` collects the cells that were charged since somebody last took it."""

    def __init__(
        self,
        counters: ControlCounters,
        history: History,
        feed: CallFeed,
        flight_dir: Path,
        rows: Callable[[], tuple[BudgetRow, ...]],
    ) -> None:
        self.counters = counters
        self.history = history
        self.changed: set[int] = set()
        self._feed = feed
        self._flight_dir = flight_dir
        self._rows = rows
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._selection = Selection(())
        self._seeded: set[tuple[str, int]] = counters.seeded()
        self._kinds: dict[tuple[bytes, bytes, bytes], tuple[tuple[int, ...], Unheld]] = {}
        self._budget_of: dict[int, tuple[str, int]] = {}
        places = counters.places()
        if not places:
            places = self._begin()
        self._places = {epoch: Position(*place) for epoch, (place, _) in places.items()}
        self._finished = {epoch for epoch, (_, finished) in places.items() if finished}
        self._taken: dict[str, Extent] = {}
        self._leased = True
        self._steps = self._held_up = 0

    def _begin(self) -> dict[str, Any]:
        """Counters that are new: what is recorded already counts as history, which every budget's first step adds."""
        for epoch, position in self.history.places().items():
            self.counters.apply(epoch, _place(position), False, [])
        return self.counters.places()

    # -- charges ----------------------------------------------------------------------------------------------------

    def step(self) -> int:
        """Count the history of new budgets, then charge one batch of every journal with news; how many records."""
        with self._lock:
            self._steps += 1
            if not self._rows() and not self._leased:
                self._follow()
                return 0
            if not self._adopt() and self._held_up < HELD_UP_STEPS:
                self._held_up += 1  # a charge now would only make the usage table's way longer
                return 0
            self._held_up = 0
            return sum(self._take(epoch, extent) for epoch, extent in self._news())

    def catch_up(self) -> bool:
        """Everything that is there now, whatever comes meanwhile; False while something of it is left, because a new
        budget's history is awaited."""
        with self._lock:
            goal = self._news()
        while True:
            moved = self.step()
            with self._lock:
                if all(self._reached(epoch, extent) for epoch, extent in goal):
                    return True
            if not moved:
                return False

    def _reached(self, epoch: str, extent: Extent) -> bool:
        segment, size, is_open = extent
        if epoch in self._finished or self._taken.get(epoch) == extent:
            return True
        return is_open and self._places.get(epoch, START)[:2] >= (segment, size)

    def _follow(self) -> None:
        """No budget, nothing leased: nothing can be charged, and whoever has counted a call already is soon enough."""
        if self._steps % FOLLOW_STEPS:
            return
        for epoch, position in self.history.places().items():
            if epoch not in self._finished and position > self._places.get(epoch, START):
                self.counters.apply(epoch, _place(position), False, [])
                self._places[epoch] = position

    def _adopt(self) -> bool:
        """Take over the budgets in force; whether the history of all is counted."""
        rows = self._rows()
        if rows is not self._selection.rows:
            self._selection = Selection(rows)
            self._kinds.clear()
        for row in self._selection.rows:
            if (row.id, row.created_ns) not in self._seeded:
                self._seed(row)
        return all((row.id, row.created_ns) in self._seeded for row in self._selection.rows)

    def _seed(self, row: BudgetRow) -> None:
        """Count what was spent before the budget was known. Not before the usage table is as far as the charges are:
        what is missing there would never be counted."""
        spent = self.history.before(row, self._places, self._feed.epochs())
        if spent is None:
            return
        self.counters.seed(row.id, row.created_ns, spent)
        self._seeded.add((row.id, row.created_ns))
        self._kinds.clear()
        self.changed.update(cell.id for cell in self.counters.cells(row.id, row.created_ns))
        log.info("budget counts from now on", budget=row.id, cells=len(spent))

    def _news(self) -> list[tuple[str, Extent]]:
        found = []
        for epoch in self._feed.epochs():
            if epoch not in self._finished:
                extent = self._extent(epoch)
                if extent != self._taken.get(epoch):
                    found.append((epoch, extent))
        return found

    def _take(self, epoch: str, extent: Extent) -> int:
        closed = not extent[2]
        position = self._places.get(epoch, START)
        batch = self._feed.calls(epoch, position, BATCH_RECORDS, closed=closed)
        charges = self._charges(batch.found)
        finished = closed and not batch.more and batch.position != START
        if batch.position != position or finished:
            self.changed.update(self.counters.apply(epoch, _place(batch.position), finished, charges))
            self._places[epoch] = batch.position
        if finished:
            self._finished.add(epoch)
            self._taken.pop(epoch, None)
        elif not batch.more:
            self._taken[epoch] = extent
        return len(batch.found)

    def _charges(self, found: list[Tally | Odd]) -> list[Charge]:
        """What the calls of one batch come to, those together that are charged to the same cells."""
        charges: list[Charge] = []
        for one in found:
            if type(one) is Odd and one.why:
                cannot_be_charged([one], one.why)
        for calls in alike(found, self._selection.by_session):
            try:
                epoch, (cells, unheld) = calls[0].worker.decode(), self._kind(calls[0])
            except (ValueError, msgspec.MsgspecError) as error:
                cannot_be_charged(calls, error)
                continue
            while calls:
                try:
                    others, from_ns, last_ns = unheld.at(calls[0].at_ns)
                except (ValueError, OverflowError) as error:  # of a time that no calendar has
                    cannot_be_charged(calls[:1], error)
                    calls = calls[1:]
                    continue
                costs, calls = paid(calls, from_ns, last_ns)
                charges.append(Charge(epoch, cells, others, costs))
        return charges

    def _kind(self, call: Tally) -> tuple[tuple[int, ...], Unheld]:
        """The cells that the call names, and the budgets that select it and that it names no cell of."""
        kind = call.kind, call.cells, call.thread if self._selection.by_session else b""
        found = self._kinds.get(kind)
        if found is None:
            if len(self._kinds) >= KINDS_MAX:
                self._kinds.clear()
            found = self._kinds[kind] = self._look_up(call)
        return found

    def _look_up(self, call: Tally) -> tuple[tuple[int, ...], Unheld]:
        cells = _decode_cells(call.cells)
        of = kind_of(call)
        session = session_of(call) if self._selection.by_session else ""
        who = KeyRow(b"", of.key, of.user, of.team, of.org, of.cost_center, of.tags, (), 0)
        named = {self._budget(cell) for cell in cells}
        return cells, Unheld(
            [
                match
                for match in self._selection.matches(who, of.tags, session, of.model_used)
                if (budget := (match.row.id, match.row.created_ns)) in self._seeded and budget not in named
            ]
        )

    def _budget(self, cell: int) -> tuple[str, int]:
        found = self._budget_of.get(cell)
        if found is None:
            for row in self.counters.cells_named([cell]):
                found = self._budget_of[cell] = row.key[:2]
        return found or ("", 0)

    def _extent(self, epoch: str) -> Extent:
        is_open = self._feed.is_open(epoch)
        segments = segments_of(self._feed.journal_dir, epoch)
        if not segments:
            return 0, 0, True
        return segments[-1], segment_path(self._feed.journal_dir, epoch, segments[-1]).stat().st_size, is_open

    # -- leases of those who do not answer --------------------------------------------------------------------------

    def look_after(self) -> dict[str, int]:
        """Leases that ran out are doubtful; those of workers that are proven dead are free once all of theirs is
        charged: how much of whom. A worker's flight table goes when it has closed it, or when its calls are in a
        journal."""
        with self._looking:
            for epoch in self.counters.expire(clock.boot_ns()):
                log.warning("a worker does not answer; what it has leased stays counted until it does", epoch=epoch)
            workers = self.counters.workers()
            self._leased = bool(workers)
            dead = [epoch for epoch, state in workers.items() if self.standing(epoch, state) == "dead"]
            # After the look: what the recovery has recorded for them is among it.
            if not dead or not self.catch_up():
                return {}
            freed = {}
            for epoch in dead:
                if epoch in self._finished or not segments_of(self._feed.journal_dir, epoch):
                    freed[epoch] = self.counters.release(epoch)
                    log.info("a worker is gone; what it had not spent is free", epoch=epoch, nano=freed[epoch])
            return freed

    def standing(self, epoch: str, state: WorkerState) -> Standing:
        """What is known of a worker that has leased money. Of one whose table could not be read whole nobody knows what
        it has spent, so it is not dead for good before that is charged."""
        flight = self._flight_dir / f"{epoch}{FLIGHT}"
        if flight.exists() or self._feed.is_open(epoch):
            return "frozen" if state == "doubtful" else "alive"
        if state != "reaped" and flight.with_suffix(DAMAGED).exists():
            return "unreadable"
        return "dead"

    def charge_whole(self, epoch: str) -> int:
        """Charges all that a worker has leased, because nobody can say what of it is spent; how much."""
        with self._lock:
            self.changed.update(self.counters.leased(epoch))
            return self.counters.reap(epoch)

    def take_changed(self) -> set[int]:
        """The cells that were charged since the last time."""
        with self._lock:
            changed, self.changed = self.changed, set()
        return changed

    def positions(self) -> dict[str, Position]:
        """How far each journal is charged: this consumer's say in what of it may be deleted."""
        return dict(self._places)

    def keep_house(self) -> None:
        """What is long charged is forgotten."""
        # A record of a dead worker's calls may still come while its flight table is there.
        tables = {path.name.partition(".")[0] for path in self._flight_dir.glob("*.*")}
        left = set(self._feed.epochs())
        gone: Sequence[str] = [epoch for epoch in self._finished if epoch not in left]
        with self._lock:
            self.counters.forget_journals(gone)
            for epoch in gone:
                self._finished.discard(epoch)
                self._places.pop(epoch, None)
            self.counters.forget_seen(left | tables)


def _place(position: Position) -> Place:
    return position.segment, position.offset, position.sequence


def cannot_be_charged(calls: Sequence[Tally | Odd], why: object) -> None:
    for call in calls:
        log.error("a record cannot be charged", sequence=call.sequence, why=str(why))
