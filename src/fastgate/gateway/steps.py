"""The steps of a call that wait for nothing: before its body, after it, and its end.

Both ways of a call are made of them: the task's (pipeline.py, which tells the whole order) and the plain one's
(plain.py). Compiled with types (steps.pxd).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastgate.call import Call
from fastgate.errors import GatewayError, internal
from fastgate.gateway.answer import closing_line, send_error, send_hit, send_whole
from fastgate.gateway.rooms import cache, policy, relay
from fastgate.gateway.rooms.edge import open_body, open_call
from fastgate.gateway.rooms.identity import identify
from fastgate.gateway.rooms.journal import encode
from fastgate.gateway.rooms.ledger import release, settle
from fastgate.gateway.rooms.policy import admit
from fastgate.gateway.rooms.route import learn

if TYPE_CHECKING:
    from fastgate.gateway.worker import Worker

log = logging.getLogger("fastgate.pipeline")

Items = list[tuple[str, str]]
"""Header lines as the server gives them."""


def enter(call: Call, worker: Worker, items: Items) -> None:
    """Through the rooms before the body."""
    open_call(call, items)
    identify(call, worker.digester)


def proceed(call: Call, worker: Worker) -> None:
    """Through the rooms that look at the body first."""
    open_body(call)
    admit(call, worker.rates)


def failed(call: Call, cause: Exception) -> GatewayError:
    """Note how the call ended, by a failure that was foreseen or by a defect of ours; what its client is told."""
    if isinstance(cause, GatewayError):
        error = cause.bare()
    else:
        log.error("%s failed", call.id, exc_info=cause)
        error = internal()
    call.fail(error)
    return error


def finish(call: Call, worker: Worker, error: GatewayError | None, transport: Any) -> None:
    """Charge, answer, record. Runs once for every call and never awaits. Whatever fails on the way, nothing that others
    wait for stays with the call."""
    try:
        round_off(call, worker, error, transport)
        record = encode(call)
    except BaseException:
        give_back(call, worker)
        raise
    worker.close_call(call, record)


def give_back(call: Call, worker: Worker) -> None:
    """After a defect in its end: the call has no record, so its slot stays taken and tells the charge when the worker
    ends; all else that it has is free again."""
    if call.hold is not None:
        call.hold.settle(call.cost_nano or (call.bound_nano if call.sent else 0))
    if call.gate is not None:
        policy.leave(call)
    if call.key_gate is not None:
        relay.leave(call)
    if call.watched is not None:
        call.watched.cancel()
    if call.pump is not None:
        call.pump.abort()
        call.pump = None
    call.tap = call.review = None
    if call.asked is not None:
        cache.end(call, worker.cached)


def round_off(call: Call, worker: Worker, error: GatewayError | None, transport: Any) -> None:
    """Charge and answer."""
    settle(call)
    release(call)
    if call.hold is not None:
        worker.prefixes.keep(call)
    if call.snapshot.router is not None:
        learn(call)
    if call.gate is not None:
        policy.leave(call)
    if call.key_gate is not None:
        relay.leave(call)
    if transport is not None:
        transport.send_bytes(closing_line(call))
    elif not call.answered:
        if error is not None:
            send_error(call, error)
        elif call.hit is not None:
            send_hit(call, *call.hit)
        elif call.pump is not None:
            send_whole(call, call.pump)
    if call.asked is not None:
        cache.end(call, worker.cached)
