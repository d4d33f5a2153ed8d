"""A stored stream given again at the pace at which it was received. Knows no key and no store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastgate._core.pump import PING
from fastgate.caching.entry import Entry, pieces_of
from fastgate.clock import mono_ns
from fastgate.errors import client_gone
from fastgate.gateway import answer

if TYPE_CHECKING:
    from fastgate.call import Call


async def replay(call: Call, entry: Entry) -> Any:
    """Give a stream at the pace at which it was received; returns its transport. None for what is not that stream, and
    goes at once: another form of it, or what rules for answers made of it. The rest goes at once when the worker drains
    or the call has lasted for `limits.total_s`."""
    assert call.hit is not None
    form, body = call.hit
    if form != "events" or body is not entry.body:
        return None
    transport = answer.begin_shared(call)
    gone = False
    call.paced = hurry = asyncio.Event()

    def leave(_: object) -> None:
        nonlocal gone
        gone = True
        hurry.set()

    call.watched = call.proto.client_disconnect()
    call.watched.add_done_callback(leave)
    begun_ns, ping_s, given = mono_ns(), call.snapshot.limits.ping_s, 0
    for end, at_ms in pieces_of(entry):
        while not hurry.is_set() and (wait_s := at_ms / 1e3 - (mono_ns() - begun_ns) / 1e9) > 0:
            try:
                async with asyncio.timeout(min(wait_s, ping_s)):
                    await hurry.wait()
            except TimeoutError:
                if wait_s > ping_s and body.endswith(b"\n\n", 0, given):
                    transport.send_bytes(PING)
        if gone:
            raise client_gone()
        upto = len(body) if hurry.is_set() else end
        if upto > given:
            transport.send_bytes(body[given:upto])
            call.response_bytes += upto - given
            given = upto
    return transport
