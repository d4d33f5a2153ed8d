"""The directory in SQLite: the operations of ports.DirectoryStore, one transaction each, each change logged.

Must not know configuration, snapshots or HTTP. Secrets pass through; only digests stay.
"""

from __future__ import annotations

import hmac
import secrets as random_source
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from fastgate import clock
from fastgate.bulk import burst
from fastgate.directory import Directory
from fastgate.directory_checks import (
    glob_problem,
    id_problem,
    rate_problem,
    tags_problem,
)
from fastgate.keys import PREFIX, digest, digest_of_sha256, ensure_pepper, load_pepper, new_secret
from fastgate.state import StateDir, WriterLock
from fastgate.stores import schema
from fastgate.stores.budget_rows import budget_rows, missing, pause_rows
from fastgate.stores.budgets import EmbeddedBudgets
from fastgate.stores.changelog import write_changes
from fastgate.stores.declared import plan, rate_columns
from fastgate.stores.engine import HEAD, migrate, open_engine, reading, schema_revision, writing
from fastgate.stores.ports import (
    Change,
    ChangeEvent,
    DirectoryRows,
    KeyDraft,
    KeyIssued,
    KeyView,
    SecretView,
    StoreError,
)
from fastgate.stores.queries import KEYS, merged_tags, rate_rows, rates_of, secret_rows
from fastgate.stores.rewrite import TABLES, carry_out, read_existing, replace_secrets
from fastgate.tags import tag_name_problem, tag_value_problem

MAX_OVERLAP_S = 90 * 24 * 3600
"""Longest rotation overlap: a quarter. An old secret that works for longer has not been rotated."""
MAX_PAGE = 1000
"""Keys of one listing page."""
HINT_CHARS = len(PREFIX) + 4
"""How much of an issued secret a listing shows: 24 of its 202 random bits."""
_PEPPER_CHECK = b"fastgate pepper check"
_NOTED = "noted"
"""The row of `meta` that says what the declared directory was applied with."""


def open_directory(state: StateDir, purpose: str = "") -> EmbeddedDirectory:
    """The directory of `state`. With a purpose it may be written: it is made if need be, brought to the newest schema,
    and locked until `close`. Raises StateBusyError, StoreError(unusable | not_found) or PepperError."""
    lock = state.create().lock_writer(purpose) if purpose else None
    engine: Engine | None = None
    try:
        if lock is None and not state.directory_db.exists():
            raise StoreError("not_found", f"{state.path} holds no directory yet; start the gateway or apply one")
        pepper = ensure_pepper(state.pepper) if not state.directory_db.exists() else load_pepper(state.pepper)
        engine = open_engine(state.directory_db)
        if lock is not None:
            migrate(engine)
        elif schema_revision(engine) != HEAD:
            raise StoreError("unusable", f"{state.directory_db} is of another version; start this one's gateway first")
        _check_pepper(engine, pepper, lock is not None)
        return EmbeddedDirectory(engine, pepper, lock)
    except BaseException:
        if engine is not None:
            engine.dispose()
        if lock is not None:
            lock.release()
        raise


def _check_pepper(engine: Engine, pepper: bytes, write: bool) -> None:
    """Another pepper would make every stored key unknown without a word."""
    mark = hmac.digest(pepper, _PEPPER_CHECK, "sha256")
    with (writing if write else reading)(engine) as connection:
        stored = connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == "pepper")).scalar()
        if stored is None and write:
            connection.execute(insert(schema.meta).values(name="pepper", value=mark))
    if stored is not None and not hmac.compare_digest(stored, mark):
        raise StoreError("unusable", "the pepper is not the one that this directory was made with; restore it")


def _keep_noted(connection: Connection, noted: bytes) -> None:
    connection.execute(delete(schema.meta).where(schema.meta.c.name == _NOTED))
    connection.execute(insert(schema.meta).values(name=_NOTED, value=noted))


