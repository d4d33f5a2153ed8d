"""Policy: may this key make this call now? Model globs, and what was paused by hand. Knows nothing of spend."""

from __future__ import annotations

from fnmatch import fnmatchcase

from fastgate.budgets import selected
from fastgate.call import Call
from fastgate.errors import GatewayError, model_not_allowed, paused
from fastgate.snapshot import PauseRow
from fastgate.times import NS, minute

NO_END_S = 604_800
"""`retry-after` of a refusal that does not end by itself: a week. Above 60 seconds Claude Code does not wait."""


def allowed(model: str, globs: tuple[str, ...]) -> bool:
    """An empty list allows every model; matching is case-sensitive, as model ids are."""
    return not globs or any(fnmatchcase(model, glob) for glob in globs)


def admit(call: Call) -> None:
    assert call.principal is not None and call.request is not None
    if not allowed(call.request.model, call.principal.models):
        raise model_not_allowed(call.request.model, call.principal.models)
    pauses = call.snapshot.pauses
    if pauses is not None and call.route == "messages":
        refuse_paused(call, pauses)


def refuse_paused(call: Call, pauses: tuple[PauseRow, ...]) -> None:
    """Raises where one of `pauses` selects the call. Counting tokens costs nothing and is never stopped."""
    who = call.principal
    assert who is not None
    for row in pauses:
        found = selected(row.level, row.of, row.org, who, who.tags, call.session)
        if found is not None and not 0 < row.until_ns <= call.at_ns:
            raise pause_refusal(row, call.at_ns)


def pause_refusal(row: PauseRow, now_ns: int) -> GatewayError:
    """Who paused what, why and for how long, in the one line that a terminal shows."""
    what = f"{row.level} {row.of}"
    end = (
        f"It ends {minute(row.until_ns)}" if row.until_ns else f"It stays so until {row.by} or another admin resumes it"
    )
    message = f"Paused: {what} was paused by {row.by} at {minute(row.since_ns)}: {row.reason}. {end}."
    left_s = -((now_ns - row.until_ns) // NS) if row.until_ns else NO_END_S
    return paused(message, left_s)
