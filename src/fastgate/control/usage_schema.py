"""The usage database's tables as the newest migration leaves them (a test holds the two together).

`calls` is what is counted and searched, and where in the journal the whole record stands.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

HEAD = "u0006"
"""The newest revision under migrations_usage/versions; a test compares."""

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("org", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("cost_center", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("model_asked", Text, nullable=False),
    Column("model_used", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("tags", JSON(none_as_null=True)),
    Column("cost_nano", BigInteger, nullable=False),
    Column("cost_asked_nano", BigInteger, nullable=False),
    Column("saved_nano", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_write_5m_tokens", BigInteger, nullable=False),
    Column("cache_write_1h_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("cache", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("saved_downgrade_nano", BigInteger, nullable=False),
    Column("saved_arbitration_nano", BigInteger, nullable=False),
    Column("prompt_cache", Text),
    Column("broke_nano", BigInteger, nullable=False),
    Index("calls_time", "at_ns", "id"),
    Index("calls_team", "team", "at_ns"),
    Index("calls_user", "user", "at_ns"),
    Index("calls_key", "key", "at_ns"),
    Index("calls_session", "session", "at_ns"),
    Index("calls_broke", "seq", sqlite_where=text("broke_nano > 0")),
)

sightings = Table(
    "sightings",
    metadata,
    Column("call", Text, primary_key=True),
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
"""How far each epoch of the journal is in `calls`; written in the transaction that inserts the calls. `finished`: its
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