class EmbeddedDirectory:
    """A DirectoryStore. Safe to use from several threads of its process."""

    def __init__(self, engine: Engine, pepper: bytes, lock: WriterLock | None) -> None:
        self._engine = engine
        self._pepper = pepper
        self._lock = lock
        self.budgets = EmbeddedBudgets(engine, self._write)

    def close(self) -> None:
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def apply_directory(
        self, directory: Directory, actor: str, dry_run: bool = False, *, noted: bytes = b""
    ) -> list[Change]:
        with burst(), reading(self._engine) if dry_run else self._write() as connection:
            existing = read_existing(connection)
            made = plan(directory, existing, lambda sha_hex: digest_of_sha256(self._pepper, sha_hex))
            if not dry_run:
                now_ns = clock.wall_ns()
                carry_out(connection, made.changes, now_ns)
                replace_secrets(connection, made.secrets, now_ns)
                write_changes(connection, made.changes, actor, now_ns)
                if noted:
                    _keep_noted(connection, noted)
        return made.changes

    def keep_noted(self, noted: bytes) -> None:
        with self._write() as connection:
            _keep_noted(connection, noted)

    def noted(self) -> bytes:
        with reading(self._engine) as connection:
            return connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == _NOTED)).scalar() or b""

    def keys_create(self, draft: KeyDraft, actor: str) -> KeyIssued:
        key_id = draft.id or f"key-{random_source.token_hex(4)}"
        _check_draft(draft, key_id)
        row = {
            "user_id": draft.user,
            "team_id": draft.team,
            "cost_center_id": draft.cost_center,
            "tags": dict(draft.tags),
            "models": list(draft.models),
            "open_tags": sorted(set(draft.open_tags)),
            "cache_overrides": draft.cache_overrides,
            "expires_ns": draft.expires_ns,
            **rate_columns(draft.rates),
        }
        with self._write() as connection:
            now_ns = clock.wall_ns()
            if 0 < draft.expires_ns <= now_ns:
                raise StoreError("refused", "the key would be expired from the start")
            for kind, name in (("user", draft.user), ("team", draft.team), ("cost_center", draft.cost_center)):
                if name is not None and not _exists(connection, kind, name):
                    raise missing(connection, TABLES[kind], kind.replace("_", " "), name)
            if _exists(connection, "key", key_id):
                raise StoreError("conflict", f"key {key_id} exists already")
            values = {**row, "id": key_id, "created_ns": now_ns, "revoked_ns": 0, "origin": "managed"}
            connection.execute(insert(schema.keys).values(**values))
            secret = self._add_secret(connection, key_id, now_ns)
            write_changes(connection, [Change("create", "key", key_id, None, row)], actor, now_ns)
            return KeyIssued(_view(connection, key_id, now_ns), secret)

    def keys_list(self, after: str = "", limit: int = 100) -> tuple[list[KeyView], str | None]:
        limit = max(1, min(limit, MAX_PAGE))
        with reading(self._engine) as connection:
            query = KEYS.where(schema.keys.c.id > after).order_by(schema.keys.c.id).limit(limit + 1)
            found = connection.execute(query).all()
            views = _views(connection, found[:limit], clock.wall_ns())
        return views, (views[-1].id if len(found) > limit else None)

    def keys_show(self, key_id: str) -> KeyView:
        with reading(self._engine) as connection:
            return _view(connection, key_id, clock.wall_ns())

    def keys_rotate(self, key_id: str, overlap_s: int, actor: str) -> KeyIssued:
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise StoreError("refused", f"the overlap must be between 0 and {MAX_OVERLAP_S} seconds")
        with self._write() as connection:
            now_ns = clock.wall_ns()
            view = _view(connection, key_id, now_ns)
            if view.origin == "declared":
                raise StoreError("refused", f"key {key_id} is declared in directory.yaml; change its secret there")
            if view.state != "active":
                raise StoreError("refused", f"key {key_id} is {view.state}; create another")
            until_ns = now_ns + overlap_s * 1_000_000_000
            table = schema.key_secrets
            mine, ends = table.c.key_id == key_id, table.c.not_after_ns
            connection.execute(delete(table).where(and_(mine, ends > 0, ends <= now_ns)))
            longer = and_(mine, or_(ends == 0, ends > until_ns))
            connection.execute(update(table).where(longer).values(not_after_ns=until_ns))
            secret = self._add_secret(connection, key_id, now_ns)
            write_changes(connection, [Change("rotate", "key", key_id, None, {"overlap_s": overlap_s})], actor, now_ns)
            return KeyIssued(_view(connection, key_id, now_ns), secret)

    def keys_revoke(self, key_id: str, actor: str) -> KeyView:
        """At once and for good. A second time changes nothing. Declared keys too: a leak cannot wait for a file."""
        with self._write() as connection:
            now_ns = clock.wall_ns()
            if _view(connection, key_id, now_ns).revoked_ns == 0:
                table = schema.keys
                connection.execute(update(table).where(table.c.id == key_id).values(revoked_ns=now_ns))
                change = Change("revoke", "key", key_id, {"revoked_ns": 0}, {"revoked_ns": now_ns})
                write_changes(connection, [change], actor, now_ns)
            return _view(connection, key_id, now_ns)

    def revision(self) -> int:
        with reading(self._engine) as connection:
            return _revision(connection)

    def rows(self) -> DirectoryRows:
        with burst(), reading(self._engine) as connection:
            secrets, budgets = secret_rows(connection), budget_rows(connection)
            pauses, rates = pause_rows(connection), rate_rows(connection)
            table = schema.cost_centers
            owners = connection.execute(select(table.c.id, table.c.owner).where(table.c.owner != ""))
            named = {row.id: row.owner for row in owners}
            return DirectoryRows(_revision(connection), secrets, budgets, pauses, rates, named)

    def changes(self, after: int = 0, limit: int = 100) -> list[ChangeEvent]:
        table = schema.changes
        query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(max(1, min(limit, MAX_PAGE)))
        with reading(self._engine) as connection:
            return [
                ChangeEvent(seq, at_ns, actor, Change(*change))
                for seq, at_ns, actor, *change in connection.execute(query)
            ]

    def note(self, change: Change, actor: str) -> None:
        """Log something that was done and changes no row."""
        with self._write() as connection:
            write_changes(connection, [change], actor, clock.wall_ns())

    def _write(self) -> AbstractContextManager[Connection]:
        if self._lock is None:
            raise StoreError("refused", "this directory was opened for reading")
        return writing(self._engine)

    def _add_secret(self, connection: Connection, key_id: str, now_ns: int) -> str:
        secret = new_secret()
        row = {
            "digest": digest(self._pepper, secret),
            "key_id": key_id,
            "hint": secret[:HINT_CHARS],
            "created_ns": now_ns,
            "not_after_ns": 0,
        }
        connection.execute(insert(schema.key_secrets).values(**row))
        return secret


