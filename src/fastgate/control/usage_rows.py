"""From a finished call to its rows in the usage database, and the numbers of what many calls share.

Numbers are remembered between batches: most calls are of a kind, a thread and a worker that were seen before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from typing import Any

import msgspec

from fastgate.control.usage_schema import KIND, THREAD, counted
from fastgate.journal import Record
from fastgate.journal.format import call_number

REMEMBERED = 65_536
"""Kinds, and threads, whose numbers are remembered: sessions come and go; 30 MB at most."""

Row = tuple[Any, ...]


def _insert(table: str, names: tuple[str, ...]) -> str:
    listed, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({listed}) VALUES ({marks})"  # noqa: S608  # names of our own


def _number(table: str, names: tuple[str, ...]) -> str:
    """Inserts or finds; gives the number either way, for which SQLite must have something to update."""
    listed = ", ".join(f'"{name}"' for name in names)
    return f'{_insert(table, names)} ON CONFLICT ({listed}) DO UPDATE SET "{names[0]}" = "{names[0]}" RETURNING id'


_COLUMNS = (
    "worker", "number", "at_ns", "kind", "thread", "cost_nano", "cost_asked_nano", "saved_nano", "saved_downgrade_nano",
    "saved_arbitration_nano", "input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "cache_read_tokens", "journal", "segment", "offset", "prompt_cache", "broke_nano",
)  # fmt: skip
INSERT_CALL = f"{_insert(counted.name, _COLUMNS)} ON CONFLICT (worker, number) DO NOTHING"
INSERT_SIGHTING = (
    "INSERT INTO sightings (worker, number, n, mark, kind, path) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_EPOCH, _KIND, _THREAD = _number("epochs", ("name",)), _number("kinds", KIND), _number("threads", THREAD)

_json = msgspec.json.Encoder().encode


class Numbers:
    """The numbers of epochs, kinds and threads in one usage database, made when they are first needed. What is
    remembered holds until a transaction fails, or rows of those tables are deleted, which moves `user_version`."""

    def __init__(self) -> None:
        self._version = -1
        self._known: dict[str, dict[Hashable, int]] = {_EPOCH: {}, _KIND: {}, _THREAD: {}}

    def begin(self, db: sqlite3.Connection) -> None:
        """A transaction begins."""
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != self._version:
            self.forget()
            self._version = version

    def forget(self) -> None:
        """A transaction has failed, and its numbers with it."""
        for known in self._known.values():
            known.clear()

    def epoch(self, db: sqlite3.Connection, name: str) -> int:
        known = self._known[_EPOCH]
        return known.get(name) or self._find(db, _EPOCH, name, (name,))

    def row(self, db: sqlite3.Connection, call: Any, journal: int, record: Record) -> Row:
        """The row of a call, in the order of INSERT_CALL but for what the guardian says. ValueError: its id is none."""
        epoch, number = call_number(call.id)
        key = (
            call.org,
            call.team,
            call.user,
            call.key,
            call.cost_center,
            call.model_asked,
            call.model_used,
            call.endpoint,
            call.provider,
            call.outcome,
            *call.tags.items(),
            call.cache,
            call.namespace,
        )
        kind = self._known[_KIND].get(key) or self._find(
            db, _KIND, key, (*key[:10], _json(call.tags).decode(), *key[-2:])
        )
        thread = self._known[_THREAD].get((call.session, call.agent)) or self._find(
            db, _THREAD, (call.session, call.agent), (call.session, call.agent)
        )
        usage = call.usage
        return (
            self._known[_EPOCH].get(epoch) or self._find(db, _EPOCH, epoch, (epoch,)),
            number,
            call.at_ns,
            kind,
            thread,
            call.cost_nano,
            call.cost_asked_nano,
            call.saved_nano,
            call.saved_downgrade_nano,
            call.saved_arbitration_nano,
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            journal,
            record.segment,
            record.offset,
        )

    def _find(self, db: sqlite3.Connection, asked: str, key: Hashable, values: Row) -> int:
        known = self._known[asked]
        if len(known) >= REMEMBERED:
            known.clear()
        (number,) = db.execute(asked, values).fetchone()
        known[key] = number
        return int(number)
