"""Opens the directory's SQLite file: pragmas, transactions, migrations. Knows no table."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from fastgate.stores.ports import StoreError

HEAD = "0007"
"""The newest revision under migrations/versions; a test compares. Knowing it saves importing Alembic (0.2 s)."""
BUSY_TIMEOUT_MS = 5000
"""How long a transaction waits for another's; the longest of ours, applying 100,000 keys, takes about as long."""
_IMMEDIATE = "fastgate_immediate"


def open_engine(path: Path) -> Engine:
    """An engine on `path`, the file made with mode 0600 if need be."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError("unusable", f"{path} cannot be opened: {error.strerror}") from None
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        json_serializer=lambda value: msgspec.json.encode(value, order="sorted").decode(),
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",  # a revoked key must stay revoked after power loss
        "foreign_keys=ON",
    ):
        try:
            connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()  # the pool drops a connection that fails here, but does not close it
            raise


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view. Raises StoreError(unusable) for what the file or disk cannot do."""
    with _named(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds the write lock from its start, so that what it read cannot have changed."""
    with (
        _named(engine),
        engine.connect().execution_options(**{_IMMEDIATE: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def _named(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreError("unusable", f"{engine.url.database}: {error.orig}") from error
    except sqlite3.Error as error:  # of who speaks to the driver itself
        raise StoreError("unusable", f"{engine.url.database}: {error}") from error


def schema_revision(engine: Engine) -> str | None:
    """The revision the file is at; None when it is new."""
    with reading(engine) as connection:
        present = text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'")
        if connection.execute(present).scalar() is None:
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def migrate(
    engine: Engine, target: str = "head", scripts: str = "fastgate.stores:migrations", head: str = HEAD
) -> None:
    """Bring the file to `target` of `scripts`, in one transaction. A file of a newer fastgate is refused."""
    at = schema_revision(engine)
    if at == head:
        return
    if at is not None and at > head:
        raise StoreError("unusable", f"{engine.url.database} was written by a newer fastgate (revision {at})")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
