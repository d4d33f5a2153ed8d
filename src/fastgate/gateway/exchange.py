"""One exchange with one endpoint: what is noted before it, the sending, and what its end means.

The parts of the relay that wait for nothing. Compiled with types (exchange.pxd): each runs once for every attempt.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

from fastgate._core.clock import mono_ns
from fastgate._core.meter import new_meter
from fastgate.errors import Kind, client_gone, endpoint_down, overloaded, provider_credential
from fastgate.journal.flight import encode_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate._core.flight import FlightTable
    from fastgate._core.pump import Pump
    from fastgate.call import Call, Candidate
    from fastgate.gateway.upstream import Pool
    from fastgate.snapshot import Endpoint

log = logging.getLogger("fastgate.relay")

FAILURES = {
    Kind.RESET: "closed the connection before answering",
    Kind.TRUNCATED: "cut its answer short",
    Kind.BAD_RESPONSE: "sent an answer that is not valid HTTP or was not asked for",
    Kind.FIRST_BYTE_TIMEOUT: "did not begin to answer in time",
    Kind.IDLE_TIMEOUT: "stopped in the middle of its answer",
    Kind.TOTAL_TIMEOUT: "was still answering when the time for a call was over",
    Kind.STREAM_ERROR: "broke its stream off with an error",
    Kind.CANCELLED: "was still answering when this gateway had to stop",
}

LEFT = (Kind.CLIENT_GONE.value, Kind.CLIENT_STALLED.value)
"""Failures after which nobody reads on."""


def choose(call: Call, candidate: Candidate) -> None:
    """What the next attempt is made with, and what it is priced at."""
    call.endpoint, call.price, call.bound_nano, model = candidate
    if model != call.model_used:
        call.model = model


def claim(call: Call, flight: FlightTable) -> None:
    """Write the call and its candidate into the flight table: if this worker dies, its charge can still be told."""
    call.begun_ns = mono_ns()
    if call.slot >= 0:
        flight.amend(call.slot, encode_note(call))
        return
    call.slot = flight.claim(call.n, call.at_ns, encode_note(call))
    if call.slot < 0:
        raise overloaded("This gateway has as many calls in flight as it can account for; try again.", 1)


def is_ahead(call: Call) -> bool:
    """Whether the call's first exchange was made before it had a task (plain.py): it is over, and not noted yet."""
    return call.pump is not None and not call.attempts


def begin(
    call: Call,
    pool: Pool,
    pump: Pump,
    head: bytes,
    body: bytes,
    flight: FlightTable,
    told: Callable[[], object] | None = None,
) -> Any:
    """Send the request on a connection; the future of its whole answer, or of a stream's content. With `told` that is
    called in the future's place."""
    request = call.request
    assert request is not None
    stream = request.stream and call.route == "messages"
    call.meter = meter = new_meter(stream)
    call.pool = pool
    call.pump = pump
    call.sent = True
    first_byte_ns, idle_ns, ping_ns = pool.first_byte_ns, pool.idle_ns, pool.ping_ns
    return pump.start(head, body, meter, flight, call.slot, stream, first_byte_ns, idle_ns, ping_ns, pool.hold_ns, told)


def conclude(call: Call, pool: Pool, flight: FlightTable) -> None:
    """Meter a whole answer. GatewayError for an exchange that failed, or an answer that must not reach the client."""
    pump, meter = call.pump, call.meter
    assert pump is not None
    assert meter is not None
    if pump.failure is not None:
        if pump.good and not pump.streaming:
            meter.cut_off(len(pump.body))
        failed(pump.failure, pool.endpoint)
    if pump.status != 200 or pump.encoded:
        check_status(call, pump, pool.endpoint)
    if pump.streaming:
        return
    body = pump.body
    if pump.event_stream and pump.good:  # nobody asked for a stream; it has cost what it says
        call.meter = meter = new_meter(True)
        meter.feed_bytes(body)
        meter.finish()
        flight.note_usage(call.slot, meter.usage, meter.output_bytes)
        failed(Kind.BAD_RESPONSE.value, pool.endpoint)
    call.recast = pool.wire.recast(call, pump.status, body)
    if call.route == "messages" and pump.good:
        meter.read_message(body)
        flight.note_usage(call.slot, meter.usage, meter.output_bytes)


