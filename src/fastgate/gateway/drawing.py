"""What a call draws on, and its hold where this worker's own allowances have room: the way of nearly every call.

Never waits. Compiled; the ways past it, with their waiting, are in rooms/hold.py. Knows calls and accounts, not the
store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.call import NO_CELLS
from fastgate.errors import overloaded

if TYPE_CHECKING:
    from fastgate._core.escrow import Hold
    from fastgate.call import Call, Candidate
    from fastgate.gateway.allowance import Allowances, Draw


def at_once(call: Call, plan: list[Candidate], allowances: Allowances) -> bool:
    """Hold what the call may cost, where that needs no further look: whether the call may go on. False with nothing
    held: a stage is in force, an account is new, or the money is not here."""
    if call.route != "messages" or allowances.selection is None:
        return True
    draw = find(call, allowances)
    if draw.stage is not None:
        return False
    if not draw.accounts:
        return True
    if draw.named is NO_CELLS:
        return False
    held = allowances.escrow.hold(draw.cells, plan[0][2])
    if held is None:
        return False
    keep(call, draw, held)
    return True


def find(call: Call, allowances: Allowances) -> Draw:
    """What the call draws on as it is now, and what the response header says of that."""
    who = call.principal
    assert who is not None
    try:
        draw = allowances.draw(who, call.session, call.model_used)
    except OverflowError as error:
        raise overloaded(f"Budgets cannot be checked: {error}; try again.", 1) from None
    call.budget, call.stages = draw.text, draw.stages
    return draw


def keep(call: Call, draw: Draw, held: Hold) -> None:
    call.hold, call.draw, call.cells = held, draw, draw.named
