"""Ladder: another model than the one asked for: where a rule says so, where that one is throttled everywhere, or where
it fails and the request names others.

The decision is fastgate.routing's; here is when it is asked for, and what it is told of budgets. A budget's own steps
down the cascade are the hold's to ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.clock import mono_ns
from fastgate.errors import Kind
from fastgate.gateway.attempts import AGAIN, ELSEWHERE, attempt_cost, worth_another
from fastgate.routing.ladder import Ladder

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.errors import GatewayError
    from fastgate.gateway.lending import Lending


UNKNOWN_MODEL = 404
"""The status of a provider that does not know the model."""


def apply(call: Call, lending: Lending) -> None:
    """Let the rules decide about the call."""

    def stage() -> str:
        selection, who = lending.allowances.selection, call.principal
        assert who is not None
        if selection is None:
            return ""
        try:
            return lending.allowances.draw(who, call.session, call.model_used).stage or ""
        except OverflowError:  # the hold refuses the call for it
            return ""

    ladder: Ladder = call.snapshot.ladder
    ladder.apply(call, stage)


def descend(call: Call) -> bool:
    """Move a call on whose model's endpoints are all throttled; False where there is nothing below, or where attempts
    have cost something: it is charged to the budgets of the model that cost it, and a call has one set of them."""
    call.throttled = False
    ladder: Ladder = call.snapshot.ladder
    if call.hold is not None:
        if call.attempted_nano or attempt_cost(call, call.attempts[-1][3]):
            return False
        if not ladder.descend(call):
            return False
        call.hold.settle(0)
        call.hold = call.draw = None
        call.cells = ()
        return True
    return ladder.descend(call)


def pass_over(call: Call) -> None:
    """Where no endpoint of the call's model is healthy, begin at the next model it names that has one."""
    ladder: Ladder = call.snapshot.ladder
    now_ns = mono_ns()
    if not ladder.ready(call, call.model_used, now_ns):
        ready = tuple(model for model in call.preferred if ladder.ready(call, model, now_ns))
        if ready:
            ladder.prefer(call, "unhealthy", ready)


def prefer(call: Call, error: GatewayError | None, lending: Lending) -> bool:
    """Move a call whose model has failed to the next one that it names. False, and nothing changed, where the failure
    is one that another model would meet as well, or where none is left. What failed attempts have cost stays on the
    budgets that they were held on: a call that has cost something goes only where the same ones pay."""
    if not failed(call, error):
        return False
    ladder: Ladder = call.snapshot.ladder
    models, cost_nano = call.preferred, call.attempted_nano
    if call.hold is not None and call.attempts:
        cost_nano += attempt_cost(call, call.attempts[-1][3])
        if cost_nano:
            models = tuple(model for model in models if same_budgets(call, model, lending))
    if not ladder.prefer(call, "throttled" if call.throttled else "failed", models):
        return False
    call.throttled = False
    if call.hold is not None and not cost_nano:
        call.hold.settle(0)
        call.hold = call.draw = None
        call.cells = ()
    return True


def failed(call: Call, error: GatewayError | None) -> bool:
    """Whether the attempts ended in a way that another model may not."""
    if error is not None:
        return error.kind in AGAIN or error.kind in ELSEWHERE or error.kind is Kind.NO_ENDPOINT
    pump = call.pump
    if call.outcome != "upstream_error" or pump is None:
        return False
    return worth_another(pump) or pump.status == UNKNOWN_MODEL


def same_budgets(call: Call, model: str, lending: Lending) -> bool:
    """Whether what was held for the call so far pays for that model too."""
    who = call.principal
    assert who is not None
    try:
        return lending.allowances.draw(who, call.session, model).numbers == call.cells
    except OverflowError:
        return False
