"""The usage table: every finished call, counted exactly once, in its own SQLite file.

Owns what is stored of the journal and how far it is read: rows and offsets move in one transaction, and a call is known
by its id, so neither a restart nor a record that is there twice counts twice. Whole records stay in the journal, which
lies beside the database; a row knows the place. Questions are answered by usage_queries;
when to look at the journal is ingest's affair.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import msgspec
from sqlalchemy import Connection, Engine, delete, event, false, func, insert, or_, select, tuple_

from fastgate import clock
from fastgate._core.tally import Tally
from fastgate.bulk import burst
from fastgate.control import usage_queries as queries
from fastgate.control.feed import CallFeed, Odd, decode
from fastgate.control.sightings import Seen, find, sighting_rows
from fastgate.control.usage_queries import Filters, SpendRow
from fastgate.control.usage_rows import Numbers, Row, insert_calls, insert_sightings
from fastgate.control.usage_schema import HEAD, calls, counted, damage, epochs, kinds, offsets, sightings, threads
from fastgate.journal import START, Damage, Position
from fastgate.journal.format import segment_path
from fastgate.journal.reader import BATCH_RECORDS, body_at
from fastgate.journal.view import call_view
from fastgate.record import CallRecord, Judgement
from fastgate.stores.engine import migrate, open_engine, reading, writing

__all__ = ["CallRecord", "Filters", "SpendRow", "Taken", "UsageTable", "call_view"]

log = logging.getLogger("fastgate.usage")

RETENTION_DAYS = 400
"""A year and the month in which it is reported; `journal.retention_days` in the configuration."""

PRUNE_ROWS = 5_000
"""Rows deleted in one transaction: about 100 ms during which calls wait to be counted, and nothing else waits."""

CACHE_KIB = 32 * 1024
"""Pages in memory: with SQLite's 2 MiB the indexes of a busy day are read again for every batch."""

CHECKPOINT_PAGES = 8_000
"""Pages of 4 KiB in the write-ahead log before it is copied back: about three batches."""

DAY_NS = 24 * 3600 * 1_000_000_000

_decode = msgspec.msgpack.Decoder(CallRecord).decode
_json = msgspec.json.Encoder().encode


class Judge(Protocol):
    """Says of each call, in the journal's order, how it used the prompt cache: prompt_cache.Guardian."""

    def judge(self, call: Any) -> Judgement | None: ...


class Taken(NamedTuple):
    """What one step took from the journal: how many records, and damage not known before. `more`: the next step finds
    something at once. `finished`: the epoch is counted to its end."""

    records: int
    damage: list[Damage]
    more: bool
    finished: bool


