"""What can be asked of a gateway or changed in it, as plain methods that the admin API and the command line both call.

Owns checks of arguments, the shapes of answers, and that every change is published at once. Knows no HTTP.
"""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import fastgate
from fastgate import runinfo
from fastgate._core.money import PriceRow
from fastgate.board import Board
from fastgate.clock import wall_ns
from fastgate.config import worker_count
from fastgate.control import shapes, shapes_budgets
from fastgate.control.alerting import Alerting
from fastgate.control.alerts.desk import Desk
from fastgate.control.budgets import Budgets
from fastgate.control.caching import Caching
from fastgate.control.calls import Calls, Query
from fastgate.control.cascade import cascade_steps
from fastgate.control.dryrun import proposal
from fastgate.control.dryrun.prices import NextCheaper
from fastgate.control.errors import OperationError, moment, of_file, of_store, problem_of
from fastgate.control.leases import Leases
from fastgate.control.members import Members
from fastgate.control.metrics import CallCounters, exposition, lag_of_live
from fastgate.control.prompt_cache import Guardian
from fastgate.control.routing import Routing
from fastgate.control.shapes import Page
from fastgate.control.usage import UsageTable
from fastgate.control.world import World, load
from fastgate.directory import Rates, parse_directory
from fastgate.journal.flight import FlightHeader
from fastgate.keys import load_pepper
from fastgate.log import Log
from fastgate.prices.book import PriceBook, PriceData
from fastgate.proc import event_loop_of
from fastgate.snapshot import BudgetRow
from fastgate.state import StateDir
from fastgate.stores import ports
from fastgate.stores.counters import Database
from fastgate.stores.counters_control import ControlCounters
from fastgate.stores.embedded import MAX_PAGE, open_directory
from fastgate.stores.engine import open_engine
from fastgate.stores.ledger_port import CellKey, Figures
from fastgate.stores.ports import KeyDraft, StoreError
from fastgate.times import rfc3339
from fastgate.tree import ConfigErrors
from fastgate.workers import in_flight, live_workers

log = Log("control")

DEFAULT_PAGE = 100

IN_THE_FILE = "(in the file)"
"""Stands for a provider key that was written into the configuration itself."""


