"""Carries out what declared.py planned, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from fastgate.stores import schema
from fastgate.stores.declared import KINDS, SECRET_FIELD, Existing
from fastgate.stores.ports import Change, SubjectKind

TABLES = {
    "org": schema.orgs,
    "cost_center": schema.cost_centers,
    "team": schema.teams,
    "user": schema.users,
    "key": schema.keys,
    "budget": schema.budgets,
}
_UNPLANNED = ("id", "created_ns")
"""Columns that a directory does not declare."""
_BORN: dict[str, dict[str, int]] = {"key": {"revoked_ns": 0}, "budget": {}}
"""Kinds that keep when they were made, and what else they begin with."""


def read_existing(connection: Connection) -> Existing:
    rows: dict[SubjectKind, dict[str, dict[str, Any]]] = {}
    for kind in KINDS:
        found = connection.execute(select(TABLES[kind])).mappings()
        rows[kind] = {row["id"]: {name: row[name] for name in row if name not in _UNPLANNED} for row in found}
    digests: dict[str, set[bytes]] = {}
    owners: dict[bytes, str] = {}
    for digest_, key_id in connection.execute(select(schema.key_secrets.c.digest, schema.key_secrets.c.key_id)):
        owners[digest_] = key_id
        digests.setdefault(key_id, set()).add(digest_)
    return Existing(rows, {key: frozenset(found) for key, found in digests.items()}, owners)


def carry_out(connection: Connection, changes: Iterable[Change], now_ns: int) -> None:
    """Creations, then updates, then removals, so that no reference ever dangles."""
    created: dict[str, list[dict[str, Any]]] = {}
    updated: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    removed: dict[str, list[dict[str, Any]]] = {}
    for change in changes:
        after = {name: value for name, value in (change.after or {}).items() if name != SECRET_FIELD}
        if change.action == "create":
            times = {"created_ns": now_ns, **_BORN[change.kind]} if change.kind in _BORN else {}
            created.setdefault(change.kind, []).append({**after, **times, "id": change.id, "origin": "declared"})
        elif change.action == "remove":
            removed.setdefault(change.kind, []).append({"subject": change.id})
        elif after:
            updated.setdefault((change.kind, *sorted(after)), []).append({**after, "subject": change.id})
    for kind, rows in created.items():
        connection.execute(insert(TABLES[kind]), rows)
    for (kind, *names), rows in updated.items():
        table = TABLES[kind]
        values = {name: bindparam(name, type_=table.c[name].type) for name in names}
        connection.execute(update(table).where(table.c.id == bindparam("subject")).values(values), rows)
    for kind, rows in removed.items():
        table = TABLES[kind]
        connection.execute(delete(table).where(table.c.id == bindparam("subject")), rows)


def replace_secrets(connection: Connection, replaced: dict[str, bytes], now_ns: int) -> None:
    if not replaced:
        return
    table = schema.key_secrets
    connection.execute(delete(table).where(table.c.key_id == bindparam("key")), [{"key": key} for key in replaced])
    rows = [
        {"digest": digest_, "key_id": key, "hint": "", "created_ns": now_ns, "not_after_ns": 0}
        for key, digest_ in replaced.items()
    ]
    connection.execute(insert(table), rows)