class UsageTable:
    """The database at `path`, made and migrated if need be. Raises StoreError for what the disk cannot do. `guardian`
    judges each call's use of the prompt cache as it is counted."""

    def __init__(self, path: Path, guardian: Judge | None = None) -> None:
        self.path = path
        self.guardian = guardian
        self.journal_dir = path.with_name("journal")
        self.engine: Engine = open_engine(path)
        self._numbers = Numbers()
        event.listen(self.engine, "connect", _tune)
        try:
            migrate(self.engine, scripts="fastgate.control:migrations_usage", head=HEAD)
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        self.engine.dispose()

    # -- from the journal -------------------------------------------------------------------------------------------

    def take(self, feed: CallFeed, epoch: str, max_records: int = BATCH_RECORDS) -> Taken:
        """Count the calls of one epoch that are not counted yet, at most `max_records` of them, in one transaction."""
        return self.take_together(feed, [epoch], max_records)[epoch]

    def take_together(
        self, feed: CallFeed, epochs: Sequence[str], max_records: int = BATCH_RECORDS
    ) -> dict[str, Taken]:
        """The same of several, as far as one transaction may grow: of the first at least, of each at most
        `max_records`."""
        taken: dict[str, Taken] = {}
        with self._counting() as connection:
            for epoch in epochs:
                taken[epoch] = self._take(connection, feed, epoch, max_records)
                if sum(each.records for each in taken.values()) >= max_records:
                    break
        return taken

    def _take(self, connection: Connection, feed: CallFeed, epoch: str, max_records: int) -> Taken:
        closed = not feed.is_open(epoch)
        position, finished = _offset(connection, epoch)
        if finished:
            return Taken(0, [], False, True)
        batch = feed.calls(epoch, position, max_records, closed=closed)
        broken = self._insert(connection, epoch, batch.found)
        found = _note_damage(connection, epoch, [*batch.damage, *broken])
        # A folder without a segment says nothing: its writer may be about to make the first.
        finished = closed and not batch.more and batch.position != START
        if batch.position != position or finished:
            _set_offset(connection, epoch, batch.position, finished)
        return Taken(len(batch.found), found, batch.more, finished)

    @contextmanager
    def _counting(self) -> Iterator[Connection]:
        """A transaction that inserts calls; the numbers it has made are forgotten where it fails."""
        try:
            with burst(), writing(self.engine) as connection:
                self._numbers.begin(_driver(connection))
                yield connection
        except BaseException:
            self._numbers.forget()
            raise

    def _insert(self, connection: Connection, epoch: str, found: list[Tally | Odd]) -> list[Damage]:
        """Insert the calls among `found`; returns the records that no call can be made of."""
        rows: list[Row] = []
        seen: list[Row] = []
        broken: list[Damage] = []
        db, numbers = _driver(connection), self._numbers
        journal = numbers.epoch(db, epoch.encode()) if found else 0
        at = 0
        while (at := numbers.plain_rows(found, at, journal, rows)) < len(found):
            call = found[at]
            at += 1
            if isinstance(call, Odd):
                if call.why:
                    broken.append(_unusable(self.journal_dir, epoch, call, call.why))
                continue
            try:
                row = numbers.row(db, call, journal)
                if call.body:
                    row = (*row[:-2], *self._judged(decode(call.body)))
                if call.shown:
                    seen += sighting_rows(row[0], row[1], call.shown)
            except (ValueError, msgspec.MsgspecError) as error:
                broken.append(_unusable(self.journal_dir, epoch, call, str(error)))
                continue
            rows.append(row)
        insert_sightings(db, seen)
        _store(connection, rows)
        return broken

    def _judged(self, call: Any) -> tuple[str | None, int]:
        """The columns that the guardian fills."""
        judgement = self.guardian.judge(call) if self.guardian is not None and call.prefix else None
        if call.placed is not None and call.usage_state != "none":  # and it was sent
            judgement = msgspec.structs.replace(judgement or Judgement(), placed_nano=call.placed.expected_nano)
        elif judgement is None or judgement.expected_read is None:
            return None, 0
        return _json(judgement).decode(), judgement.broke.cost_nano if judgement.broke is not None else 0

    def positions(self) -> dict[str, Position]:
        """How far each epoch is counted: this consumer's say in what of the journal may be deleted."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(offsets)).all()
        return {row.epoch: Position(row.segment, row.offset, row.sequence) for row in rows}

    def finished_epochs(self) -> set[str]:
        """Epochs that are counted to their end and cannot grow."""
        with reading(self.engine) as connection:
            return set(connection.scalars(select(offsets.c.epoch).where(offsets.c.finished == 1)))

    def forget_epochs(self, epochs: Iterable[str]) -> None:
        """Drop the offsets of epochs whose journal is deleted."""
        gone = [{"gone": epoch} for epoch in epochs]
        if gone:
            with writing(self.engine) as connection:
                connection.exec_driver_sql("DELETE FROM offsets WHERE epoch = :gone", gone)

    def damages(self) -> list[tuple[str, Position, str]]:
        """What could not be read, as (epoch, place, reason)."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(damage).order_by(damage.c.epoch, damage.c.segment, damage.c.offset)).all()
        return [(row.epoch, Position(row.segment, row.offset, 0), row.reason) for row in rows]

    def prune(self, now_ns: int, retention_days: int = RETENTION_DAYS) -> int:
        """Delete calls older than `retention_days`; returns how many. In small transactions: ingest goes on between."""
        before_ns = now_ns - retention_days * DAY_NS
        pruned = 0
        while True:
            with writing(self.engine) as connection:
                oldest = (counted.c.at_ns, counted.c.seq)
                page = select(counted).where(counted.c.at_ns < before_ns).order_by(*oldest).limit(PRUNE_ROWS)
                seen_in = tuple_(sightings.c.worker, sightings.c.number)
                named = page.with_only_columns(counted.c.worker, counted.c.number)
                connection.execute(delete(sightings).where(seen_in.in_(named)))
                gone = counted.c.seq.in_(page.with_only_columns(counted.c.seq))
                deleted = connection.execute(delete(counted).where(gone)).rowcount
            pruned += deleted
            if deleted < PRUNE_ROWS:
                break
        if pruned:
            self._forget_unused()
        return pruned

    def _forget_unused(self) -> None:
        """Epochs, kinds and threads that no call has any more. Whoever remembers their numbers sees that the version
        moves."""
        with reading(self.engine) as connection:  # the whole table is looked through, so nobody may wait for it
            over = queries.epochs_over(connection)
        with writing(self.engine) as connection:
            connection.execute(delete(epochs).where(epochs.c.id.in_(over), queries.TOOK_NOTHING))
            for table, used in ((kinds, counted.c.kind), (threads, counted.c.thread)):
                connection.execute(delete(table).where(~select(counted.c.seq).where(used == table.c.id).exists()))
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            connection.exec_driver_sql(f"PRAGMA user_version = {version + 1}")

    # -- questions --------------------------------------------------------------------------------------------------

    def call(self, call_id: str) -> CallRecord | None:
        """One call by its id."""
        try:
            named = queries.named(call_id)
        except ValueError:
            return None
        asked = calls.ask(select(calls.c.epoch, calls.c.segment, calls.c.offset).where(named))
        with reading(self.engine) as connection:
            place = connection.execute(asked).one_or_none()
        return None if place is None else self._record(*place)

    def judgements(self, call_ids: Sequence[str]) -> dict[str, str]:
        """What the guardian said of these calls, as the JSON of record.Judgement; nothing of many."""
        named = or_(false(), *(queries.named(call_id) for call_id in call_ids))
        asked = calls.ask(select(calls.c.id, calls.c.prompt_cache).where(named, calls.c.prompt_cache.is_not(None)))
        with reading(self.engine) as connection:
            return {row.id: row.prompt_cache for row in connection.execute(asked)}

    def calls(
        self, filters: Filters | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[CallRecord], str | None]:
        """Calls, newest first, and the cursor of the next page or None. ValueError: not a cursor, or a bad limit."""
        with reading(self.engine) as connection:
            page, following = queries.page(connection, filters or Filters(), limit, cursor)
        found = (self._record(*place) for place in page)
        return [record for record in found if record is not None], following

    def _record(self, epoch: str, segment: int, offset: int) -> CallRecord | None:
        """The whole record at a place of the journal. What is damaged or gone there is told and left out."""
        body = body_at(self.journal_dir, epoch, segment, offset)
        if body is None:
            path = segment_path(self.journal_dir, epoch, segment)
            log.error("a counted call cannot be shown: its record at byte %d of %s is gone or damaged", offset, path)
            return None
        return _decode(body)

    def seen(self, mark: bytes | None, path: str, limit: int, cursor: str | None) -> tuple[list[Seen], str | None]:
        """Where a text was new, newest first: by its mark, or by a file's path (whole, or from a `/` on)."""
        with reading(self.engine) as connection:
            return find(connection, mark, path, limit, cursor)

    def spend(self, by: Sequence[str], filters: Filters | None = None) -> list[SpendRow]:
        """Sums per group, dearest first; with `by` empty one row of everything. ValueError: no such dimension."""
        with reading(self.engine) as connection:
            return queries.spend(connection, by, filters or Filters())

    def count(self) -> int:
        """How many calls are stored."""
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(counted)) or 0


