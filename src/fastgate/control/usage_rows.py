"""From a finished call to its rows in the usage database, and the numbers of what many calls share.

Numbers are remembered between batches: most calls are of a kind, a thread and a worker that were seen before. Compiled
with types (usage_rows.pxd): every call passes here, on cores that it shares with those that are to be answered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from fastgate._core.tally import Tally
from fastgate.control.usage_schema import KIND, THREAD, counted, sightings
from fastgate.record import Outcome

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
ROWS_AT_ONCE = 50
"""Rows of one INSERT: a third cheaper than a statement each, and more save nothing; SQLite takes 32,766 values."""


class Insert:
    """Puts rows into a table; one that is there already stays as it is."""

    def __init__(self, table: str, names: tuple[str, ...]) -> None:
        one = _insert(table, names)
        values = one.partition(" VALUES ")[2]
        self._one = f"{one} ON CONFLICT DO NOTHING"
        self._many = f"{one}{f', {values}' * (ROWS_AT_ONCE - 1)} ON CONFLICT DO NOTHING"

    def __call__(self, db: sqlite3.Connection, rows: Sequence[Row]) -> None:
        whole = len(rows) - len(rows) % ROWS_AT_ONCE
        for at in range(0, whole, ROWS_AT_ONCE):
            db.execute(self._many, tuple(chain.from_iterable(rows[at : at + ROWS_AT_ONCE])))
        db.executemany(self._one, rows[whole:])


insert_calls = Insert(counted.name, _COLUMNS)
insert_sightings = Insert(sightings.name, ("worker", "number", "n", "mark", "kind", "path"))
_EPOCH, _KIND, _THREAD = _number("epochs", ("name",)), _number("kinds", KIND), _number("threads", THREAD)

_json = msgspec.json.Encoder().encode


class _Kind(msgspec.Struct, array_like=True):
    """What Tally.kind says."""

    org: str
    team: str
    user: str
    key: str
    cost_center: str
    tags: dict[str, str]
    model_asked: str
    model_used: str
    endpoint: str
    provider: str
    outcome: Outcome
    cache: str
    namespace: str


_TWO = b"\x92"
_ALL = bytes([0x90 + len(_Kind.__struct_fields__)])
"""How a MessagePack array of so many values begins."""

_decode_kind = msgspec.msgpack.Decoder(_Kind).decode
_decode_thread = msgspec.msgpack.Decoder(tuple[str, str]).decode


def kind_of(call: Tally) -> _Kind:
    """Whose call it is, and of what kind. MsgspecError: nobody can say."""
    return _decode_kind(_ALL + call.kind)


def session_of(call: Tally) -> str:
    """MsgspecError: nobody can say."""
    return _decode_thread(_TWO + call.thread)[0]


def _texts_of(call: Tally) -> Row:
    """In the order of usage_schema.KIND."""
    kind = kind_of(call)
    return tuple(_json(kind.tags).decode() if name == "tags" else getattr(kind, name) for name in KIND)


class Numbers:
    """The numbers of epochs, kinds and threads in one usage database, made when they are first needed. What is
    remembered holds until a transaction fails, or rows of those tables are deleted, which moves `user_version`."""

    def __init__(self) -> None:
        self._version = -1
        self._known: dict[str, dict[bytes, int]] = {_EPOCH: {}, _KIND: {}, _THREAD: {}}

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

    def epoch(self, db: sqlite3.Connection, name: bytes) -> int:
        return self._known[_EPOCH].get(name) or self._find(db, _EPOCH, name, (name.decode(),))

    def row(self, db: sqlite3.Connection, call: Tally, journal: int) -> Row:
        """The row of a call, in the order of insert_calls. ValueError or MsgspecError: it is none of ours."""
        epochs, kinds, threads = self._known.values()
        return call.row(
            epochs.get(call.worker) or self.epoch(db, call.worker),
            kinds.get(call.kind) or self._find(db, _KIND, call.kind, _texts_of(call)),
            threads.get(call.thread) or self._find(db, _THREAD, call.thread, _decode_thread(_TWO + call.thread)),
            journal,
        )

    def plain_rows(self, found: list[Any], at: int, journal: int, rows: list[Row]) -> int:
        """Add the rows of those from `at` on of which there is nothing else to say and all numbers are known. Where the
        first other one stands; `row` and whoever asks for it know what to do with that."""
        epochs, kinds, threads = self._known.values()
        while at < len(found):
            one = found[at]
            if type(one) is not Tally:
                break
            call = one
            epoch, kind, thread = epochs.get(call.worker), kinds.get(call.kind), threads.get(call.thread)
            if epoch is None or kind is None or thread is None or call.body or call.shown:
                break
            rows.append(call.row(epoch, kind, thread, journal))
            at += 1
        return at

    def _find(self, db: sqlite3.Connection, asked: str, key: bytes, values: Row) -> int:
        known = self._known[asked]
        if len(known) >= REMEMBERED:
            known.clear()
        (number,) = db.execute(asked, values).fetchone()
        known[key] = number
        return int(number)