class Operations:
    """Everything over one state directory, in the process that owns it."""

    def __init__(self, world: World, state: StateDir, store: ports.DirectoryStore, board: Board) -> None:
        self.world = world
        self.state = state
        self.started_ns = wall_ns()
        self.loop_name = ""
        """The event loop that serves this, where one does."""
        self._book: tuple[PriceData, PriceBook] | None = None
        self.calls = Calls(UsageTable(state.usage_db, Guardian(self._price)), lambda: load_pepper(state.pepper))
        self._store = store
        self.board = board
        self._counters = CallCounters(self.calls.table.engine)
        self._members = Members(open_engine(state.directory_db))
        self._money: ControlCounters | None = None
        self.leases: Leases | None = None
        """Where charges are made, which is in the process that does the background work."""
        self.desk = Desk(
            state.alerts_db, self._members.engine, lambda: world.config.alerts, lambda: world.published().budgets
        )
        self.alerts = Alerting(self.desk, lambda: world.config.alerts, store)
        seen = (self._replay, self._figures, self._budget_members, self.calls.cache_share, world.idle)
        self.budgets = Budgets(store.budgets, world.refresh, *seen, self.desk, state)
        self.caching = Caching(state, self.calls.table, lambda: world.config.cache, store.note)
        self.routing = Routing(state, self.calls.table, world.published)

    @classmethod
    def open(cls, config_path: Path, environ: Mapping[str, str], purpose: str) -> Operations:
        """For a command, where no gateway runs: takes the state for itself. Raises ConfigErrors, StateError,
        StoreError or PepperError; StateBusyError when another process has it."""
        first = load(config_path, environ)
        state = StateDir(first.config.state)
        store = open_directory(state, purpose)
        board = Board.open(state.board)
        return cls(World(config_path, state, store, board, first), state, store, board)

    def _price(self, kind: str, model: str) -> PriceRow:
        """The row of that model at that kind of endpoint, as prices are now."""
        data = self.world.prices()
        if self._book is None or self._book[0] is not data:
            self._book = (data, PriceBook(data))
        return self._book[1].row(kind, model)

    def close(self) -> None:
        self.caching.close()
        self.desk.close()
        self.calls.table.close()
        self._members.close()
        if self._money is not None:
            self._money.close()
        self._store.close()
        self.board.close()

    def __enter__(self) -> Operations:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- who there is -----------------------------------------------------------------------------------------------

    def list_orgs(self, after: str = "", limit: int = DEFAULT_PAGE) -> Page[shapes.Org]:
        return self._members.orgs(after, page_size(limit))

    def list_cost_centers(self, after: str = "", limit: int = DEFAULT_PAGE) -> Page[shapes.CostCenter]:
        return self._members.cost_centers(after, page_size(limit))

    def list_teams(self, after: str = "", limit: int = DEFAULT_PAGE) -> Page[shapes.Team]:
        return self._members.teams(after, page_size(limit))

    def list_users(self, after: str = "", limit: int = DEFAULT_PAGE) -> Page[shapes.User]:
        return self._members.users(after, page_size(limit))

    # -- keys -------------------------------------------------------------------------------------------------------

    def list_keys(self, after: str = "", limit: int = DEFAULT_PAGE) -> Page[shapes.Key]:
        views, following = self._store.keys_list(after, page_size(limit))
        return Page([shapes.Key(**key_fields(view)) for view in views], following)

    def show_key(self, key_id: str) -> shapes.Key:
        return shapes.Key(**key_fields(_stored(self._store.keys_show, key_id)))

    def create_key(self, new: shapes.NewKey, actor: str) -> shapes.IssuedKey:
        draft = KeyDraft(
            id=new.id,
            user=new.user,
            team=new.team,
            tags=new.tags,
            models=new.models,
            open_tags=new.open_tags,
            cache_overrides=new.cache_overrides,
            expires_ns=0 if new.expires is None else moment("expires", new.expires),
            cost_center=new.cost_center,
            rates=Rates(**{name: getattr(new, name) for name in Rates.__struct_fields__}),
        )
        issued = _stored(self._store.keys_create, draft, actor)
        self._publish_soon()
        return _issued(issued)

    def rotate_key(self, key_id: str, overlap_s: int, actor: str) -> shapes.IssuedKey:
        """A new secret; those before it end after `overlap_s` seconds."""
        issued = _stored(self._store.keys_rotate, key_id, overlap_s, actor)
        self._publish_soon()
        return _issued(issued)

    def revoke_key(self, key_id: str, actor: str) -> shapes.Key:
        """Published before this returns; workers have it 50 ms later."""
        view = _stored(self._store.keys_revoke, key_id, actor)
        try:
            self.world.refresh()
        except OSError as error:
            told = f"key {key_id} is revoked, but workers cannot be told: {error}. It is tried again every second."
            raise OperationError("unusable", told) from None
        return shapes.Key(**key_fields(view))

    def _publish_soon(self) -> None:
        """Publishes, or leaves it to the clock: a secret that is stored must be answered, it cannot be shown again."""
        try:
            self.world.refresh()
        except OSError as error:
            log.error("the snapshot cannot be written yet", why=error)

    # -- calls ------------------------------------------------------------------------------------------------------

    def list_calls(self, query: Query, limit: int = DEFAULT_PAGE, cursor: str | None = None) -> Page[shapes.Call]:
        return self.calls.list(query, page_size(limit), cursor)

    def find_sightings(
        self, sha256: str, path: str, limit: int = DEFAULT_PAGE, cursor: str | None = None
    ) -> Page[shapes.Sighting]:
        return self.calls.seen(sha256, path, page_size(limit), cursor)

    def show_call(self, call_id: str) -> shapes.Call:
        return self.calls.show(call_id)

    def spend(self, by: Sequence[str], query: Query, period: str = "") -> shapes.Spend:
        return self.calls.spend(by, query, period)

    def focus(self, query: Query) -> Iterator[bytes]:
        return self.calls.focus(query)

    def _figures(self, wanted: Sequence[tuple[CellKey, int]]) -> Sequence[Figures]:
        """What is spent and leased of cells of budgets."""
        return self._counters_open().figures(wanted)

    def _budget_members(self, budget: str, created_ns: int, since_ns: int, limit: int) -> Sequence[tuple[str, Figures]]:
        return self._counters_open().members(budget, created_ns, since_ns, limit)

    def _counters_open(self) -> ControlCounters:
        if self._money is None:
            self._money = ControlCounters(Database(self.state.counters_db))
        return self._money

    def reap(self, wanted: shapes_budgets.Reap, actor: str) -> shapes_budgets.Reaped:
        """Ends the leases of workers that are gone. Raises OperationError, conflict for one that may still spend."""
        if self.leases is None:
            raise OperationError("unusable", "nothing is charged here yet; try again")
        return self.leases.reap(wanted.worker, wanted.charge, actor)

    def note(self, change: ports.Change, actor: str) -> None:
        """An audit event of something that changes no row of the directory."""
        self._store.note(change, actor)

    def _replay(self, row: BudgetRow) -> dict[str, Any]:
        """The same of one budget, over the last 30 days."""
        return proposal.replay(self.calls.table.engine, [row], self._cheaper(), None, None)

    def dry_run(self, text: bytes, since: str | None, until: str | None, name: str = "proposal") -> dict[str, Any]:
        """What the budgets in `text`, YAML, would have done to recorded calls."""
        orgs = [org.id for org in self.list_orgs(limit=2).items]
        rows = proposal.propose(text, os.environ, name, orgs)
        bounds = [None if at is None else moment(word, at) for word, at in (("since", since), ("until", until))]
        return proposal.replay(self.calls.table.engine, rows, self._cheaper(), *bounds)

    def _cheaper(self) -> NextCheaper:
        """Prices and cascade in force."""
        prices = self.world.prices()
        return NextCheaper(prices, cascade_steps(self.world.config.routing, prices))

    # -- configuration and directory --------------------------------------------------------------------------------

    def list_endpoints(self) -> Page[shapes.Endpoint]:
        return Page([endpoint_of(endpoint) for endpoint in self.world.config.endpoints])

    def apply(self, text: bytes, actor: str, *, dry_run: bool, name: str = "directory") -> shapes.Applied:
        """Makes the declared rows what `text`, a directory.yaml, says. `${VAR}` is this process's environment."""
        try:
            directory, warnings = parse_directory(text, os.environ, name)
        except ConfigErrors as errors:
            raise of_file("the directory has errors", errors) from None
        changes = _stored(self._store.apply_directory, directory, actor, dry_run)
        if not dry_run:
            self.world.refresh()
        at_ns = wall_ns()
        shown = [change_of(ports.ChangeEvent(0, at_ns, actor, change)) for change in changes]
        return shapes.Applied(dry_run, shown, [problem_of(problem) for problem in warnings])

    def reload(self, actor: str) -> shapes.Reloaded:
        """Reads both files again. On any error nothing changes, and all of them are told."""
        try:
            swap = self.world.reload(os.environ, actor)
        except ConfigErrors as errors:
            raise of_file("the configuration has errors; what was in force still is", errors) from None
        fields = msgspec.structs.asdict(swap) | {"warnings": [problem_of(problem) for problem in swap.warnings]}
        return shapes.Reloaded(**fields)

    def list_changes(self, after: int = 0, limit: int = DEFAULT_PAGE) -> Page[shapes.Change]:
        """The change log, oldest first."""
        events = self._store.changes(after, page_size(limit))
        more = bool(events) and events[-1].seq < self._store.revision()
        return Page([change_of(event) for event in events], str(events[-1].seq) if more else None)

    # -- the instance -----------------------------------------------------------------------------------------------

    def drain_state(self) -> shapes.DrainState:
        return shapes.DrainState(self.board.draining, in_flight(self.state))

    def set_draining(self, draining: bool, actor: str) -> shapes.DrainState:
        """Refuses new calls and reports unready, or takes calls again. Does not stop the gateway."""
        log.info("draining" if draining else "taking calls again", actor=actor)
        self.board.draining = draining
        return self.drain_state()

    def metrics(self) -> str:
        """Prometheus' text form."""
        return exposition(self.status(), self._counters, lag_of_live(self.state))

    def status(self) -> shapes.Status:
        config, run = self.world.config, runinfo.read(self.state.run_json)
        if run is not None and not runinfo.is_running(run):
            run = None
        workers = [worker_of(header) for header in live_workers(self.state)]
        return shapes.Status(
            version=fastgate.__version__,
            started=run.started_at if run is not None else rfc3339(self.started_ns),
            config=str(self.world.path),
            state=str(self.state.path),
            listen=config.listen,
            control=config.control.listen,
            supervisor_pid=run.pid if run is not None else None,
            control_pid=os.getpid(),
            control_loop=self.loop_name,
            python=f"{platform.python_implementation()} {platform.python_version()}",
            workers_configured=run.workers if run is not None else worker_count(config),
            workers=workers,
            in_flight=sum(worker.in_flight for worker in workers),
            draining=self.board.draining,
            generation=self.board.generation,
            snapshot_version=self.world.version,
            keys=self.world.keys,
            endpoints=len(config.endpoints),
            open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            limits=msgspec.to_builtins(config.limits),
            damaged_records=len(self.calls.table.damages()),
        )


