"""The state directory itself, where no control plane runs: the same operations, in this process, one writer at a time.

Needs fastgate.control.operations, and so SQLAlchemy: imported only when there is nobody to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fastgate.cli.actor import actor
from fastgate.cli.check import declared_directory
from fastgate.cli.control_alerts import AlertControl, LocalAlerts
from fastgate.cli.control_budgets import BudgetControl, LocalBudgets
from fastgate.cli.control_cache import CacheControl, LocalCache
from fastgate.cli.control_routing import LocalRouting, RoutingControl
from fastgate.cli.failures import BadInput, Failure, Refused
from fastgate.cli.instance import Place, lenient_environ
from fastgate.control.calls import Query
from fastgate.control.errors import OperationError
from fastgate.control.guarding import guards_in_force
from fastgate.control.ingest import Ingestor
from fastgate.control.operations import Operations
from fastgate.control.shapes import NewKey
from fastgate.control.shapes_budgets import Reap, Reaped
from fastgate.keys import PepperError
from fastgate.state import StateBusyError, StateError
from fastgate.stores.ports import StoreError
from fastgate.tree import ConfigErrors

T = TypeVar("T")

Json = dict[str, Any]

FAILURES: Mapping[str, type[Failure]] = {"invalid": BadInput, "not_found": Refused, "conflict": Refused}
"""As the API's statuses mean to remote.py; anything else is refused too."""


class LocalControl:
    """Operations over the state that `place` names. Holds its writer's lock while it is open."""

    def __init__(self, place: Place, purpose: str, writes: bool) -> None:
        assert place.config is not None  # without one, only a running instance can have been found
        self._config = place.config
        self._purpose = purpose
        self._writes = writes
        self._stack = ExitStack()
        self._operations: Operations
        self.listen = ""

    def __enter__(self) -> LocalControl:
        self._operations = self._stack.enter_context(guarded(self._open))
        self.listen = self._operations.world.config.listen
        self.budgets: BudgetControl = LocalBudgets(self._operations.budgets, shown, self._count_new_calls, self._reap)
        self.cache: CacheControl = LocalCache(self._operations.caching, shown, self._count_new_calls)
        self.routing: RoutingControl = LocalRouting(self._operations.routing, shown, self._count_new_calls)
        self.alerts: AlertControl = LocalAlerts(self._operations.alerts, shown)
        return self

    def __exit__(self, *ended: object) -> None:
        self._stack.close()

    def _open(self) -> Operations:
        return Operations.open(self._config, self._environ(), self._purpose)

    def _environ(self) -> Mapping[str, str]:
        """A reading command needs no variable of either file; what a writing one applies must be real."""
        return lenient_environ(self._config, None if self._writes else declared_directory(self._config))

    def keys_create(self, new: Json) -> Json:
        if not guarded(lambda: self._operations.list_changes(limit=1)).items:
            # Before the first start nothing is declared yet, and the key is for somebody whom directory.yaml names.
            guarded(lambda: self._operations.world.reload(self._environ(), actor()))
        return shown(lambda: self._operations.create_key(msgspec.convert(new, NewKey), actor()))

    def keys_list(self, cursor: str, limit: int) -> Json:
        return shown(lambda: self._operations.list_keys(cursor, limit))

    def keys_show(self, key_id: str) -> Json:
        return shown(lambda: self._operations.show_key(key_id))

    def keys_rotate(self, key_id: str, overlap_s: int) -> Json:
        return shown(lambda: self._operations.rotate_key(key_id, overlap_s, actor()))

    def keys_revoke(self, key_id: str) -> Json:
        return shown(lambda: self._operations.revoke_key(key_id, actor()))

    def calls_list(self, filters: Mapping[str, Any], cursor: str, limit: int) -> Json:
        self._count_new_calls()
        return shown(lambda: self._operations.list_calls(msgspec.convert(dict(filters), Query), limit, cursor or None))

    def calls_show(self, call_id: str) -> Json:
        self._count_new_calls()
        return shown(lambda: self._operations.show_call(call_id))

    def audit_find(self, sha256: str, path: str, cursor: str, limit: int) -> Json:
        self._count_new_calls()
        return shown(lambda: self._operations.find_sightings(sha256, path, limit, cursor or None))

    def audit_list(self, cursor: str, limit: int) -> Json:
        return shown(lambda: self._operations.list_changes(int(cursor or 0), limit))

    def guards_show(self) -> Json:
        return shown(lambda: guards_in_force(self._operations.world.config.guards))

    def spend(self, by: Sequence[str], filters: Mapping[str, Any], period: str = "") -> Json:
        self._count_new_calls()
        return shown(lambda: self._operations.spend(by, msgspec.convert(dict(filters), Query), period))

    def focus(self, filters: Mapping[str, Any]) -> Iterator[bytes]:
        self._count_new_calls()
        return guarded(lambda: self._operations.focus(msgspec.convert(dict(filters), Query)))

    def dry_run(self, path: Path, between: Mapping[str, Any]) -> Json:
        self._count_new_calls()
        text = path.read_bytes()
        return shown(lambda: self._operations.dry_run(text, between["since"], between["until"], str(path)))

    def apply(self, path: Path, dry_run: bool) -> Json:
        text = path.read_bytes()
        return shown(lambda: self._operations.apply(text, actor(), dry_run=dry_run, name=str(path)))

    def _reap(self, wanted: Reap, actor: str) -> Reaped:
        """What the control plane does all the time is done here once: calls of dead workers recorded and charged."""
        from fastgate.control.background import Background

        background = Background(self._operations, self._operations.world.config.journal)
        try:
            self._count_new_calls()
            return self._operations.reap(wanted, actor)
        finally:
            background.settle()

    def _count_new_calls(self) -> None:
        """Takes what the last run left in the journal."""
        table = self._operations.calls.table
        guarded(Ingestor(table, self._operations.state.journal_dir).catch_up)


def shown(operation: Callable[[], Any]) -> Json:
    """The answer of an operation as JSON shows it."""
    answer: Json = msgspec.to_builtins(guarded(operation))
    return answer


def guarded(operation: Callable[[], T]) -> T:
    """Runs an operation; its errors as failures of the command."""
    try:
        return operation()
    except OperationError as error:
        raise FAILURES.get(error.kind, Refused)(error.message) from error
    except ConfigErrors as error:
        raise BadInput(f"the configuration has errors.\n{error}", fix="`fastgate check` lists every mistake") from error
    except StateBusyError as error:
        raise Refused(f"{error}.") from error
    except (StateError, StoreError, PepperError) as error:
        raise Refused(f"{error}.") from error
    except OSError as error:
        raise Refused(f"{error.filename or 'the state directory'}: {error.strerror}.") from error
