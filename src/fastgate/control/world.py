"""The configuration and directory in force, and how a new one replaces it: read, check, build, then swap by publishing.

Nothing changes before everything has been read and compiled, so a bad file leaves the running gateway as it is.
Owns the order of that; knows nothing of HTTP or of calls.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fastgate import snapshot
from fastgate.board import Board
from fastgate.caching.semantic.trial import SECTION, wrong_with
from fastgate.clock import wall_ns
from fastgate.config import Config, load_config
from fastgate.config_alerts import unheard
from fastgate.control import kept
from fastgate.control.compile import compile_snapshot, next_expiry_ns
from fastgate.control.publish import next_generation, publish, published
from fastgate.directory import Directory, load_directory
from fastgate.durable import clear_unfinished
from fastgate.guards import compiled
from fastgate.guards.rule import RuleError
from fastgate.guards.settings import in_force
from fastgate.idle import idle_in, idle_models, idle_tag, model_names
from fastgate.keys import load_pepper
from fastgate.log import Log
from fastgate.prices.book import PriceData
from fastgate.prices.catalog import compile_prices
from fastgate.state import StateDir
from fastgate.stores.embedded import EmbeddedDirectory
from fastgate.stores.ports import StoreError
from fastgate.times import NS
from fastgate.tree import ConfigErrors, Problem

PRICES_S = 3600
"""How often list prices are taken anew: some change on a date."""

READ_AT_START = ("listen", "control", "workers", "pin_workers", "state", "journal")
"""Parts of the configuration that a reload cannot change."""

log = Log("control")


class Loaded(msgspec.Struct, frozen=True):
    """Both files, read and checked; `text` is what the configuration's holds."""

    text: bytes
    config: Config
    directory: Directory | None
    warnings: list[Problem]


class Swap(msgspec.Struct, frozen=True):
    """What a reload did."""

    generation: int
    version: str
    changed: bool
    directory_changes: int
    warnings: list[Problem]
    needs_restart: list[str]


def load(path: Path, environ: Mapping[str, str], text: bytes | None = None) -> Loaded:
    """Reads the configuration and the directory it names. Raises ConfigErrors with what is wrong. `text` stands in for
    the configuration's content."""
    if text is None:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigErrors([Problem(str(path), 0, "", f"cannot be read: {error.strerror}")]) from None
    config, warnings = load_config(path, environ, text)
    if config.directory is None:
        return Loaded(text, config, None, warnings)
    directory, more = load_directory(Path(config.directory), environ)
    named = [(center.id, center.alerts) for center in directory.cost_centers]
    more += unheard(config.alerts, named, config.directory)
    return Loaded(text, config, directory, [*warnings, *more, *idle_in(directory, config)])


