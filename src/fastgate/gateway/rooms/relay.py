"""Relay: carries one call to an endpoint and its answer back. Bytes pass once; nothing is decided about money here.

Before the first byte of an answer a failed try may go to the next endpoint, but only when nothing can have been
processed: the connection was refused, or a kept connection closed as we used it. After it, the stream is the client's.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

from fastgate._core.credit import Credit
from fastgate._core.meter import Meter
from fastgate.clock import mono_ns
from fastgate.errors import GatewayError, Kind, client_gone, endpoint_down, overloaded, provider_credential
from fastgate.gateway import answer
from fastgate.journal.flight import encode_note

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastgate._core.escrow import Hold
    from fastgate._core.flight import FlightTable
    from fastgate._core.pump import Pump
    from fastgate.call import Call, Candidate
    from fastgate.gateway.upstream import Pool, Upstreams
    from fastgate.snapshot import Endpoint

    Extend = Callable[[int, Any, Hold, int], Awaitable[bool]]
    """Lending.extend: hold more for another attempt."""

log = logging.getLogger("fastgate.relay")

ELSEWHERE = frozenset((Kind.CONNECT, Kind.CONNECT_TIMEOUT, Kind.UNSUPPORTED))
"""Failures after which nothing can have been processed, so that another endpoint may be tried."""

FAILURES = {
    Kind.RESET: "closed the connection before answering",
    Kind.TRUNCATED: "cut its answer short",
    Kind.BAD_RESPONSE: "sent an answer that is not valid HTTP or was not asked for",
    Kind.FIRST_BYTE_TIMEOUT: "did not begin to answer in time",
    Kind.IDLE_TIMEOUT: "stopped in the middle of its answer",
    Kind.TOTAL_TIMEOUT: "was still answering when the time for a call was over",
    Kind.CANCELLED: "was still answering when this gateway had to stop",
}


async def carry(call: Call, plan: list[Candidate], upstreams: Upstreams, flight: FlightTable, extend: Extend) -> None:
    """Send the call to the first candidate of the plan that takes it, and wait for its head or whole answer.

    Returns with `call.pump` holding a stream's head or a whole answer; GatewayError otherwise.
    """
    failure: GatewayError | None = None
    for candidate in plan:
        if call.hold is not None and not await covered(call, call.hold, candidate[2], extend):
            continue
        call.endpoint, call.price, call.bound_nano = candidate
        endpoint = candidate[0]
        claim(call, flight)
        pool = upstreams.pool(endpoint, call.snapshot.limits)
        begun_ns = mono_ns()
        try:
            await attempt(call, pool, flight)
        except GatewayError as exc:
            note_attempt(call, endpoint, begun_ns, exc.kind.value)
            failure = exc
            if exc.kind not in ELSEWHERE:
                raise
            log.warning("%s: %s", call.id, exc.message)
            continue
        note_attempt(call, endpoint, begun_ns, "")
        if call.left_out:
            told = f"left-out;{','.join(call.left_out)}"
            call.routed = f"{call.routed};{told}" if call.routed else told
        return
    raise failure or endpoint_down(Kind.NO_ENDPOINT, "No endpoint is configured on this gateway.")


async def covered(call: Call, hold: Hold, bound_nano: int, extend: Extend) -> bool:
    """Whether the hold covers an attempt of that bound. One that failed before may have cost what was held for it."""
    lacking_nano = call.attempted_nano + bound_nano - hold.nano
    return lacking_nano <= 0 or await extend(call.n, call.draw, hold, lacking_nano)


def claim(call: Call, flight: FlightTable) -> None:
    """Write the call and its candidate into the flight table: if this worker dies, its charge can still be told."""
    if call.slot >= 0:
        flight.amend(call.slot, encode_note(call))
        return
    call.slot = flight.claim(call.n, call.at_ns, encode_note(call))
    if call.slot < 0:
        raise overloaded("This gateway has as many calls in flight as it can account for; try again.", 1)


async def attempt(call: Call, pool: Pool, flight: FlightTable) -> None:
    """One try at one endpoint; a kept connection that turns out closed is replaced once."""
    request = call.request
    assert request is not None
    stream = request.stream and call.route == "messages"
    call.meter = meter = Meter.of(stream=stream)
    wire = pool.wire
    if wire.credential is not None:
        await wire.ready()
    head, body = wire.request(call)
    while True:
        pump = pool.take() or await pool.dial()
        call.pool, call.pump, call.sent = pool, pump, True
        await pump.start(
            head,
            body,
            meter,
            flight,
            call.slot,
            stream,
            pool.first_byte_ns,
            pool.idle_ns,
            pool.ping_ns,
        )
        if not (pump.failure == "reset" and pump.exchanges > 1 and not pump.received):
            break
    if pump.failure is not None:
        failed(pump.failure, pool.endpoint)
    check_status(call, pump, pool.endpoint)
    if pump.streaming:
        return
    call.recast = wire.recast(call, pump.status, pump.body)
    if call.route == "messages" and pump.status == 200:
        meter.read_message(pump.body)
        flight.note_usage(call.slot, meter.usage, meter.output_bytes)


def check_status(call: Call, pump: Pump, endpoint: Endpoint) -> None:
    """Raise for what must not reach the client as it is: the provider refusing our key, redirects, what cannot be
    metered. Other errors pass, and end the call as failed."""
    if pump.status in (401, 403):
        log.error(
            "endpoint %s refused this gateway's credential with %d; calls to it fail until its api_key is right",
            endpoint.name,
            pump.status,
        )
        raise provider_credential(endpoint.name)
    if 300 <= pump.status < 400 or (pump.encoded and pump.status == 200):
        failed(Kind.BAD_RESPONSE.value, endpoint)
    if pump.status >= 400:
        call.outcome, call.error = "upstream_error", Kind.UPSTREAM_STATUS.value


def failed(failure: str, endpoint: Endpoint) -> NoReturn:
    """Raise what a failed exchange means."""
    kind = Kind(failure)
    if kind is Kind.CLIENT_GONE:
        raise client_gone()
    raise endpoint_down(kind, f"Endpoint {endpoint.name} {FAILURES[kind]}.")


def note_attempt(call: Call, endpoint: Endpoint, begun_ns: int, error: str) -> None:
    pump = call.pump
    status = pump.status if pump is not None and call.endpoint is endpoint else 0
    call.attempts.append((endpoint.name, call.model_used, status, error, (mono_ns() - begun_ns) // 1000, 0))


async def pass_on(call: Call, locate: Callable[[Callable[[], None]], None]) -> object:
    """Stream the answer to the client until it ends; returns the server's transport for the closing line.

    Sets the outcome. A stream that broke off is cut, so that the client sees a broken stream and not a short one.
    """
    pump, meter = call.pump, call.meter
    assert pump is not None and meter is not None
    transport = answer.begin_stream(call, pump)
    credit = Credit(call.client)
    ended = pump.attach(answer.sender(call, transport), credit, locate)
    if not ended.done():
        await ended
    call.response_bytes = pump.bytes_out
    failure = pump.failure
    if call.tap is not None and failure not in ("client_gone", "client_stalled"):
        kept = call.tap.finish()
        if kept:
            transport.send_bytes(kept)
    if failure is None:
        if pump.client_gone:  # others lived on it to its end
            call.outcome, call.error = "client_gone", Kind.CLIENT_GONE.value
        elif meter.errored:
            call.outcome, call.error = "upstream_error", Kind.STREAM_ERROR.value
        elif not meter.stopped:
            call.outcome, call.error = "upstream_error", Kind.TRUNCATED.value
        return transport
    call.error = failure
    if failure in ("client_gone", "client_stalled"):
        call.outcome = "client_gone"
    else:
        call.outcome = "cancelled" if failure == "cancelled" else "upstream_error"
    if failure != "client_gone":
        await answer.cut(credit, locate)
    return None
