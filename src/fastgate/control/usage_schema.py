"""The usage database's tables as the newest migration leaves them (a test holds the two together), and `calls`, which
puts a finished call together again.

A row of `counted` is a call in numbers, and where in the journal its whole record stands. What many calls share is
written once and named by a number: the worker and the journal, the kind of call, the thread of a session. So a row and
its indexes are a third of what they were with the texts in them, and so is what counting a call costs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    literal,
    text,
)

from fastgate.journal.format import CALL_ID_PREFIX

HEAD = "u0007"
"""The newest revision under migrations_usage/versions; a test compares."""

metadata = MetaData()

KIND = (
    "org", "team", "user", "key", "cost_center", "model_asked", "model_used", "endpoint", "provider", "outcome",
    "tags", "cache", "namespace",
)  # fmt: skip
"""What makes a kind. `tags` is JSON, in the order in which the call had them."""

THREAD = ("session", "agent")

epochs = Table(
    "epochs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
"""Lives of workers: of the one that took a call, and of the one whose journal has the record (after a death another).
"""

kinds = Table(
    "kinds",
    metadata,
    Column("id", Integer, primary_key=True),
    *(Column(name, Text, nullable=False) for name in KIND),
    Index("kinds_once", *KIND, unique=True),
)

threads = Table(
    "threads",
    metadata,
    Column("id", Integer, primary_key=True),
    *(Column(name, Text, nullable=False) for name in THREAD),
    Index("threads_once", *THREAD, unique=True),
)

counted = Table(
    "counted",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("worker", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("thread", Integer, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    Column("cost_asked_nano", BigInteger, nullable=False),
    Column("saved_nano", BigInteger, nullable=False),
    Column("saved_downgrade_nano", BigInteger, nullable=False),
    Column("saved_arbitration_nano", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_write_5m_tokens", BigInteger, nullable=False),
    Column("cache_write_1h_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("journal", Integer, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("prompt_cache", Text),
    Column("broke_nano", BigInteger, nullable=False),
    Index("counted_once", "worker", "number", unique=True),
    Index("counted_time", "at_ns"),
    Index("counted_kind", "kind", "at_ns"),
    Index("counted_thread", "thread"),
    Index("counted_broke", "seq", sqlite_where=text("broke_nano > 0")),
)

sightings = Table(
    "sightings",
    metadata,
    Column("worker", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("mark", LargeBinary, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Index("sightings_mark", "mark"),
    Index("sightings_path", "path", sqlite_where=text("path != ''")),
    sqlite_with_rowid=False,
)
"""Texts that were new in a call (record.Sighting), a row for each mark; deleted with their call."""

offsets = Table(
    "offsets",
    metadata,
    Column("epoch", Text, primary_key=True),
    Column("segment", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("finished", Integer, nullable=False),
)
"""How far each epoch of the journal is counted; written in the transaction that inserts the calls. `finished`: its
writer is gone and everything has been read."""

damage = Table(
    "damage",
    metadata,
    Column("epoch", Text, primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("found_ns", BigInteger, nullable=False),
)
"""What of the journal could not be read, by file and place."""

workers, journals = epochs.alias("workers"), epochs.alias("journals")

_JOINS = (
    (kinds, kinds.c.id == counted.c.kind),
    (threads, threads.c.id == counted.c.thread),
    (workers, workers.c.id == counted.c.worker),
    (journals, journals.c.id == counted.c.journal),
)

_ID = literal(CALL_ID_PREFIX, literal_execute=True).concat(workers.c.name).concat("-").concat(counted.c.number)


class Columns(dict[str, ColumnElement[Any]]):
    """Columns by their names, as attributes or as keys."""

    def __getattr__(self, name: str) -> ColumnElement[Any]:
        return self[name]


class Calls:
    """Finished calls, wherever their parts stand: `c` has their columns, as a table's does."""

    def __init__(self) -> None:
        named: list[tuple[str, ColumnElement[Any]]] = [
            ("id", _ID.label("id")),
            ("epoch", journals.c.name.label("epoch")),
            *((column.name, column) for column in (*kinds.c, *threads.c) if column.name != "id"),
            *((column.name, column) for column in counted.c),
        ]
        self.c = Columns(named)

    def ask(self, query: Select[Any]) -> Select[Any]:
        """The query over the tables that its columns and conditions name, and no other."""
        named = set(query.get_final_froms())
        source: Any = counted
        for table, on in _JOINS:
            if table in named:
                source = source.join(table, on)
        return query.select_from(source)


calls = Calls()
