"""The door: what becomes of a request in the server's own thread, before the loop hears of it.

A plain call begins, one that is too much is refused, any other goes the server's own way. Compiled (door.pxd): once for
every call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgate.dialects.downstream import DialectSide
from fastgate.dialects.front import match
from fastgate.errors import shedding
from fastgate.gateway import local
from fastgate.gateway.opening import ANSWERED
from fastgate.gateway.plain import BILLABLE, Plain, open_call
from fastgate.gateway.pressure import CALM, ClosingWatcher
from fastgate.gateway.worker import Worker

if TYPE_CHECKING:
    from fastgate.gateway.opening import Answered, Watcher

RETRY_SPREAD_S = 4
"""Refused clients are sent away for one to four seconds, so that they do not come back together."""


def asked_for(scope: Any) -> str:
    """The path, also where a base URL that ends in /v1 was given."""
    path: str = scope.path
    return path[3:] if path.startswith("/v1/v1/") or path == "/v1/api/hello" else path


class Door:
    """That of one worker."""

    worker: Worker

    def open(self, watcher: Watcher) -> Plain | Answered | None:
        """Begin a plain call, or shed one; None for any other request. As arrivals.py asks."""
        worker = self.worker
        if worker.pressure.closing(len(worker.calls)):
            opened = open_call(worker, ClosingWatcher(watcher))
        else:
            opened = open_call(worker, watcher)
        if opened is None and self.shed_at_once(watcher):
            return ANSWERED
        return opened

    def shed_at_once(self, watcher: Watcher) -> bool:
        """Refuse what an overloaded worker takes no more of, and not in the loop's queue: the loop is what is late."""
        scope, proto, worker = watcher.scope, watcher.proto, self.worker
        if scope.method != "POST" or worker.board.draining:
            return False
        path = asked_for(scope)
        if path not in BILLABLE:
            if (front := match(path)) is None:
                return False
            proto = DialectSide(proto, front)
        if worker.pressure.level(len(worker.calls)) == CALM:
            return False
        local.refuse(worker, proto, shedding(1 + worker.next_number() % RETRY_SPREAD_S))
        watcher.done()
        return True