def page_size(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise OperationError("invalid", f"limit must be between 1 and {MAX_PAGE}")
    return limit


def worker_of(header: FlightHeader) -> shapes.Worker:
    return shapes.Worker(
        pid=header.pid,
        epoch=header.epoch,
        started=rfc3339(header.started_ns),
        in_flight=header.unfinished,
        generation=header.generation,
        loop=event_loop_of(header.pid),
    )


def key_fields(view: ports.KeyView) -> dict[str, Any]:
    return {
        "id": view.id,
        "user": view.user or None,
        "team": view.team,
        "org": view.org,
        "cost_center": view.cost_center or None,
        **{name: getattr(view, name) for name in ("tags", "models", "open_tags", "cache_overrides")},
        "expires": _when(view.expires_ns),
        "created": rfc3339(view.created_ns),
        "revoked": _when(view.revoked_ns),
        "origin": view.origin,
        "state": view.state,
        **msgspec.structs.asdict(view.rates),
        "secrets": [
            shapes.Secret(secret.hint, rfc3339(secret.created_ns), _when(secret.not_after_ns))
            for secret in view.secrets
        ],
    }


def endpoint_of(endpoint: Any) -> shapes.Endpoint:
    def shown(key: Any) -> str:
        return key.reference if "${" in key.reference else IN_THE_FILE

    return shapes.Endpoint(
        endpoint.name,
        endpoint.kind,
        endpoint.base_url,
        None if endpoint.api_key is None else shown(endpoint.api_key),
        endpoint.auth,
        endpoint.anthropic_version,
        endpoint.pin,
        {key.name or str(index + 1): shown(key.api_key) for index, key in enumerate(endpoint.keys)},
    )


def change_of(event: ports.ChangeEvent) -> shapes.Change:
    change = event.change
    at = rfc3339(event.at_ns)
    return shapes.Change(event.seq, at, event.actor, change.action, change.kind, change.id, change.before, change.after)


def _issued(issued: ports.KeyIssued) -> shapes.IssuedKey:
    return shapes.IssuedKey(**key_fields(issued.key), secret=issued.secret)


def _when(at_ns: int) -> str | None:
    return rfc3339(at_ns) if at_ns else None


def _stored(operation: Any, *arguments: Any) -> Any:
    """A store's operation, its refusals as ours."""
    try:
        return operation(*arguments)
    except StoreError as error:
        raise of_store(error) from None