def early_error(call: Call, pump: Pump) -> bool:
    """Whether a stream has failed before its content: an error event, or an end where there should be more."""
    meter = call.meter
    assert meter is not None
    if not pump.streaming or meter.content_started:
        return False
    return meter.errored or (pump.over and not meter.stopped)


def broken_off(call: Call, pool: Pool) -> NoReturn:
    """A stream ended in an error before any of it was passed on: the attempt failed."""
    pump, meter = call.pump, call.meter
    assert pump is not None
    assert meter is not None
    pump.abort()
    failed(Kind.STREAM_ERROR.value if meter.errored else Kind.TRUNCATED.value, pool.endpoint)


def renew(call: Call) -> None:
    """Before an attempt: return the connection of the one before it, and forget what that one came to."""
    if call.pump is not None and call.pool is not None:
        call.pool.give(call.pump)
        call.pump = call.pool = None
    call.outcome = "ok"
    call.error = ""
    call.left_out = ()
    call.recast = None


def accepted(call: Call, pool: Pool, why: str) -> None:
    """Note an attempt whose answer is the client's. `why`: what came between, where it is not the one planned first."""
    note_attempt(call, "")
    call.throttled = False  # an earlier attempt was; this one has an answer
    pool.breaker.succeeded()
    pump = call.pump
    if call.decision is not None and pump is not None and pump.streaming:
        now_ns = mono_ns()
        pool.pace.answered((now_ns - call.begun_ns) // 1000, now_ns)
    if call.home and call.home != pool.label:
        tell(call, f"hop;{call.home};{why or call.reason}")
    if call.left_out:
        tell(call, f"left-out;{','.join(call.left_out)}")


def passed_on(call: Call, transport: Any) -> bool:
    """Note how a stream that the client was given has ended. False where it broke off, and its client must see that it
    did; one that has left sees nothing."""
    pump, meter, review = call.pump, call.meter, call.review
    assert pump is not None
    assert meter is not None
    call.response_bytes = pump.bytes_out if review is None else review.bytes_out
    failure = pump.failure
    if call.tap is not None and failure not in LEFT:
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
        return True
    call.error = failure
    if failure in LEFT:
        call.outcome = "client_gone"
    else:
        call.outcome = "cancelled" if failure == "cancelled" else "upstream_error"
    return False


def tell(call: Call, what: str) -> None:
    """Add to what the `-routed` header and the record say of the call's way."""
    call.routed = f"{call.routed};{what}" if call.routed else what


def check_status(call: Call, pump: Pump, endpoint: Endpoint) -> None:
    """Raise for what must not reach the client as it is: the provider refusing our key, redirects, what cannot be
    metered. Other errors pass, and end the call as failed."""
    if pump.status in (401, 403):
        log.error(
            "endpoint %s refused this gateway's credential with %d; calls to it fail until its api_key is right",
            f"{endpoint.name}/{endpoint.key}" if endpoint.key else endpoint.name,
            pump.status,
        )
        raise provider_credential(endpoint.name)
    if 300 <= pump.status < 400 or (pump.encoded and pump.good):
        failed(Kind.BAD_RESPONSE.value, endpoint)
    if pump.status >= 400:
        call.outcome, call.error = "upstream_error", Kind.UPSTREAM_STATUS.value


def failed(failure: str, endpoint: Endpoint) -> NoReturn:
    """Raise what a failed exchange means."""
    kind = Kind(failure)
    if kind is Kind.CLIENT_GONE:
        raise client_gone()
    raise endpoint_down(kind, f"Endpoint {endpoint.name} {FAILURES[kind]}.")


def note_attempt(call: Call, error: str) -> None:
    pump, endpoint = call.pump, call.endpoint
    assert endpoint is not None
    status = pump.status if pump is not None else 0
    spent_us = (mono_ns() - call.begun_ns) // 1000
    name = f"{endpoint.name}/{endpoint.key}" if endpoint.key else endpoint.name
    call.attempts.append((name, call.model_used, status, error, spent_us, 0))
