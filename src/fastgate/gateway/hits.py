"""Hits: a stored answer as the answer to a call, in the form that it wants, at what it would have cost.

Knows no key and no store; what is given, and why, is the room cache's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastgate._core.pump import PING
from fastgate.caching.entry import Entry, Form, Head, pieces_of, usage_of
from fastgate.caching.forms import FormError, message_of, stream_of
from fastgate.clock import mono_ns
from fastgate.errors import client_gone
from fastgate.gateway import answer

if TYPE_CHECKING:
    from fastgate.call import Call, Tap


def give(call: Call, entry: Entry, how: str) -> bool:
    """Answer the call with the entry, in the form that it wants; False when the entry cannot be told in that form."""
    head = entry.head
    assert call.request is not None
    wanted: Form = "events" if call.request.stream and call.route == "messages" else "message"
    body = entry.body
    if head.form != wanted:
        try:
            body = stream_of(body) if wanted == "events" else message_of(body)
        except FormError:
            return False
    if call.tap is not None:
        body = through(call.tap, call, entry, wanted, body)
    call.hit = (wanted, body)
    call.origin = (head.model, head.endpoint, head.provider)
    call.cache = how
    call.saved_nano = worth_of(call, entry)
    return True


def through(tap: Tap, call: Call, entry: Entry, form: Form, body: bytes) -> bytes:
    """The answer as rules for answers let it pass: it is kept as the provider gave it. What they had nothing to say of
    they are not asked again."""
    call.tap = None
    terms = tap.terms
    passed = entry.passed
    if terms is not None and passed is not None and passed[0] is terms[0] and passed[1:] == (terms[1], form):
        return body
    noted = call.verdicts
    out = tap.feed(body) + tap.finish() if form == "events" else tap.whole(body)
    if terms is not None and out == body and call.verdicts is noted:
        entry.passed = (*terms, form)
    return out


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


def worth_of(call: Call, entry: Entry) -> int:
    """What the call would have cost today, at the endpoint that answered the first time."""
    prices = call.snapshot.prices
    if entry.worth is None or entry.worth[0] is not prices:
        entry.worth = (prices, price_of(call, entry.head))
    return entry.worth[1]


def price_of(call: Call, head: Head) -> int:
    if not any(head.tokens):
        return head.cost_nano
    row, known = call.snapshot.prices.lookup(head.provider, head.model)
    try:
        return row.cost(usage_of(head)) if known else head.cost_nano
    except OverflowError:
        return head.cost_nano
