"""The RSGI application: routes a request to the pipeline or to a local answer. Owns paths and early refusals.

Only Anthropic's own paths cost money, and only through the pipeline; whatever is not named here is 404.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from fastgate.call import Downstream
from fastgate.dialects.downstream import DialectSide
from fastgate.dialects.front import match
from fastgate.errors import GatewayError, draining, not_found
from fastgate.gateway import arrivals, increases, local, pipeline
from fastgate.gateway.door import Door, asked_for
from fastgate.gateway.plain import BILLABLE, new_call
from fastgate.gateway.pressure import ClosingSide
from fastgate.gateway.rooms import edge
from fastgate.gateway.worker import worker_from_environ
from fastgate.proc import become_worker

log = logging.getLogger("fastgate.app")

ALIVE = frozenset(("/", "/api/hello", "/healthz"))


class App(Door):
    """What Granian calls: `__rsgi_init__` once in a worker, `__rsgi__` for each request."""

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
