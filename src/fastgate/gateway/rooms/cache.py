"""Cache: answers a call with what was answered before, or is being answered now; keeps what may be given again.

Owns when a call is looked up, follows another, is recorded and kept. Keys, entries and tiers are fastgate.caching's.
A call with a tap is none of the cache's: its answer is made of the caller's own secrets, or must be looked at.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastgate._core.credit import Credit
from fastgate._core.digest import read_canonical
from fastgate._core.pump import PING
from fastgate.caching.entry import Entry, Head, pace_of, usage_fields
from fastgate.caching.flights import Stage
from fastgate.caching.rules import is_final, may_be_kept
from fastgate.errors import client_gone
from fastgate.gateway import answer
from fastgate.gateway.hits import ask, give
from fastgate.gateway.parting import part
from fastgate.gateway.replays import replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate.caching.answers import Answers
    from fastgate.caching.asked import Asked
    from fastgate.caching.flights import Flight
    from fastgate.caching.semantic.spoken import Spoken
    from fastgate.call import Call
    from fastgate.snapshot_cache import CachePolicy

    Locate = Callable[[Callable[[], None]], None]


# -- before the provider ----------------------------------------------------------------------------------------------


async def lookup(call: Call, answers: Answers, locate: Locate) -> Any:
    """Fill `call.hit` with an answer, or `call.asked` with what to do when one comes; neither for what is not cached.
    `call.origin` says that the call is answered. Returns the transport of a stream that was shared."""
    policy = call.snapshot.cache
    assert policy is not None
    if call.asked is None and not ask(call, policy, answers):
        return None
    asked: Asked = call.asked
    if asked.refresh:
        call.cache = "refresh"
        asked.spoken = spoken(call, policy)
        return None
    # "miss": it came the plain way, and was looked for on this machine (hits.recall)
    entry = answers.look(asked.key, call.at_ns, asked.oldest_ns) if call.cache != "miss" else None
    if entry is None and answers.shared is not None:
        entry = await answers.look_afar(asked.key, call.at_ns, asked.oldest_ns)
    if entry is not None and give(call, entry, "hit"):
        call.asked = None
        return await replay(call, entry) if entry.pace and policy.paced else None
    asked.spoken = spoken(call, policy)
    if asked.spoken is not None and answers.semantic is not None:
        entry = await answers.semantic.find(asked.spoken, call.at_ns, asked.oldest_ns)
        if entry is not None and give(call, entry, "hit-semantic"):
            call.asked = None
            return await replay(call, entry) if entry.pace and policy.paced else None
    call.cache = "miss"
    return await share(call, asked, answers, locate) if policy.in_flight else None


def spoken(call: Call, policy: CachePolicy) -> Spoken | None:
    """The call as a question to the semantic cache, or None."""
    who, request = call.principal, call.request
    if policy.semantic is None or call.route != "messages":
        return None
    from fastgate.caching.semantic.spoken import Asker, rule_for, spoken_of  # loaded with the first such call

    assert who is not None
    assert request is not None
    asker = Asker(who, call.namespace, call.session, call.model_used)
    if rule_for(policy.semantic, asker).mode == "off":
        return None
    canonical = read_canonical(call.body)
    return spoken_of(policy.semantic, policy.rules, asker, call.lines, canonical, request)


# -- sharing one answer -----------------------------------------------------------------------------------------------


async def share(call: Call, asked: Asked, answers: Answers, locate: Locate) -> Any:
    """Lead, or follow who is ahead; returns the transport of a stream that was followed. Where another worker's answer
    came to nothing, one call of this worker leads and the others follow it; where this one's did, each asks by itself.
    """
    lead_or_follow(call, asked, answers)
    while (ahead := asked.ahead) is not None:
        transport = await follow(call, locate)
        if call.origin is not None:
            return transport
        if answers.shared is not None:
            entry = await answers.look_afar(asked.key, call.at_ns, asked.oldest_ns)
            if entry is not None and give(call, entry, "hit"):
                call.asked = None
                return None
        if not answers.neighbours.is_afar(ahead):
            break
        lead_or_follow(call, asked, answers, here=True)
    look_again(call, asked, answers)
    return None


def look_again(call: Call, asked: Asked, answers: Answers) -> None:
    """Give what was answered since the look-up: the first of two may have come to its end between it and the second's
    claim."""
    entry = answers.look(asked.key, call.at_ns, asked.oldest_ns)
    if entry is not None and give(call, entry, "hit"):
        if asked.flight is not None:
            answers.neighbours.land(asked.key.find, asked.flight)
        call.asked = None


def lead_or_follow(call: Call, asked: Asked, answers: Answers, *, here: bool = False) -> None:
    ahead = answers.neighbours.ahead(asked.key, here=here)
    if ahead is not None and ahead.join(asked.key.proof):
        asked.ahead = ahead
    else:
        asked.flight = answers.neighbours.lead(asked.key, call.id, lambda: call.pump)


SEEN_S = 0.05
"""How long a complete answer waits to be seen by other workers; the file takes a tenth of a millisecond, Redis one."""


class Watch:
    """A client that waits for another call's answer, and may leave meanwhile."""

    def __init__(self, call: Call, ahead: Flight) -> None:
        self.ahead = ahead
        self.loop = asyncio.get_running_loop()
        self.ping_s = call.snapshot.limits.ping_s
        self.gone = False
        self._call = call
        self._more: asyncio.Future[None] | None = None
        call.watched = call.proto.client_disconnect()
        call.watched.add_done_callback(self._leave)

    def _leave(self, _: object) -> None:
        self.gone = True
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        self._call.leave()  # after a fall-back the call has an upstream of its own

    async def change(self) -> bool:
        """Wait for more of the answer; False when there was none for so long that the client wants a ping. Raises when
        the client has gone."""
        self._more = self.ahead.changed(self.loop)
        try:
            async with asyncio.timeout(self.ping_s):
                await self._more
        except TimeoutError:
            return False
        if self.gone:
            raise client_gone()
        return True


