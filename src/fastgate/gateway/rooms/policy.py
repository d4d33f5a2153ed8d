"""Policy: may this key make this call now? Model globs, models it names besides, pauses by hand, rate limits. Knows
nothing of spend."""

from __future__ import annotations

from fnmatch import fnmatchcase

from fastgate._core.clock import mono_ns
from fastgate.budgets import selected
from fastgate.call import Call
from fastgate.errors import GatewayError, model_not_allowed, paused, rate_limited
from fastgate.gateway.rates import Limited, Rates
from fastgate.prices.book import MAX_MODEL_CHARS
from fastgate.routing.preferred import take
from fastgate.snapshot import PauseRow
from fastgate.times import NS, minute

NO_END_S = 604_800
"""`retry-after` of a refusal that does not end by itself: a week. Above 60 seconds Claude Code does not wait."""

MAX_WAIT_S = 60
"""Above, Claude Code does not wait but gives up. A longer wait is told in pieces."""
PARALLEL_WAIT_S = 2
"""Nobody knows when a call ends: as soon as a short one may."""
PARALLEL = 2

ALLOWED_KEPT = 4096
"""Verdicts kept on a model and a list of globs. A deployment has tens of them; a client that invents model ids must not
fill memory."""


_verdicts: dict[tuple[str, tuple[str, ...]], bool] = {}


def allowed(model: str, globs: tuple[str, ...]) -> bool:
    """An empty list allows every model; matching is case-sensitive, as model ids are."""
    if not globs:
        return True
    verdict = _verdicts.get((model, globs))
    if verdict is None:
        if len(_verdicts) >= ALLOWED_KEPT:
            _verdicts.clear()
        verdict = matches(model, globs)
        if len(model) <= MAX_MODEL_CHARS:
            _verdicts[model, globs] = verdict
    return verdict


def matches(model: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model, glob) for glob in globs)


def admit(call: Call, rates: Rates) -> None:
    assert call.principal is not None and call.request is not None
    if not allowed(call.request.model, call.principal.models):
        raise model_not_allowed(call.request.model, call.principal.models)
    if call.request.names_models:
        take(call)
    pauses = call.snapshot.pauses
    if pauses is not None and call.route == "messages":
        refuse_paused(call, pauses)
    if call.snapshot.rates is not None and call.route == "messages":
        enter(call, rates)


def enter(call: Call, rates: Rates) -> None:
    """Through the gate of the call's key, user and team, or refused by the first that is full."""
    assert call.principal is not None
    limited = rates.find(call.principal)
    if limited is None:
        return
    why = limited.gate.enter(call.start_ns)
    if why:
        raise rate_refusal(limited, why)
    call.gate = limited.gate


def leave(call: Call) -> None:
    """Out of the gate again, in every outcome."""
    assert call.gate is not None
    call.gate.leave(call.limited_tokens, mono_ns())
    call.gate = None


def rate_refusal(limited: Limited, why: int) -> GatewayError:
    """Whose limit it is, how much it allows and when to try again. `why` is what the gate answered."""
    at, kind = divmod(why - 1, 3)
    level, of, row = limited.limits[at]
    allows = (
        f"{row.requests_per_minute} requests a minute",
        f"{row.tokens_per_minute} tokens a minute",
        f"{row.parallel_calls} calls at a time",
    )[kind]
    wait_s = PARALLEL_WAIT_S if kind == PARALLEL else -(-limited.gate.wait_ns // NS)
    wait_s = min(max(wait_s, 1), MAX_WAIT_S)
    return rate_limited(f"Rate limit: {level} {of} may make {allows}. Try again in {wait_s} s.", wait_s)


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
