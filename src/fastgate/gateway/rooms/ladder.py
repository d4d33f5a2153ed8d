"""Ladder: another model than the one asked for: where a rule says so, where that one is throttled everywhere, or where
it fails and the request names others.

The decision is fastgate.routing's; here is when it is asked for, and what it is told of budgets. A budget's own steps
down the cascade are the hold's to ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.call import NO_CELLS
from fastgate.clock import mono_ns
from fastgate.errors import Kind
from fastgate.gateway.allowance import named
from fastgate.gateway.attempts import AGAIN, ELSEWHERE, attempt_cost, worth_another
from fastgate.routing.ladder import Ladder, next_model

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


class Standing:
    """A call as it stands before it is moved, to be put back where the other model cannot be paid for. The models that
    have been tried stay off its list."""

    FIELDS = (
        "body", "request", "model", "model_asked", "routed", "ladder", "throttled", "budget", "stages", "home",
        "reason", "decision",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        self.nano = call.hold.nano if call.hold is not None else 0
        self._fields = tuple(getattr(call, name) for name in self.FIELDS)

    def restore(self, call: Call) -> None:
        for name, value in zip(self.FIELDS, self._fields, strict=True):
            setattr(call, name, value)


def descend(call: Call, lending: Lending) -> bool:
    """Move a call on whose model's endpoints are all throttled; False where there is nothing below, or where attempts
    have cost something that a budget pays for, or would: a call has one set of budgets for all that it costs."""
    call.throttled = False
    ladder: Ladder = call.snapshot.ladder
    cost_nano = failed_nano(call)
    if cost_nano:
        target = next_model(call, ladder.throttled)
        if call.hold is not None or target is None or not same_budgets(call, target, lending):
            return False
    if not ladder.descend(call):
        return False
    if not cost_nano:
        give_up(call)
    return True


def pass_over(call: Call, lending: Lending) -> bool:
    """Where no endpoint of the call's model is healthy, begin at the next model it names that has one."""
    ladder: Ladder = call.snapshot.ladder
    now_ns = mono_ns()
    if not ladder.ready(call, call.model_used, now_ns):
        ready = tuple(model for model in payable(call, lending) if ladder.ready(call, model, now_ns))
        if ready:
            return ladder.prefer(call, "unhealthy", ready)
    return False


def prefer(call: Call, error: GatewayError | None, lending: Lending) -> bool:
    """Move a call whose model has failed to the next one that it names. False, and nothing changed, where the failure
    is one that another model would meet as well, or where none is left."""
    if not failed(call, error):
        return False
    ladder: Ladder = call.snapshot.ladder
    cost_nano = failed_nano(call)
    if not ladder.prefer(call, "throttled" if call.throttled else "failed", payable(call, lending)):
        return False
    call.throttled = False
    if not cost_nano:
        give_up(call)
    return True


def give_up(call: Call) -> None:
    """End the hold of a call that has cost nothing: the next model is held on its own budgets. Without its meter the
    last attempt is priced no second time, on those, where they refuse the call."""
    call.meter = None
    if call.hold is not None:
        call.hold.settle(0)
        call.hold = call.draw = None
        call.cells = NO_CELLS


def payable(call: Call, lending: Lending) -> tuple[str, ...]:
    """The models that the request names and that the call may go on to. What failed attempts have cost stays on the
    budgets that they were held on: a call that has cost something goes only where the same ones pay, or none do."""
    if not failed_nano(call):
        return call.preferred
    return tuple(model for model in call.preferred if same_budgets(call, model, lending))


def failed_nano(call: Call) -> int:
    """What the call's attempts may have cost so far, all of which have failed."""
    return call.attempted_nano + attempt_cost(call, call.attempts[-1][3]) if call.attempts else 0


def failed(call: Call, error: GatewayError | None) -> bool:
    """Whether the attempts ended in a way that another model may not."""
    if error is not None:
        return error.kind in AGAIN or error.kind in ELSEWHERE or error.kind is Kind.NO_ENDPOINT
    pump = call.pump
    if call.outcome != "upstream_error" or pump is None:
        return False
    return worth_another(pump) or pump.status == UNKNOWN_MODEL


def same_budgets(call: Call, model: str, lending: Lending) -> bool:
    """Whether what was held for the call so far pays for that model too, and none of its budgets turns calls away. The
    accounts are asked for their numbers: a draw that was made before the store had answered has none."""
    who, allowances = call.principal, lending.allowances
    assert who is not None
    if allowances.selection is None:  # no budget, or the last was removed while the call was under way
        return call.cells == NO_CELLS
    try:
        draw = allowances.draw(who, call.session, model)
    except OverflowError:
        return False
    if draw.staged is not None and not draw.staged.row.hard and draw.stage != "alert":
        return False
    return named(draw) == call.cells
