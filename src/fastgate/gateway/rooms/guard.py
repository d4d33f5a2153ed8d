"""Guard: what must not leave does not. Screens the body before it is cached, priced or sent.

Entered only where the snapshot has guards. Knows nothing of rules: fastgate.guards judges, gateway/judging.py does what
that asks for, and this room waits where it takes long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.gateway.judging import judge, take
from fastgate.guards.beside import beside

if TYPE_CHECKING:
    from fastgate.call import Call
    from fastgate.guards.screen import Guards

OK = 200


async def screen(call: Call) -> None:
    """Judge the body; put what may be sent in its place. GatewayError where it must not leave."""
    if judge(call):
        return
    guards: Guards = call.snapshot.guards
    who, body, now_ns, request = call.principal, call.body, call.at_ns, call.request
    assert who is not None
    assert request is not None
    screened = await beside(len(body), lambda: guards.screen(body, who, now_ns, request.tools))
    if guards.outside is not None:
        screened = await guards.outside.screen(screened, who, now_ns, guards.caller(who).actions.closed)
    take(call, screened)


async def review(call: Call) -> None:
    """Put a whole answer to the vendors that look at answers; what they leave of it is what is sent."""
    pump, asked = call.pump, call.review
    if asked is None or pump is None or pump.streaming or pump.status != OK:
        return
    call.recast = await asked.whole(pump.body if call.recast is None else call.recast)
