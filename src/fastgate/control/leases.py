"""What workers have leased, asked and ended by hand: `fastgate budgets reap`.

Money of a worker whose death is proven is freed once all of its calls are charged; that of one that may still spend it
is kept, or charged whole when somebody says so. Every end is an audit event. Owns the judgement; charging.py knows who
is dead, the store moves the money.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastgate._core.money import format_usd
from fastgate.amounts import dollars
from fastgate.control import shapes_budgets as shapes
from fastgate.control.charging import Charging, Standing
from fastgate.control.errors import OperationError
from fastgate.log import Log
from fastgate.state import StateDir
from fastgate.stores.ledger_port import LedgerStore
from fastgate.stores.ports import Change
from fastgate.workers import live_workers

log = Log("leases")

WHY: dict[Standing, str] = {
    "alive": "it answers, and gives back what it does not need",
    "frozen": "it does not answer, but its process is there and may spend what it has leased",
    "unreadable": "it is dead, but what it had in flight cannot be read, so nobody knows what it has spent",
    "dead": "it is dead; its last calls are being charged, then the rest is free",
}

Done = Literal["freed", "charged", "kept"]


class Leases:
    """The leases of one state directory. `recover` records what dead workers had in flight; `note` writes an audit
    event."""

    def __init__(
        self,
        state: StateDir,
        counters: LedgerStore,
        charging: Charging,
        recover: Callable[[], object],
        note: Callable[[Change, str], None],
    ) -> None:
        self._state = state
        self._counters = counters
        self._charging = charging
        self._recover = recover
        self._note = note

    def reap(self, worker: str | None, charge: bool, actor: str) -> shapes.Reaped:
        """Frees what is provably nobody's any more. With `charge`, all that `worker` has leased is charged: a cap may
        then be used up by money that was never spent, but it holds. Raises OperationError."""
        if charge and worker is None:
            raise OperationError("invalid", "worker: name the one whose leases are to be charged whole.")
        before = {epoch: sum(self._counters.leased(epoch).values()) for epoch in self._counters.workers()}
        if worker is not None and worker not in before:
            raise OperationError("not_found", f"worker {worker} has leased nothing.")
        self._recover()
        freed_nano = charged_nano = 0
        items = []
        for epoch, nano in self._charging.look_after().items():
            freed_nano += nano
            self._write(epoch, "dead", nano, "freed", actor)
            items.append(_lease(epoch, None, "dead", nano, "freed", "it is dead, and all of its calls are charged"))
        pids = {header.epoch: header.pid for header in live_workers(self._state)}
        for epoch, state in self._counters.workers().items():
            nano = 0 if state == "reaped" else sum(self._counters.leased(epoch).values())
            standing = self._charging.standing(epoch, state)
            done: Done = "kept"
            if epoch == worker:
                if not charge or standing not in ("frozen", "unreadable"):
                    raise OperationError("conflict", f"worker {epoch} keeps ${dollars(nano)}: {WHY[standing]}.")
                nano = self._charging.charge_whole(epoch)
                charged_nano += nano
                done = "charged"
                self._write(epoch, standing, nano, done, actor)
            items.append(_lease(epoch, pids.get(epoch), standing, nano, done, WHY[standing]))
        return shapes.Reaped(items=items, freed=format_usd(freed_nano), charged=format_usd(charged_nano))

    def _write(self, epoch: str, standing: Standing, nano: int, done: Done, actor: str) -> None:
        log.warning("a worker's leases are ended by hand", epoch=epoch, standing=standing, done=done, nano=nano)
        before = {"standing": standing, "leased_nano": nano}
        self._note(Change("reap", "worker", epoch, before, {f"{done}_nano": nano}), actor)


def _lease(epoch: str, pid: int | None, standing: Standing, nano: int, done: Done, why: str) -> shapes.Lease:
    return shapes.Lease(worker=epoch, pid=pid, standing=standing, leased=format_usd(nano), done=done, why=why)
