"""Relay: carries one call to an endpoint and its answer back. Bytes pass once; nothing is decided about money here.

Until an answer's content begins nothing of it has reached the client, and a failed attempt is followed by another: at
the next endpoint, or at the same after a pause. After that the stream is the client's.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastgate._core.credit import Credit
from fastgate.clock import mono_ns
from fastgate.errors import GatewayError, Kind, client_gone, draining, endpoint_down
from fastgate.gateway import answer, waiting
from fastgate.gateway.attempts import (
    AGAIN,
    ELSEWHERE,
    UNSENT,
    attempt_cost,
    pause_s,
    throttles,
    wait_of,
    worth_another,
)
from fastgate.gateway.exchange import (
    LEFT,
    accepted,
    begin,
    broken_off,
    choose,
    claim,
    conclude,
    early_error,
    is_ahead,
    note_attempt,
    passed_on,
    renew,
)
from fastgate.gateway.parting import part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastgate._core.flight import FlightTable
    from fastgate._core.pump import Pump
    from fastgate._core.rates import Gate
    from fastgate.call import Call, Candidate
    from fastgate.gateway.upstream import Pool, Upstreams

    Extend = Callable[[int, Any, Any, int], Awaitable[bool]]
    """Lending.extend: hold more for another attempt."""

    MoveOn = Callable[[GatewayError | None], Awaitable[bool]]
    """Whether the call has gone on to another model that it names; told how its own has failed."""

IDLE_CLOSE_NS = 1_000_000_000
"""A server that ends an idle connection does so while the request is on its way: some round trips, and a busy loop."""

TOO_MANY = 429
"""The status of a key that has used up its limit."""

log = logging.getLogger("fastgate.relay")


async def carry(
    call: Call, plan: list[Candidate], upstreams: Upstreams, flight: FlightTable, extend: Extend, move_on: MoveOn
) -> bool:
    """Send the call to the first candidate that takes it, and wait for its content or whole answer: in rounds over the
    plan, healthy endpoints first, until attempts or time are used up. True after one where it has moved on instead;
    else `call.pump` holds a stream that has come to its content, or a whole answer: also the last provider's refusal,
    as it came. GatewayError otherwise."""
    limits = call.snapshot.limits
    until_ns = call.start_ns + int(limits.retry_s * 1e9)
    left, rounds, asked_s, first = limits.attempts, 0, 0.0, plan[0]
    failure: GatewayError | None = None
    refused: Pump | None = None
    while True:
        down: set[str] = set()
        for candidate in upstreams.ordered(plan, down):
            if left == 0:
                break
            ahead = is_ahead(call)
            pool = call.pool
            if not ahead:
                pool, wait_s = await place(call, candidate, upstreams, flight, extend)
                if pool is None:
                    asked_s = wait_s or asked_s
                    continue
            left -= 1
            failure = None
            try:
                await attempt(call, pool, flight, ahead)
            except GatewayError as exc:
                failure = exc.bare()
                left += exc.kind in UNSENT
                if exc.kind in ELSEWHERE:
                    plan = [other for other in plan if other is not candidate]
                elif exc.kind not in AGAIN:
                    note_attempt(call, exc.kind.value)
                    raise
            pump = call.pump
            if failure is None and pump is not None and not worth_another(pump):
                accepted(call, pool, "" if candidate is first else "failed" if call.attempts else "unhealthy")
                return False
            asked_s = lost(call, pool, failure, down)
            refused = pump if failure is None else None
        rounds += 1
        if call.preferred:
            held = call.hold
            if await move_on(failure if failure or refused else nowhere()):
                return True
            if held and not call.hold:
                break  # what it gave up for another model is held by others now
        pause = pause_s(rounds, asked_s)
        if left == 0 or rounds == limits.attempts or not plan or mono_ns() + pause * 1e9 > until_ns:
            break
        await waiting.pause(call, pause)
    if failure is not None or refused is None:
        raise failure or nowhere()
    call.outcome, call.error = "upstream_error", Kind.UPSTREAM_STATUS.value
    return False


async def place(
    call: Call, candidate: Candidate, upstreams: Upstreams, flight: FlightTable, extend: Extend
) -> tuple[Pool | None, float]:
    """Make ready for an attempt: the one before it is buried, the money is held, the endpoint's own limits let the call
    in, and the flight table has it. No pool where one of them says no; and the seconds to wait, where they are known.
    """
    if call.attempts:
        bury(call)
    if (more := lacking(call, candidate[2])) and not await extend(call.n, call.draw, call.hold, more):
        return None, 0.0
    choose(call, candidate)
    pool = upstreams.pool(candidate[0], call.snapshot.limits)
    if pool.gate is not None and not enter(call, pool.gate):
        return None, pool.gate.wait_ns / 1e9
    claim(call, flight)
    return pool, 0.0


def nowhere() -> GatewayError:
    return endpoint_down(Kind.NO_ENDPOINT, "No endpoint of this gateway can take this call now.")


def lost(call: Call, pool: Pool, failure: GatewayError | None, down: set[str]) -> float:
    """Note an attempt that failed, and what it says about its endpoint: in `down` where its other keys would fail too.
    The seconds that the provider asks to wait."""
    pump, endpoint = call.pump, pool.endpoint
    asked_s = wait_of(pump) if failure is None and pump is not None else 0.0
    error = failure.kind.value if failure is not None else Kind.UPSTREAM_STATUS.value
    note_attempt(call, error)
    call.throttled = call.throttled or throttles(call, error)
    log.warning("%s: %s: %s", call.id, pool.label, failure.message if failure is not None else error)
    if failure is None or failure.kind is not Kind.UNSUPPORTED:
        pool.breaker.failed(mono_ns(), int(asked_s * 1e9))
    if endpoint.key and not of_key(failure, pump):
        down.add(endpoint.name)
    return asked_s


def of_key(failure: GatewayError | None, pump: Pump | None) -> bool:
    """Whether an attempt failed for its key: another key of the endpoint may do better at once."""
    if failure is not None:
        return failure.kind is Kind.PROVIDER_CREDENTIAL
    return pump is not None and pump.status == TOO_MANY


def enter(call: Call, gate: Gate) -> bool:
    """Through the gate of an endpoint's key, where its limits let the call in."""
    if gate.enter(mono_ns()):
        return False
    call.key_gate = gate
    return True


