"""The outbox's tables as the newest migration leaves them (a test holds the two together)."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text

HEAD = "a0001"
"""The newest revision under migrations_alerts/versions; a test compares."""

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),
    Column("period_ns", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("notice", JSON, nullable=False),
    Index("events_key", "key", "period_ns", "at_ns"),
    sqlite_autoincrement=True,
)
"""Every alert that was raised, once."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("event_id", Integer, ForeignKey("events.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_ns", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("sent_ns", BigInteger, nullable=False),
    Index("deliveries_due", "state", "due_ns"),
    Index("deliveries_to", "channel", "receiver", "sent_ns"),
    sqlite_autoincrement=True,
)
"""One alert to one receiver. `receiver` is an e-mail address, empty for the channel's own place. `state`: pending,
sent, or dead: tried as often as it will be."""
