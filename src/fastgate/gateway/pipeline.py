"""The life of a call, in order. The one file that knows all rooms.

    edge      head, then body: framing, Host, size, one validating pass
    identity  whose key this is (before the body is read: strangers send us nothing large)
    policy    may this key use this model, is it paused, is it under its rate limits
    guard     what must not leave does not (where guards are configured)
    cache     an answer that was given before, or that another call is getting now
    ladder    another model, where a rule says so or that one is throttled everywhere
    route     which endpoints, at what price, what the call can cost at most
    hold      the most it can cost is held on every budget that binds it, or nothing is sent
    relay     to the endpoint and back; fails over before the first byte; passes streams on
    ledger    what it cost, in every outcome; its hold ends
    journal   the one record

Each fills its fields of the Call, and answer and journal write them. From `settle` on nothing awaits, so nothing can
cut a charge or a record off: client gone, upstream dead, worker draining all pass here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastgate.errors import GatewayError, Kind
from fastgate.gateway import body, drawing, waiting
from fastgate.gateway.exchange import is_ahead
from fastgate.gateway.rooms import cache, guard, hold, ladder, relay, route
from fastgate.gateway.steps import Items, enter, failed, finish, proceed

if TYPE_CHECKING:
    from fastgate.call import Call, Candidate
    from fastgate.gateway.worker import Worker


LAST_WORDS = (Kind.CLIENT_GONE, Kind.DRAINING, Kind.CANCELLED, Kind.TOTAL_TIMEOUT)
"""After these a call asks no other model: nobody is there for the answer, the worker ends, or its time is
over."""


async def go_on(call: Call, worker: Worker) -> None:
    """Take a call that came the plain way from the room it has come to, to its end."""
    try:
        await run(call, worker, None)
    finally:
        del worker.calls[call.n]


async def run(call: Call, worker: Worker, items: Items | None) -> None:
    """Take one call through the rooms and answer it. Without `items` it has entered already, and with a request it has
    its body."""
    error: GatewayError | None = None
    transport: Any = None
    try:
        if items is not None:
            enter(call, worker, items)
        begins = call.request is None  # else it began the plain way
        if begins:
            call.body = await body.receive(call, call.snapshot.limits.body_bytes)
            if worker.turns.full():
                await turn(call, worker)
            proceed(call, worker)
        if call.snapshot.guards is not None and not call.screened:
            await guard.screen(call)
        if begins:
            worker.turns.done()
        if call.snapshot.cache is not None:
            transport = await cache.lookup(call, worker.cached, worker.locate)
        if call.origin is None:
            if call.snapshot.data.rules:
                ladder.apply(call, worker.lending)
            await send(call, worker)
            if call.review is not None:
                await guard.review(call)
            if call.asked is not None:
                cache.tap(call, worker.cached)
            if call.pump is not None and call.pump.streaming:
                transport = await relay.pass_on(call, worker.locate)
            if call.asked is not None:
                await cache.store(call, worker.cached)
    except asyncio.CancelledError:
        call.outcome, call.error = "cancelled", Kind.CANCELLED.value
        raise
    except Exception as exc:  # noqa: BLE001  # it is told and logged
        error = failed(call, exc)
        if call.principal is None:
            error = (await body.discard(call, error)).bare()
    finally:
        finish(call, worker, error, transport)


async def turn(call: Call, worker: Worker) -> None:
    """Wait for the call's own."""
    come: asyncio.Future[None] = worker.loop.create_future()

    def go() -> bool:
        if come.done():
            return False  # it was cancelled, or told to come again
        come.set_result(None)
        return True

    worker.turns.wait(go)
    await waiting.wait(call, come, come)


async def send(call: Call, worker: Worker) -> None:
    """Plan, hold and carry; again with a model that the request names where its own fails, or with a cheaper one where
    this is throttled and the configuration says so."""

    async def move_on(failure: GatewayError | None) -> bool:
        while call.preferred:
            before = ladder.Standing(call)
            if not ladder.prefer(call, failure, worker.lending):
                return False
            ladder.pass_over(call, worker.lending)
            if await fits(call, worker, before):
                return True
        return False

    if call.preferred:
        before = ladder.Standing(call)
        if ladder.pass_over(call, worker.lending):
            await fits(call, worker, before)
    while True:
        error: GatewayError | None = None
        plan = await held(call, worker)
        try:
            if await relay.carry(call, plan, worker.upstreams, worker.flight, worker.lending.extend, move_on):
                continue
        except GatewayError as exc:
            error = exc.bare()
            if error.kind in LAST_WORDS:
                raise error from None
        if call.preferred and await move_on(error):
            continue
        if call.throttled and call.snapshot.data.throttled and ladder.descend(call, worker.lending):
            continue
        if error is not None:
            raise error
        return


async def held(call: Call, worker: Worker) -> list[Candidate]:
    """The plan for the call's model, with what it can cost held."""
    plan = route.plan(call)
    if call.snapshot.budgets is not None and call.hold is None and not is_ahead(call):
        lending = worker.lending
        if not drawing.at_once(call, plan, lending.allowances):
            plan = await hold.hold(call, plan, lending, route.plan)
    return plan


async def fits(call: Call, worker: Worker, before: ladder.Standing) -> bool:
    """Whether budgets have room for the model that the call was moved to; it is put back where they have not. To name
    other models never turns an answer into a refusal."""
    try:
        await held(call, worker)
    except GatewayError as refusal:
        if refusal.kind in LAST_WORDS:
            raise
        before.restore(call)
        await hold.hold_again(call, before.nano, worker.lending)
        return False
    return True
