"""The RSGI application: routes a request to the pipeline or to a local answer. Owns paths and early refusals.

Only Anthropic's own paths cost money, and only through the pipeline; whatever is not named here is 404.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from fastgate.call import Downstream
from fastgate.dialects.downstream import DialectSide
from fastgate.dialects.front import match
from fastgate.errors import GatewayError, draining, not_found, shedding
from fastgate.gateway import arrivals, increases, local, pipeline
from fastgate.gateway.opening import ANSWERED
from fastgate.gateway.plain import BILLABLE, Plain, new_call, open_call
from fastgate.gateway.pressure import CALM, ClosingSide, ClosingWatcher
from fastgate.gateway.rooms import edge
from fastgate.gateway.worker import Worker, worker_from_environ
from fastgate.proc import become_worker

if TYPE_CHECKING:
    from fastgate.gateway.opening import Answered, Watcher

log = logging.getLogger("fastgate.app")

ALIVE = frozenset(("/", "/api/hello", "/healthz"))


RETRY_SPREAD_S = 4
"""Refused clients are sent away for one to four seconds, so that they do not come back together."""


def asked_for(scope: Any) -> str:
    """The path, also where a base URL that ends in /v1 was given."""
    path: str = scope.path
    return path[3:] if path.startswith("/v1/v1/") or path == "/v1/api/hello" else path


class App:
    """What Granian calls: `__rsgi_init__` once in a worker, `__rsgi__` for each request."""

    worker: Worker

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        become_worker(loop)
        self.worker = worker_from_environ(loop)
        arrivals.install(self)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.worker.close()

    async def __rsgi__(self, scope: Any, proto: Downstream) -> None:
        path = asked_for(scope)
        route, front = BILLABLE.get(path), None
        if route is None and scope.method == "POST" and (front := match(path)) is not None:
            route, proto = front.route, DialectSide(proto, front)
        if route is None or scope.method != "POST":
            await self.other(scope, proto, path)
            return
        worker = self.worker
        if worker.board.draining:
            local.refuse(worker, proto, draining())
            return
        if worker.pressure.closing(len(worker.calls)):  # `open` has refused what is too much
            proto = ClosingSide(proto)
        call = new_call(worker, scope, proto, route)
        if front is not None:
            call.query, call.front = "", front
        worker.calls[call.n] = call
        try:
            await pipeline.run(call, worker, scope.headers.items())
        finally:
            del worker.calls[call.n]

    def open(self, watcher: Watcher) -> Plain | Answered | None:
        """Begin a plain call, or shed one; None for any other request. Called by the server's thread (arrivals.py)."""
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
        pressure, in_flight = worker.pressure, len(worker.calls)
        counted = scope.path in BILLABLE  # by open_call
        if (pressure.again(in_flight) if counted else pressure.level(in_flight)) == CALM:
            return False
        local.refuse(worker, proto, shedding(1 + worker.next_number() % RETRY_SPREAD_S))
        watcher.done()
        return True

    async def other(self, scope: Any, proto: Downstream, path: str) -> None:
        """Everything that is not billable: liveness, readiness, the key's own view, 404."""
        try:
            # HTTP/1.0 knows no Host, and that is how load balancers ask whether we live.
            edge.judge_head(scope.headers.items(), scope.authority, host_needed=scope.http_version != "1")
        except GatewayError as error:
            local.refuse(self.worker, proto, error)
            return
        if scope.method in ("GET", "HEAD"):
            if path in ALIVE:
                send(proto, 200, b'{"status":"ok"}')
                return
            if path == "/readyz":
                ready = self.worker.ready
                send(proto, 200 if ready else 503, b'{"ready":true}' if ready else b'{"ready":false}')
                return
            answered = await local.answer(self.worker, scope, proto, path)
            if answered:
                return
        elif scope.method == "POST" and path == increases.PATH:
            await increases.answer(self.worker, scope, proto)
            return
        local.refuse(self.worker, proto, not_found(path))


def send(proto: Downstream, status: int, body: bytes) -> None:
    proto.response_bytes(status, [("content-type", "application/json")], body)


app = App()
