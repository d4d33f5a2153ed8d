"""Ladder: another model than the one asked for, where a rule says so, or where that one is throttled everywhere.

The decision is fastgate.routing's; here is when it is asked for, and what it is told of budgets. A budget's own steps
down the cascade are the hold's to ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.gateway.attempts import attempt_cost
from fastgate.routing.ladder import Ladder

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.gateway.lending import Lending


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
