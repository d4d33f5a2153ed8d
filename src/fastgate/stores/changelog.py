"""Writes the log of changes, inside the caller's transaction: every operation on the directory leaves lines here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from fastgate.stores import schema
from fastgate.stores.ports import Change


def write_changes(connection: Connection, changes: Sequence[Change], actor: str, now_ns: int) -> None:
    if not changes:
        return
    rows = [
        {
            "at_ns": now_ns,
            "actor": actor,
            "action": change.action,
            "kind": change.kind,
            "subject": change.id,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]
    connection.execute(insert(schema.changes), rows)
