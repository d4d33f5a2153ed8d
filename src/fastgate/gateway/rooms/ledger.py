"""Ledger: what the call cost. Every outcome that reached a provider is charged; usage that is unknown is never zero."""

from __future__ import annotations

from fastgate.call import Call
from fastgate.gateway.attempts import INPUT_BYTES_PER_TOKEN, WAITED, estimated
from fastgate.routing.savings import savings

__all__ = ["INPUT_BYTES_PER_TOKEN", "release", "settle"]


def settle(call: Call) -> None:
    """Fill usage, its state and the cost. Called once, in every outcome, before the answer's end is written. What
    attempts before the last may have cost is part of it."""
    price_answer(call)
    if call.usage is not None and (call.model_asked or call.endpoint is not call.snapshot.endpoints[0]):
        compare(call)
    if call.attempted_nano or len(call.attempts) > 1:
        if call.meter is not None and call.attempts:  # else it is buried: its cost stands there already
            call.attempts[-1] = (*call.attempts[-1][:5], call.cost_nano)
        call.cost_nano += call.attempted_nano


def price_answer(call: Call) -> None:
    """The usage of the last attempt, and its cost."""
    meter, row = call.meter, call.price
    if meter is None or row is None or not call.sent or call.route == "count_tokens" or refused_upstream(call):
        return
    usage = meter.usage
    if usage.final and not usage.malformed:
        call.usage_state = "exact"
    elif usage.seen:
        usage = meter.floor()
        call.usage_state = "partial"
    elif call.outcome == "upstream_error" and not meter.started and not perhaps_billed(call):
        return
    else:
        usage = estimated(call, meter.floor().output_tokens)
        call.usage_state = "missing"
    call.usage = usage
    try:
        call.cost_nano = row.cost(usage)
    except OverflowError:  # counts that no model can reach: the most the call can cost is charged instead
        call.usage_state, call.cost_nano = "partial", call.bound_nano
    if call.usage_state != "exact" and call.snapshot.limits.unknown_usage == "bound":
        call.cost_nano = max(call.cost_nano, call.bound_nano)


def compare(call: Call) -> None:
    """What another model, and another endpoint than the first, has saved. Nothing where a bound was charged: what the
    call has used is not known then."""
    endpoint, usage, request = call.endpoint, call.usage, call.request
    assert endpoint is not None
    assert usage is not None
    assert request is not None
    if call.usage_state != "exact" and call.snapshot.limits.unknown_usage == "bound":
        return
    asked, step, warm = call.model_asked or request.model, call.ladder, 0
    if step is not None and step[1] == asked and not step[3]:
        warm = step[7] - step[8]
    saved = savings(call.snapshot, asked, endpoint, usage, call.cost_nano, warm)
    call.saved_downgrade_nano, call.saved_arbitration_nano = saved
    call.saved_nano = saved.downgrade_nano + saved.arbitration_nano


def release(call: Call) -> None:
    """End the call's hold with what it cost, nothing where it was never sent. Once, in every outcome; never waits."""
    if call.hold is not None:
        call.hold.settle(call.cost_nano)


def refused_upstream(call: Call) -> bool:
    """An HTTP error of the provider costs nothing, nor does an error as a stream's first event (attempt_cost says the
    same of an attempt before the last); a stream's late error does, and has status 200."""
    meter = call.meter
    if meter is not None and meter.errored and not meter.started:
        return True
    return call.pump is not None and call.pump.status >= 300


def perhaps_billed(call: Call) -> bool:
    """Whether a provider of whom no usage came may yet have done the work: it had begun a good answer, or it was still
    at it when we stopped waiting. One that broke off before any answer had nothing to bill."""
    return call.error in WAITED or (call.pump is not None and call.pump.good)