async def follow(call: Call, locate: Locate) -> Any:
    """Get the answer of the call ahead: `call.hit` when it comes whole, else its stream as it comes, whose transport is
    returned. Neither, where it failed before it said anything: then the call is on its own."""
    asked: Asked = call.asked
    ahead = asked.ahead
    assert ahead is not None
    assert call.request is not None
    live = call.request.stream and call.route == "messages"
    watch = Watch(call, ahead)
    try:
        while ahead.stage is Stage.WAITING or (ahead.stage is Stage.STREAMING and not live):
            await watch.change()
        if ahead.stage is Stage.STREAMING:
            call.asked = None
            return await pass_on(call, watch, locate)
        if ahead.entry is not None and give(call, ahead.entry, "hit-inflight"):
            call.asked = None
            call.saved_nano = ahead.cost_nano
    finally:
        ahead.part()
        asked.ahead = None
    return None


async def pass_on(call: Call, watch: Watch, locate: Locate) -> Any:
    """Give this client all of the tape, and what comes. A stream that breaks off for the first breaks off for all."""
    ahead = watch.ahead
    tape = ahead.tape
    assert tape is not None
    call.origin, call.cache = ahead.origin, "hit-inflight"
    transport = answer.begin_shared(call)
    push = answer.sender(call, transport)
    given = 0
    while True:
        for chunk in tape[given:]:
            push(chunk)
            call.response_bytes += len(chunk)
        given = len(tape)
        if ahead.stage is not Stage.STREAMING:
            break
        if not await watch.change() and tape and tape[-1].endswith(b"\n\n"):
            transport.send_bytes(PING)
    rest = call.tap.finish() if call.tap is not None else b""
    if rest:
        transport.send_bytes(rest)
    call.saved_nano = ahead.cost_nano
    if ahead.error:
        call.outcome, call.error = "upstream_error", ahead.error
    if not ahead.broken:
        return transport
    await part(Credit(call.client), locate)
    return None


# -- with the answer --------------------------------------------------------------------------------------------------


