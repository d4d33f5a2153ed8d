"""What the guard does about a request and its answer where nothing has to wait; its room (rooms/guard.py) waits.

Compiled with types (judging.pxd): every call under guards passes here, and most have nothing that is new or found.
Knows nothing of rules: fastgate.guards judges, and is loaded only where there are guards.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastgate._core.request import read_request
from fastgate._core.restore import Restorer
from fastgate.errors import guard_refused, guard_unjudged
from fastgate.guards.beside import INLINE_BYTES

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.guards.screen import Guards, Screened, Verdict

VERDICTS_MAX = 64
"""As many as fastgate.guards.screen names of a request."""


def judge(call: Call) -> bool:
    """Judge a body that takes no thread of its own and that nobody outside is asked about: whether it was. GatewayError
    where it must not leave."""
    guards, who, body = call.snapshot.guards, call.principal, call.body
    if guards.outside is not None or len(body) > INLINE_BYTES:
        return False
    tools = call.request.tools if call.request is not None else ()
    blocks = guards.unknown(body, who, tools)
    if blocks is None:
        call.screened = True
        call.guard = "pass"
        watch(call, guards, tools)
    else:
        take(call, guards.judged(blocks, body, who, call.at_ns, tools))
    return True


def take(call: Call, screened: Screened) -> None:
    """Put what may be sent in the body's place; GatewayError where it must not leave."""
    call.screened = True
    call.guard, call.verdicts, call.sightings = screened.state, screened.verdicts, screened.sightings
    if screened.refusal is not None:
        rule, title, kind, path, why = screened.refusal
        raise guard_unjudged(rule, kind, path, why) if why else guard_refused(rule, title, kind, path)
    if screened.secrets:
        call.body = screened.body
        call.request = read_request(call.body)
        call.tap = Restorer.of(screened.secrets)
    request = call.request
    tools = request.tools if request is not None else ()  # as the model knows them
    watch(call, call.snapshot.guards, tools)


def watch(call: Call, guards: Guards, tools: tuple[str, ...]) -> None:
    """Let the answer pass the rules and vendors that look at answers, where some do for this caller."""
    who = call.principal
    assert who is not None
    if call.route == "messages":
        call.tap = guards.watch(who, tools, note, call, call.tap)
        if guards.outside is not None:
            call.review = guards.outside.review(who, partial(note, call))


def note(call: Call, verdict: Verdict) -> None:
    """Keep what was said of the answer; one that lacks a verdict is told as not scanned."""
    if verdict[1] == "not_scanned" and call.guard == "pass":
        call.guard = "not-scanned"
    if len(call.verdicts) < VERDICTS_MAX:
        call.verdicts = (*call.verdicts, verdict)