def _views(connection: Connection, found: Sequence[Row[Any]], now_ns: int) -> list[KeyView]:
    table = schema.key_secrets
    ids = [row.id for row in found]
    secrets: dict[str, list[SecretView]] = {key_id: [] for key_id in ids}
    query = select(table).where(table.c.key_id.in_(ids)).order_by(table.c.created_ns.desc(), table.c.digest)
    for row in connection.execute(query):
        if not 0 < row.not_after_ns <= now_ns:
            secrets[row.key_id].append(SecretView(row.hint, row.created_ns, row.not_after_ns))
    return [
        KeyView(
            id=row.id,
            user=row.user_id or "",
            team=row.team,
            org=row.org,
            cost_center=row.cost_center,
            tags=row.tags,
            models=row.models,
            open_tags=merged_tags(row.open_tags, row.team_open_tags),
            cache_overrides=row.cache_overrides,
            expires_ns=row.expires_ns,
            created_ns=row.created_ns,
            revoked_ns=row.revoked_ns,
            origin=row.origin,
            state=_state(row, now_ns),
            secrets=secrets[row.id],
            rates=rates_of(row),
        )
        for row in found
    ]


def _state(row: Row[Any], now_ns: int) -> Literal["active", "expired", "revoked"]:
    if row.revoked_ns:
        return "revoked"
    return "expired" if 0 < row.expires_ns <= now_ns else "active"


def _view(connection: Connection, key_id: str, now_ns: int) -> KeyView:
    found = connection.execute(KEYS.where(schema.keys.c.id == key_id)).all()
    if not found:
        raise missing(connection, schema.keys, "key", key_id)
    return _views(connection, found, now_ns)[0]


def _revision(connection: Connection) -> int:
    newest: int | None = connection.execute(select(func.max(schema.changes.c.seq))).scalar()
    return newest or 0


def _exists(connection: Connection, kind: str, subject: str) -> bool:
    table = TABLES[kind]
    return connection.execute(select(table.c.id).where(table.c.id == subject)).first() is not None


def _check_draft(draft: KeyDraft, key_id: str) -> None:
    """The same rules that a declared key obeys."""
    if (draft.user is None) == (draft.team is None):
        raise StoreError("refused", "a key needs a user, or a team for a service key")
    problems = [("id", id_problem(key_id)), ("tags", tags_problem(draft.tags))]
    problems += [(f"tag {name}", tag_name_problem(name) or tag_value_problem(draft.tags[name])) for name in draft.tags]
    problems += [(f"open tag {name}", tag_name_problem(name)) for name in draft.open_tags]
    problems += [(name, rate_problem(name, value)) for name, value in rate_columns(draft.rates).items()]
    problems += [(f"model {glob}", glob_problem(glob)) for glob in draft.models]
    wrong = [f"{what}: {problem}" for what, problem in problems if problem is not None]
    if wrong:
        raise StoreError("refused", "; ".join(wrong))