def _tune(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in (
        "synchronous = NORMAL",  # what a power cut undoes, rows and offsets alike, the journal gives again
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _offset(connection: Connection, epoch: str) -> tuple[Position, bool]:
    asked = "SELECT segment, offset, sequence, finished FROM offsets WHERE epoch = ?"
    row = _driver(connection).execute(asked, (epoch,)).fetchone()
    return (START, False) if row is None else (Position(*row[:3]), bool(row[3]))


def _set_offset(connection: Connection, epoch: str, position: Position, finished: bool) -> None:
    row = (epoch, *position, int(finished))
    _driver(connection).execute("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?, ?)", row)


def _store(connection: Connection, rows: Sequence[Row]) -> None:
    insert_calls(_driver(connection), rows)


def _driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection, for what is done in every batch: SQLAlchemy's way would cost as much as SQLite's."""
    driver: Any = connection.connection.driver_connection
    return cast("sqlite3.Connection", driver)


def _unusable(journal_dir: Path, epoch: str, of: Tally | Odd, why: str) -> Damage:
    path = segment_path(journal_dir, epoch, of.segment)
    return Damage(path, of.segment, of.offset, f"record {of.sequence} is no call that can be counted: {why}")


def _note_damage(connection: Connection, epoch: str, found: Sequence[Damage]) -> list[Damage]:
    """Keep what is damaged; returns what was not known before."""
    now_ns = clock.wall_ns()
    fresh: list[Damage] = []
    for one in found:
        values = {"segment": one.segment, "offset": one.offset, "reason": one.reason, "found_ns": now_ns}
        done = connection.execute(insert(damage).prefix_with("OR IGNORE").values(epoch=epoch, **values))
        if done.rowcount:
            fresh.append(one)
    return fresh
