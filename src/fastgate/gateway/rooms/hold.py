"""Hold: no call is sent before the most it can cost is held on every budget that binds it.

Where it does not fit as it was asked for: wait while calls in flight have the rest, then less output (`max_tokens` in
the bytes that are sent), then a cheaper model of the cascade, then a refusal that says what is spent, when it resets
and whom to ask. All of it before the first byte; a stream that has begun is never touched. Must not know how money is
leased (lending.py) nor what a call has cost (ledger.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastgate._core.escrow import Hold
from fastgate._core.request import read_request
from fastgate.bound import bound_nano, floor_tokens, tokens_for
from fastgate.call import NO_CELLS
from fastgate.errors import client_gone, overloaded
from fastgate.gateway import waiting
from fastgate.gateway.drawing import find, keep
from fastgate.gateway.refusals import contended, exhausted, soft_paused

if TYPE_CHECKING:
    from fastgate.call import Call, Candidate
    from fastgate.gateway.allowance import Draw
    from fastgate.gateway.lending import Lending
    from fastgate.gateway.waiter import Waiter
    from fastgate.routing.ladder import Ladder
    from fastgate.stores.ledger_port import Answer

Plan = Callable[["Call"], "list[Candidate]"]

MS = 1_000_000

_OPENING = re.compile(rb"[ \t\r\n]*\{")


async def hold(call: Call, plan: list[Candidate], lending: Lending, replan: Plan) -> list[Candidate]:
    """Hold what a call may cost that is not held `at_once`; the plan it goes on with. `replan` makes one for a call
    whose model was changed.

    Raises GatewayError where nothing that is allowed fits.
    """
    draw = find(call, lending.allowances)
    if draw.stage is not None:
        if draw.stage == "pause" and draw.staged is not None and not draw.staged.row.hard:
            raise await soft_paused(call, draw, lending)
        staged = draw.staged if draw.stage != "alert" and not call.decided else None
        if staged is not None and lower(call, staged.row.id, draw.stage):
            plan, draw = replan(call), find(call, lending.allowances)
    if not draw.accounts:
        return plan
    if draw.named is not NO_CELLS:
        held = lending.allowances.escrow.hold(draw.cells, plan[0][2])
        if held is not None:
            keep(call, draw, held)
            return plan
    return await ask(call, plan, draw, lending, replan)


def lower(call: Call, budget: str, why: str) -> bool:
    """Move the call a step down the cascade; False where there is none."""
    ladder: Ladder | None = call.snapshot.ladder
    return ladder is not None and ladder.lower(call, budget, why)


async def hold_again(call: Call, nano: int, lending: Lending) -> None:
    """Hold what the call had held before it gave that up for another model, where it can be had at once. `call.hold`
    stays None where it cannot: then nothing more is sent. A call that still has its hold keeps that one."""
    if call.hold is not None or not nano or lending.allowances.selection is None:
        return
    draw = find(call, lending.allowances)
    if draw.accounts:
        answer = await wait(call, lending, lending.queue(call.n, draw, nano, nano, 0))
        if isinstance(answer, Hold):
            keep(call, draw, answer)


async def ask(call: Call, plan: list[Candidate], draw: Draw, lending: Lending, replan: Plan) -> list[Candidate]:
    """The way past the store: this worker's own allowances did not do."""
    limits = call.snapshot.limits
    if lending.prefixes.tell(call, {(endpoint.name, model) for endpoint, _, _, model in plan}):
        plan = replan(call)
    while True:
        row, need_nano = plan[0][1], plan[0][2]
        assert call.request is not None
        least = floor_tokens(call.request, limits.min_output_tokens)
        floor_nano = min(bound_nano(call.request, row, least, limits), need_nano)
        wait_ns = limits.budget_wait_ms * MS
        answer = await wait(call, lending, lending.queue(call.n, draw, need_nano, floor_nano, wait_ns))
        if isinstance(answer, Hold):
            keep(call, draw, answer)
            if answer.nano < need_nano:
                clamp(call, tokens_for(call.request, row, answer.nano, least, limits))
                return replan(call)
            return plan
        if answer is None:
            raise overloaded("Budgets cannot be checked at this moment; try again.", 2)
        if draw.accounts[answer.at].gone:  # the budget was removed meanwhile
            if lending.allowances.selection is None:
                return plan
            draw = find(call, lending.allowances)
        elif answer.verdict != "full":
            raise contended(draw, answer)
        elif lower(call, draw.accounts[answer.at].row.id, "ceiling"):
            plan, draw = replan(call), find(call, lending.allowances)
        else:
            raise await exhausted(call, draw, answer, floor_nano, lending)
        if not draw.accounts:
            return plan


async def wait(call: Call, lending: Lending, waiter: Waiter) -> Hold | Answer | None:
    """The answer, unless the client leaves or the worker has to: then nothing is wanted for it any more."""
    answer = await waiting.wait(call, waiter.future, lending.served(waiter))
    if waiting.has_left(call) and isinstance(answer, Hold):  # just when the money came
        answer.void()
        raise client_gone()
    return answer


def clamp(call: Call, max_tokens: int) -> None:
    """Ask the provider for less output, in the bytes that are sent: just that number is another."""
    request, body = call.request, call.body
    assert request is not None
    number = b"%d" % max_tokens
    if request.max_tokens_start >= 0:
        call.body = body[: request.max_tokens_start] + number + body[request.max_tokens_end :]
    else:
        opening = _OPENING.match(body)
        at = opening.end() if opening is not None else 0
        call.body = b'%b"max_tokens":%b,%b' % (body[:at], number, body[at:])
    call.request = read_request(call.body)
    # The beginning is the same. What was put in is no input: counted as such, it could take the call above its hold.
    grown = max(0, call.request.text_bytes - request.text_bytes)
    call.request.known_bytes, call.request.known_tokens = request.known_bytes + grown, request.known_tokens
    if call.asked is not None:
        call.asked.keep = False  # an answer that was made shorter is none to the question that was asked
