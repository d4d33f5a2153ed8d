"""Guard: what must not leave does not. Screens the body before it is cached, priced or sent.

Entered only where the snapshot has guards. Knows nothing of rules: fastgate.guards judges, this room acts on it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastgate._core.request import read_request
from fastgate._core.restore import Restorer
from fastgate.clock import wall_ns
from fastgate.errors import guard_refused, guard_unjudged

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.guards.screen import Guards, Screened, Verdict

VERDICTS_MAX = 64
"""As many as fastgate.guards.screen names of a request; the module itself is loaded only where there are guards."""

INLINE_BYTES = 2 * 1024 * 1024
"""Bodies up to this size are screened on the event loop: at most some 15 ms where all of it is new, 0.6 ms where it is
not. Larger ones (images, most often) are screened on a thread; the scan itself runs without the interpreter lock."""


async def screen(call: Call) -> None:
    """Judge the body; put what may be sent in its place. GatewayError where it must not leave."""
    guards: Guards = call.snapshot.guards
    who, request = call.principal, call.request
    assert who is not None and request is not None
    if len(call.body) <= INLINE_BYTES:
        screened = guards.screen(call.body, who, wall_ns())
    else:
        screened = await asyncio.get_running_loop().run_in_executor(None, guards.screen, call.body, who, wall_ns())
    if guards.outside is not None:
        screened = await guards.outside.screen(screened, who, wall_ns(), guards.policy.actions(who).closed)
    take(call, screened)


def take(call: Call, screened: Screened) -> None:
    call.guard, call.verdicts, call.sightings = screened.state, screened.verdicts, screened.sightings
    if screened.refusal is not None:
        rule, title, kind, path, why = screened.refusal
        raise guard_unjudged(rule, kind, path, why) if why else guard_refused(rule, title, kind, path)
    if screened.secrets:
        call.body = screened.body
        call.request = read_request(call.body)
        call.tap = Restorer.of(screened.secrets)
    guards: Guards = call.snapshot.guards
    if guards.watches and call.route == "messages":
        watch(call, guards)


def watch(call: Call, guards: Guards) -> None:
    """Let the answer pass the rules that look at answers, where some do for this caller."""
    who, request = call.principal, call.request
    assert who is not None and request is not None
    actions = guards.policy.actions(who)
    if not actions.answers:
        return
    from fastgate.guards.answer import Watch

    def note(verdict: Verdict) -> None:
        if len(call.verdicts) < VERDICTS_MAX:
            call.verdicts = (*call.verdicts, verdict)

    call.tap = Watch(guards, who, actions, request.tools, note, call.tap)