def tap(call: Call, answers: Answers) -> None:
    """The head of a stream has come: record it for those who follow and for those who ask later."""
    pump, policy, asked = call.pump, call.snapshot.cache, call.asked
    assert pump is not None
    assert policy is not None
    if is_changed(call, asked):
        if asked.flight is not None:
            answers.neighbours.land(asked.key.find, asked.flight)  # the next who asks leads
            asked.flight.end(None, 0, "", broken=False)
        return
    if pump.streaming and (asked.keep or asked.flight is not None):
        pump.record(policy.entry_bytes, policy.paced)
        if asked.flight is not None and call.endpoint is not None:
            asked.flight.stream_begins((call.model_used, call.endpoint.name, call.endpoint.kind))


async def store(call: Call, answers: Answers) -> None:
    """Keep what may be given again. Waits a moment until other workers see it: who has the whole answer and asks again
    must not find that it was never given."""
    asked: Asked = call.asked
    policy = call.snapshot.cache
    assert policy is not None
    if is_changed(call, asked):
        return
    asked.entry = entry = entry_of(call, asked)
    if entry is None or not asked.keep or len(entry.body) > policy.entry_bytes or not is_whole(call, entry):
        return
    seen = answers.keep(asked.key.find, entry)
    if seen is not None:
        await asyncio.wait((seen,), timeout=SEEN_S)
    if asked.spoken is not None and answers.semantic is not None:
        await answers.semantic.remember(asked.spoken, asked.key, entry)


def end(call: Call, answers: Answers) -> None:
    """Tell those who follow how it ended, whatever happened. Never awaits."""
    asked: Asked = call.asked
    flight, entry = asked.flight, asked.entry
    if flight is not None:
        answers.neighbours.land(asked.key.find, flight)
        pump = call.pump
        error = "" if call.outcome in ("ok", "client_gone") else call.error
        flight.end(entry, call.cost_nano, error, broken=pump is None or pump.failure is not None)


def is_changed(call: Call, asked: Asked) -> bool:
    """Whether a budget left less output, or another model, than was asked for: the answer is this call's alone."""
    assert call.request is not None
    return call.request.max_tokens != asked.max_tokens or call.model_used != asked.model


def is_whole(call: Call, entry: Entry) -> bool:
    if call.outcome not in ("ok", "client_gone") or call.guard in ("redacted", "blocked"):
        return False
    if call.route == "count_tokens":
        return True
    return call.meter is not None and is_final(call.meter) and may_be_kept(entry.body)


def entry_of(call: Call, asked: Asked) -> Entry | None:
    """The provider's answer, if all of it is here and it is one to this question."""
    pump, endpoint, who, meter = call.pump, call.endpoint, call.principal, call.meter
    if pump is None or endpoint is None or who is None or pump.failure is not None or pump.status != 200:
        return None
    if call.model_used != asked.model or (pump.streaming and pump.tape is None):
        return None
    body = b"".join(pump.tape or ()) if pump.streaming else answer.whole_body(call, pump)
    usage = meter.usage if meter is not None and meter.usage.seen else None
    pace = pace_of(pump.tape, pump.tape_ns) if pump.streaming and pump.tape and pump.tape_ns else b""
    head = Head(
        proof=asked.key.proof,
        scope=asked.key.scope,
        org=who.org,
        team=who.team,
        user=who.user,
        key=who.key,
        namespace=asked.key.namespace,
        route=call.route,
        form="events" if pump.streaming else "message",
        model=call.model_used,
        endpoint=endpoint.name,
        provider=endpoint.kind,
        call_id=call.id,
        started_ns=call.at_ns,
        expires_ns=call.at_ns + asked.ttl_ns,
        cost_nano=cost_of(call),
        **usage_fields(usage),
        stop_reason=meter.stop_reason if meter is not None else "",
        request_id=call.upstream_request_id,
        pace_bytes=len(pace),
    )
    return Entry(head, body, pace)


def cost_of(call: Call) -> int:
    """What the answer costs by the usage that it states; the ledger decides on the rest later."""
    if call.meter is None or call.price is None or call.route == "count_tokens":
        return 0
    try:
        return call.price.cost(call.meter.usage)
    except OverflowError:
        return call.bound_nano
