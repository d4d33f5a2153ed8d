"""What a budget's refusal says: the budget, what is spent, limit and ceiling, when it resets, whom to ask.

Made for the person at the other end: Claude Code shows the sentence as it is, after one request.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fastgate.amounts import dollars, exact, spent_and_needed
from fastgate.budgets import live_increases_nano, pause_ppm, stage_nano
from fastgate.clock import wall_ns
from fastgate.errors import GatewayError, budget_contended, budget_exhausted
from fastgate.selection import since_of, step_of
from fastgate.stores.errors import StoreError
from fastgate.times import NS

if TYPE_CHECKING:
    from fastgate.asking import Asked, Questions
    from fastgate.call import Call
    from fastgate.gateway.allowance import Account, Draw
    from fastgate.gateway.lending import Lending
    from fastgate.snapshot import BudgetRow
    from fastgate.stores.ledger_port import Answer

log = logging.getLogger("fastgate.refusals")

NO_RESET_S = 604_800
"""`retry-after` of a budget that never resets: a week. Above 60 seconds Claude Code does not wait by itself."""

CONTENDED_S = 5
"""`retry-after` where calls in flight hold the rest: about as long as one takes to end."""


async def exhausted(call: Call, draw: Draw, answer: Answer, floor_nano: int, lending: Lending) -> GatewayError:
    """Not even the cheapest form of the call fits into what was not spent."""
    account, figures = draw.accounts[answer.at], answer.figures[answer.at]
    row, cell, now_ns = account.row, account.key.cell, wall_ns()
    spent, needed = spent_and_needed(figures.settled_nano, floor_nano, account.ceiling_nano)
    amounts = f"${spent} of ${exact(account.ceiling_nano)} are spent (limit {limit_text(row, now_ns, cell)})"
    if figures.settled_nano < account.ceiling_nano:
        amounts += f" and this call needs ${needed}"
    retry_s, reset = await reset_of(account, figures.settled_nano + floor_nano - account.ceiling_nano, lending)
    whom = await ask_whom(call, row, lending)
    return budget_exhausted(f"Budget {row.id} {subject(row)} is exhausted: {amounts}. {reset} {whom}", retry_s)


async def soft_paused(call: Call, draw: Draw, lending: Lending) -> GatewayError:
    """A soft budget has reached its pause stage: no new calls."""
    match = draw.staged
    assert match is not None
    (row, cell), now_ns = match, wall_ns()
    at = draw.matches.index(match)
    note = lending.allowances.stages.get(draw.keys[at])
    spent = dollars(note.spent_nano if note is not None else 0)
    pause = exact(stage_nano(row, pause_ppm(row.stages), now_ns, cell))
    _, end_ns = step_of(row, now_ns)
    retry_s, reset = reset_at(row, end_ns, now_ns)
    message = f"Budget {row.id} {subject(row)} is paused: ${spent} are spent, at ${pause} it takes no more calls"
    whom = await ask_whom(call, row, lending)
    return budget_exhausted(f"{message} (limit {limit_text(row, now_ns, cell)}). {reset} {whom}", retry_s)


def contended(draw: Draw, answer: Answer) -> GatewayError:
    """Enough is left, but calls in flight hold it."""
    if answer.verdict == "unready":
        row = draw.accounts[answer.at].row
        return budget_contended(f"Budget {row.id} is new, and what was spent before is being counted; try again.", 1)
    row, figures = draw.accounts[answer.at].row, answer.figures[answer.at]
    held = dollars(figures.leased_nano)
    message = f"Budget {row.id} {subject(row)} has ${held} held by calls in flight; try again when one has ended."
    return budget_contended(message, CONTENDED_S)


def subject(row: BudgetRow) -> str:
    return f"(each member of {row.level} {row.of})" if row.per_seat else f"({row.level} {row.of})"


def limit_text(row: BudgetRow, now_ns: int, cell: str) -> str:
    increases_nano = live_increases_nano(row, now_ns, cell)
    more = f" and ${exact(increases_nano)} of temporary increases" if increases_nano else ""
    return f"${exact(row.usd_nano)} a {row.period}{more}".replace(" a total", " in total").replace(
        " a rolling", f" in any {row.rolling_h} hours"
    )


async def ask_whom(call: Call, row: BudgetRow, lending: Lending) -> str:
    """Who can give more, and how; where that was asked with this key already, that it waits."""
    who = call.principal
    assert who is not None
    owner = call.snapshot.data.owners.get(who.cost_center, "")
    whom = f"{owner}, who owns cost centre {who.cost_center}," if owner else "your platform team"
    waiting = [
        each for each in await asked_with(who.key, lending.questions) if each.waits and wall_ns() < each.not_after_ns
    ]
    for asked in waiting:
        if (asked.budget, asked.created_ns) == (row.id, row.created_ns):
            return f"Your request {asked.id} for ${exact(asked.amount_nano)} more waits for {whom.rstrip(',')}."
    return f"Ask {whom} for more, or run: fastgate budgets ask {row.id} --help"


async def asked_with(key: str, questions: Questions | None) -> list[Asked]:
    """What was asked for with a key; nothing where the disk cannot tell, for it is not money."""
    if questions is None:
        return []
    try:
        return await asyncio.get_running_loop().run_in_executor(None, questions.of, key)
    except OSError as error:
        log.error("what was asked for cannot be read: %s", error)
        return []


async def reset_of(account: Account, missing_nano: int, lending: Lending) -> tuple[int, str]:
    """`retry-after`, and the sentence for it: a window that moves has room again as its oldest steps leave."""
    row, now_ns = account.row, wall_ns()
    if row.period != "rolling":
        return reset_at(row, account.end_ns, now_ns)
    start_ns, end_ns = step_of(row, now_ns)
    step_ns = end_ns - start_ns
    try:
        steps = await lending.window(account)
    except StoreError as error:
        log.error("the window of budget %s cannot be read: %s", row.id, error)
        steps = []
    for began_ns, spent_nano in steps:
        missing_nano -= spent_nano
        if missing_nano <= 0:
            # A step leaves when it would no longer count together with the one of that moment.
            leaves_ns = began_ns + (start_ns - since_of(row, start_ns, end_ns) - 1) + step_ns
            left_s = max(1, -((now_ns - leaves_ns) // NS))
            return left_s, f"There is room for this call again at {when(leaves_ns, row.tz)}."
    return int(row.rolling_h * 3600), f"It takes all of {row.rolling_h} hours until there is room for this call."


def reset_at(row: BudgetRow, end_ns: int, now_ns: int) -> tuple[int, str]:
    if row.period == "total":
        return NO_RESET_S, "It does not reset."
    return max(1, -((now_ns - end_ns) // NS)), f"It resets at {when(end_ns, row.tz)}."


def when(at_ns: int, tz: str) -> str:
    return datetime.fromtimestamp(-(-at_ns // NS), ZoneInfo(tz)).strftime("%Y-%m-%d %H:%M %Z")