class World:
    """What is in force. One change at a time; each ends with a published snapshot."""

    def __init__(self, path: Path, state: StateDir, store: EmbeddedDirectory, board: Board, first: Loaded) -> None:
        self.path = path
        self.config = first.config
        self._state = state
        self._store = store
        self._board = board
        self._lock = threading.RLock()
        self._prices: PriceData = compile_prices(first.config.prices, _now())
        self._prices_ns = wall_ns()
        self._expiry_ns = 0
        self._unpublished = False
        self._guards: tuple[snapshot.GuardRow, ...] = ()
        self.keys = 0
        self.version = published(state.snapshot)[1]
        self.budgets: tuple[snapshot.BudgetRow, ...] = ()
        """Those in force; another tuple whenever one of them is another."""

    # -- start ------------------------------------------------------------------------------------------------------

    def open(self, first: Loaded, actor: str) -> None:
        """Applies the declared directory and publishes the first snapshot of this process. Raises ConfigErrors."""
        for path in (self._state.snapshot, self._state.stages):
            clear_unfinished(path)
        kept.clear(self._state)
        with self._lock:
            self._put(first, actor)
            self.refresh()

    # -- change -----------------------------------------------------------------------------------------------------

    def reload(self, environ: Mapping[str, str], actor: str) -> Swap:
        """Reads both files again and puts them in force. Raises ConfigErrors, and then nothing has changed."""
        with self._lock:
            fresh = load(self.path, environ)
            wrong = wrong_with(fresh.config.cache)
            if wrong is not None:
                raise ConfigErrors([Problem(str(self.path), 0, SECTION, wrong)])
            self._try_guards(in_force(fresh.config.guards))
            prices = compile_prices(fresh.config.prices, _now())
            needs_restart = [
                name for name in READ_AT_START if getattr(fresh.config, name) != getattr(self.config, name)
            ]
            changes = self._put(fresh, actor)
            as_started = {name: getattr(self.config, name) for name in READ_AT_START}
            self.config = msgspec.structs.replace(fresh.config, **as_started)
            self._prices, self._prices_ns = prices, wall_ns()
            changed = self.refresh()
            return Swap(self.generation, self.version, changed, changes, fresh.warnings, needs_restart)

    def refresh(self) -> bool:
        """Compiles and publishes what is in force now, unless it is what workers have already. True if published."""
        with self._lock:
            self._unpublished = True
            now_ns = wall_ns()
            if now_ns - self._prices_ns >= PRICES_S * NS:
                self._prices, self._prices_ns = compile_prices(self.config.prices, _now()), now_ns
            generation = next_generation(self._state.snapshot, self._board)
            data = compile_snapshot(self.config, self._store.rows(), self._prices, generation, now_ns)
            self._expiry_ns = next_expiry_ns(data)
            if data.budgets != self.budgets:
                self.budgets = data.budgets
            at, version = published(self._state.snapshot)
            if version == data.version and at == self._board.generation:
                self.keys, self.version = len(data.keys), version
                self._unpublished = False
                return False
            self._try_guards(data.guards)
            publish(self._state.snapshot, data, self._board)
            self.keys, self.version = len(data.keys), data.version
            self._unpublished = False
            log.info("published", generation=generation, version=data.version, keys=self.keys)
            return True

    def tick(self) -> None:
        """Publishes anew when a key has expired, prices are due, or the disk did not take the last snapshot."""
        now_ns = wall_ns()
        if self._unpublished or 0 < self._expiry_ns <= now_ns or now_ns - self._prices_ns >= PRICES_S * NS:
            self.refresh()

    def prices(self) -> PriceData:
        """Prices in force."""
        return self._prices

    def idle(self, row: snapshot.BudgetRow) -> list[str]:
        """What a budget names that binds no call as things stand."""
        named = {tag for secret in self._store.rows().secrets for tag in (*secret.tags, *secret.open_tags)}
        told = idle_tag(row.of, named) if row.level == "tag" else ""
        found = list(idle_models(row.models, model_names(self.config, self._prices))) if row.models else []
        return [told, *found] if told else found

    @property
    def generation(self) -> int:
        return self._board.generation

    def published(self) -> snapshot.SnapshotData:
        """What workers use."""
        return snapshot.decode(self._state.snapshot.read_bytes())

    def _try_guards(self, rows: tuple[snapshot.GuardRow, ...]) -> None:
        """Compiles the guards, which workers then only load, and lets each find its sample. Raises ConfigErrors."""
        if not rows or rows == self._guards:
            return
        from fastgate.guards.screen import build

        try:
            build(rows, load_pepper(self._state.pepper), self._state.guards_dir, environ=os.environ)
        except RuleError as error:
            raise ConfigErrors([Problem(str(self.path), 0, "guards", str(error))]) from None
        self._guards = rows
        compiled.clear_unused(self._state.guards_dir, wall_ns() / NS)  # those in force have been loaded just now

    def _put(self, files: Loaded, actor: str) -> int:
        """Keeps the configuration's text, for a restarted control plane must not depend on an edited file, and makes
        the declared directory so, both or neither; the number of changes. A conflict is an error of the file."""
        noted = kept.offer(self._state, files.text)
        try:
            if files.directory is None:
                self._store.keep_noted(noted)
                changes = []
            else:
                changes = self._store.apply_directory(files.directory, actor, noted=noted)
        except StoreError as error:
            kept.withdraw(self._state)
            raise ConfigErrors([Problem(files.config.directory or str(self.path), 0, "", str(error))]) from None
        kept.settle(self._state)
        return len(changes)


def _now() -> datetime:
    return datetime.fromtimestamp(wall_ns() // NS, UTC)