def leave(call: Call) -> None:
    """Out of it again."""
    gate = call.key_gate
    if gate is not None:
        call.key_gate = None
        gate.leave(call.limited_tokens, mono_ns())


def bury(call: Call) -> None:
    """Before another attempt: what the one before it may have cost is kept. The last one's is the ledger's to find."""
    leave(call)
    if call.meter is None:
        return  # it was never sent, or is buried already
    endpoint, model, status, error, spent_us, _ = call.attempts[-1]
    cost_nano = attempt_cost(call, error)
    call.attempts[-1] = (endpoint, model, status, error, spent_us, cost_nano)
    call.attempted_nano += cost_nano
    call.meter = None


def lacking(call: Call, bound_nano: int) -> int:
    """What the call's hold lacks for an attempt of that bound, in nano-dollars. One that failed before may have cost
    what was held for it."""
    return max(0, call.attempted_nano + bound_nano - call.hold.nano) if call.hold is not None else 0


async def attempt(call: Call, pool: Pool, flight: FlightTable, ahead: bool = False) -> None:
    """One try at one endpoint; a kept connection that turns out closed is replaced once. `ahead`: the exchange is over
    already (is_ahead)."""
    pump = call.pump if ahead else None
    if pump is None or closed_unread(call, pump):
        pump = await exchange(call, pool, flight, replacing=pump is not None)
    conclude(call, pool, flight)
    if pump.streaming and early_error(call, pump):
        broken_off(call, pool)


async def exchange(call: Call, pool: Pool, flight: FlightTable, replacing: bool = False) -> Pump:
    """Send the call on a connection of the pool, and once more on a new one where that was kept and turns out closed.
    `replacing`: one has."""
    renew(call)
    wire = pool.wire
    if wire.credential is not None:
        await wire.credential.ready_for(wire.endpoint.name)
    head, body = wire.request(call)
    while True:
        pump = (None if replacing else pool.take()) or await pool.dial()
        if call.watched is not None and call.watched.done():
            pool.give(pump)
            raise client_gone()  # while it waited for the connection or a guard: nothing is bought for nobody
        if call.late:
            pool.give(pump)
            raise draining()
        await begin(call, pool, pump, head, body, flight)
        if not closed_unread(call, pump):
            return pump
        replacing = True


def closed_unread(call: Call, pump: Pump) -> bool:
    """Whether a kept connection has closed before any byte of the answer, as a server ends an idle one. One that closes
    later may have worked on the call: that is an attempt."""
    if pump.failure != "reset" or pump.exchanges == 1 or pump.received:
        return False
    return mono_ns() - call.begun_ns < IDLE_CLOSE_NS


async def pass_on(call: Call, locate: Callable[[Callable[[], None]], None]) -> object:
    """Stream the answer to the client until it ends; returns the server's transport for the closing line.

    A stream that broke off is cut, so that the client sees a broken stream and not a short one.
    """
    pump = call.pump
    assert pump is not None
    transport = answer.begin_stream(call, pump)
    credit = Credit(call.client)
    ended = pump.attach(answer.sender(call, transport), credit, locate)
    try:
        if not ended.done():
            await ended
        if call.review is not None and pump.failure not in LEFT:
            await call.review.settled()
    finally:
        if call.review is not None:
            call.review.close()
    if passed_on(call, transport):
        return transport
    if pump.failure != Kind.CLIENT_GONE.value:
        await part(credit, locate)
    return None
