"""One recorded call by its id, read by a process that does not own the usage database: its place, then the journal.

For the data plane: no SQLAlchemy. Opens and closes the file each time (0.2 ms), so call it from a thread.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from fastgate.journal.format import call_number
from fastgate.journal.reader import body_at
from fastgate.journal.view import call_view
from fastgate.record import CallRecord

BUSY_TIMEOUT_S = 1.0
"""Readers wait for nobody in WAL mode, but for the moment in which a crashed writer's log is recovered."""

_PLACE = """
SELECT j.name, c.segment, c."offset", c.prompt_cache
FROM epochs w JOIN counted c ON c.worker = w.id JOIN epochs j ON j.id = c.journal WHERE w.name = ? AND c.number = ?
"""

_decode = msgspec.msgpack.Decoder(CallRecord).decode


def lookup_call(usage_db: Path, call_id: str) -> dict[str, Any] | None:
    """The call as `call_view` shows it, or None when it is not in the table (yet). The journal lies beside the
    database. sqlite3.Error if the file cannot be read."""
    try:
        named = call_number(call_id)
    except ValueError:
        return None
    if not usage_db.exists():
        return None
    # Not mode=ro: reading a WAL database may mean making its shared-memory file. query_only keeps it to that.
    address = f"file:{quote(str(usage_db))}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        connection.execute("PRAGMA query_only = 1")
        try:
            place = connection.execute(_PLACE, named).fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
    body = None if place is None else body_at(usage_db.with_name("journal"), *place[:3])
    return None if body is None else call_view(_decode(body), place[3])
