"""Guard: what must not leave does not. Screens the body before it is cached, priced or sent.

Entered only where the snapshot has guards. Knows nothing of rules: fastgate.guards judges, this room acts on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate._core.request import read_request
from fastgate._core.restore import Restorer
from fastgate.clock import wall_ns
from fastgate.errors import guard_refused, guard_unjudged
from fastgate.guards.beside import INLINE_BYTES, beside

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.guards.screen import Guards, Screened, Verdict

OK = 200

VERDICTS_MAX = 64
"""As many as fastgate.guards.screen names of a request; the module itself is loaded only where there are guards."""


def at_once(call: Call) -> bool:
    """Judge a body that takes no thread of its own and that nobody outside is asked about: whether it was. Else as
    `screen`."""
    guards: Guards = call.snapshot.guards
    who, request = call.principal, call.request
    assert who is not None and request is not None
    if guards.outside is not None or len(call.body) > INLINE_BYTES:
        return False
    take(call, guards.screen(call.body, who, wall_ns(), request.tools if guards.declared else ()))
    return True


async def screen(call: Call) -> None:
    """Judge the body; put what may be sent in its place. GatewayError where it must not leave."""
    if at_once(call):
        return
    guards: Guards = call.snapshot.guards
    who, request = call.principal, call.request
    assert who is not None and request is not None
    body, now_ns = call.body, wall_ns()
    tools = request.tools if guards.declared else ()
    screened = await beside(len(body), lambda: guards.screen(body, who, now_ns, tools))
    if guards.outside is not None:
        screened = await guards.outside.screen(screened, who, now_ns, guards.policy.actions(who).closed)
    take(call, screened)


def take(call: Call, screened: Screened) -> None:
    call.screened = True
    call.guard, call.verdicts, call.sightings = screened.state, screened.verdicts, screened.sightings
    if screened.refusal is not None:
        rule, title, kind, path, why = screened.refusal
        raise guard_unjudged(rule, kind, path, why) if why else guard_refused(rule, title, kind, path)
    if screened.secrets:
        call.body = screened.body
        call.request = read_request(call.body)
        call.tap = Restorer.of(screened.secrets)
    guards: Guards = call.snapshot.guards
    if call.route != "messages":
        return
    if guards.watches:
        watch(call, guards)
    if guards.outside is not None and call.principal is not None:
        call.review = guards.outside.review(call.principal, lambda verdict: note(call, verdict))


def note(call: Call, verdict: Verdict) -> None:
    """Keep what was said of the answer; one that lacks a verdict is told as not scanned."""
    if verdict[1] == "not_scanned" and call.guard == "pass":
        call.guard = "not-scanned"
    if len(call.verdicts) < VERDICTS_MAX:
        call.verdicts = (*call.verdicts, verdict)


async def review(call: Call) -> None:
    """Put a whole answer to the vendors that look at answers; what they leave of it is what is sent."""
    pump, asked = call.pump, call.review
    if asked is None or pump is None or pump.streaming or pump.status != OK:
        return
    call.recast = await asked.whole(pump.body if call.recast is None else call.recast)


def watch(call: Call, guards: Guards) -> None:
    """Let the answer pass the rules that look at answers, where some do for this caller."""
    who, request = call.principal, call.request
    assert who is not None and request is not None
    actions = guards.policy.actions(who)
    if actions.answers:
        call.tap = guards.watch(who, actions, request.tools, lambda verdict: note(call, verdict), call.tap)
