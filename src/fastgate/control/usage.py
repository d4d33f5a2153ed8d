"""The usage table: every finished call, counted exactly once, in its own SQLite file.

Owns what is stored of the journal and how far it is read: rows and offsets move in one transaction, and a call is known
by its id, so neither a restart nor a record that is there twice counts twice. Whole records stay in the journal, which
lies beside the database; a row knows the place. Questions are answered by usage_queries;
when to look at the journal is ingest's affair.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import Connection, Engine, delete, event, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from fastgate import clock
from fastgate.bulk import burst
from fastgate.control import usage_queries as queries
from fastgate.control.feed import CallFeed, Found
from fastgate.control.sightings import Seen, find, sighting_rows
from fastgate.control.usage_queries import Filters, SpendRow
from fastgate.control.usage_schema import HEAD, calls, damage, offsets, sightings
from fastgate.journal import START, Damage, Position, Record
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

_INT64 = range(-(1 << 63), 1 << 63)

_COLUMNS = (
    "id", "at_ns", "org", "team", "user", "key", "cost_center", "session", "agent", "model_asked", "model_used",
    "endpoint", "provider", "outcome", "tags", "cost_nano", "cost_asked_nano", "saved_nano", "input_tokens",
    "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "epoch", "segment",
    "offset", "cache", "namespace", "saved_downgrade_nano", "saved_arbitration_nano", "prompt_cache", "broke_nano",
)  # fmt: skip
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_MARKS = ", ".join("?" * len(_COLUMNS))
_INSERT_CALL = f"INSERT INTO calls ({_NAMES}) VALUES ({_MARKS}) ON CONFLICT (id) DO NOTHING"  # noqa: S608

_INSERT_SIGHTING = "INSERT INTO sightings (call, n, mark, kind, path) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"

_decode = msgspec.msgpack.Decoder(CallRecord).decode
_json = msgspec.json.Encoder().encode

Row = tuple[Any, ...]


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
        closed = not feed.is_open(epoch)
        with burst(), writing(self.engine) as connection:
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

    def _insert(self, connection: Connection, epoch: str, found: Sequence[Found]) -> list[Damage]:
        """Insert the calls among `found`; returns the records that no call can be made of."""
        rows: list[Row] = []
        seen: list[Row] = []
        sources: list[Record] = []
        broken: list[Damage] = []
        for record, call, why in found:
            if call is not None:
                rows.append((*_row(call, epoch, record), *self._judged(call)))
                if call.sightings:
                    seen += sighting_rows(call.id, call.sightings)
                sources.append(record)
            elif why:
                broken.append(_unusable(self.journal_dir, epoch, record, why))
        if seen:
            connection.exec_driver_sql(_INSERT_SIGHTING, seen)
        try:
            _store(connection, rows)
        except (
            OverflowError
        ):  # no worker writes that; to look at every figure beforehand would cost as much as the rest
            fits = [all(type(value) is not int or value in _INT64 for value in row) for row in rows]
            _store(connection, list(compress(rows, fits)))
            for record, good in zip(sources, fits, strict=True):
                if not good:
                    broken.append(_unusable(self.journal_dir, epoch, record, "a figure is beyond 64 bits"))
        return broken

    def _judged(self, call: Any) -> tuple[str | None, int]:
        """The columns that the guardian fills."""
        judgement = self.guardian.judge(call) if self.guardian is not None and call.prefix else None
        if judgement is None or judgement.expected_read is None:
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
                old = select(calls.c.id).where(calls.c.at_ns < before_ns).order_by(calls.c.at_ns, calls.c.id)
                page = old.limit(PRUNE_ROWS)
                connection.execute(delete(sightings).where(sightings.c.call.in_(page)))
                deleted = connection.execute(delete(calls).where(calls.c.id.in_(page))).rowcount
            pruned += deleted
            if deleted < PRUNE_ROWS:
                return pruned

    # -- questions --------------------------------------------------------------------------------------------------

    def call(self, call_id: str) -> CallRecord | None:
        """One call by its id."""
        with reading(self.engine) as connection:
            where = select(calls.c.epoch, calls.c.segment, calls.c.offset).where(calls.c.id == call_id)
            place = connection.execute(where).one_or_none()
        return None if place is None else self._record(*place)

    def judgements(self, call_ids: Sequence[str]) -> dict[str, str]:
        """What the guardian said of these calls, as the JSON of record.Judgement; nothing of many."""
        asked = select(calls.c.id, calls.c.prompt_cache).where(
            calls.c.id.in_(call_ids), calls.c.prompt_cache.is_not(None)
        )
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
            return connection.scalar(select(func.count()).select_from(calls)) or 0


def _tune(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in (
        "synchronous = NORMAL",  # what a power cut undoes, rows and offsets alike, the journal gives again
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _offset(connection: Connection, epoch: str) -> tuple[Position, bool]:
    row = connection.execute(select(offsets).where(offsets.c.epoch == epoch)).one_or_none()
    if row is None:
        return START, False
    return Position(row.segment, row.offset, row.sequence), bool(row.finished)


def _set_offset(connection: Connection, epoch: str, position: Position, finished: bool) -> None:
    values = {**position._asdict(), "finished": int(finished)}
    connection.execute(
        upsert(offsets).values(epoch=epoch, **values).on_conflict_do_update(index_elements=["epoch"], set_=values)
    )


def _store(connection: Connection, rows: Sequence[Row]) -> None:
    if rows:
        connection.exec_driver_sql(_INSERT_CALL, list(rows))


def _unusable(journal_dir: Path, epoch: str, record: Record, why: str) -> Damage:
    path = segment_path(journal_dir, epoch, record.segment)
    reason = f"record {record.sequence} is no call that can be counted: {why}"
    return Damage(path, record.segment, record.offset, reason)


def _row(call: Any, epoch: str, record: Record) -> Row:
    """The columns of `calls`, in the order of _COLUMNS and but for those of the guardian."""
    usage = call.usage
    return (
        call.id,
        call.at_ns,
        call.org,
        call.team,
        call.user,
        call.key,
        call.cost_center,
        call.session,
        call.agent,
        call.model_asked,
        call.model_used,
        call.endpoint,
        call.provider,
        call.outcome,
        _json(call.tags).decode() if call.tags else None,
        call.cost_nano,
        call.cost_asked_nano,
        call.saved_nano,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        epoch,
        record.segment,
        record.offset,
        call.cache,
        call.namespace,
        call.saved_downgrade_nano,
        call.saved_arbitration_nano,
    )


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
