"""Why a call went where it went, from its record; and where a request would go now, with nothing sent.

A recorded decision is asked again (routing.replay), so an answer that differs is seen. A request that is given goes
through the very router that workers use, over the same shared files. Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import msgspec

from fastgate._core.head import read_head
from fastgate._core.money import format_usd
from fastgate._core.request import RequestError, RequestView, read_request
from fastgate._core.warmth import WarmthTable
from fastgate.call import Call
from fastgate.control.errors import OperationError
from fastgate.control.shapes_routing import Expected, Explanation, Offered, Question
from fastgate.record import CallRecord, Decision
from fastgate.routing.health import HealthTable
from fastgate.routing.replay import replay
from fastgate.routing.router import Router
from fastgate.snapshot import KeyRow, Snapshot

if TYPE_CHECKING:
    from fastgate.call import Downstream
    from fastgate.control.usage import UsageTable
    from fastgate.snapshot import SnapshotData
    from fastgate.state import StateDir

WHY = {
    "new": "the conversation has no home yet: {place} is the favourite of strategy {strategy}",
    "home": "the conversation stays at {home}, where it was before",
    "cold": "nothing is warm at {home} any more: {place} is the favourite of strategy {strategy}",
    "unhealthy": "{home}, where it was before, is not healthy: {place} is next by strategy {strategy}",
    "gone": "{home}, where it was before, cannot serve this call: {place} is next by strategy {strategy}",
    "cheaper": "leaving {home} pays: {place} costs less over the {turns} turns expected while the cache is warm",
}
"""By the reason of a decision."""

LONE = "one endpoint could serve this call: there was nothing to choose"
UNROUTED = "no endpoint was looked for: the call was {outcome} before that, or answered from the cache"

_to_decision = msgspec.msgpack.Decoder(Decision).decode
_to_bytes = msgspec.msgpack.Encoder().encode


class Routing:
    """Questions about routing over one state directory."""

    def __init__(self, state: StateDir, table: UsageTable, published: Callable[[], SnapshotData]) -> None:
        self._state = state
        self._table = table
        self._published = published

    def explain(self, call_id: str) -> Explanation:
        """A recorded call, from its record alone."""
        record = self._table.call(call_id)
        if record is None:
            raise OperationError("not_found", f"there is no finished call {call_id}.")
        decision, same = record.decision, None
        if decision is not None:
            shown = explained(decision, asked_of(record))
            same = replay(decision) == (decision.order, decision.reason)
        else:
            shown = Explanation(why=LONE if record.attempts else UNROUTED.format(outcome=record.outcome))
        return msgspec.structs.replace(
            shown, call=record.id, endpoint=record.endpoint, routed=record.routed, replayed=same
        )

    def explain_request(self, question: Question) -> Explanation:
        """Where a request would go at this moment. OperationError where it is none, or nobody can serve it."""
        view = Snapshot(self._published())
        body = msgspec.json.encode(question.request)
        try:
            request = read_request(body)
        except RequestError as error:
            raise OperationError("invalid", f"request: {error}.") from None
        router = Router(view, WarmthTable.open(self._state.warmth), HealthTable(self._state.health))
        places = router.places(request.model)
        if not places:
            raise OperationError("invalid", f"no endpoint serves model {request.model} at a known price.")
        call = call_of(question, view, body, request)
        router.decide(call, request, places)
        return explained(_to_decision(_to_bytes(call.decision)), request.model)


def call_of(question: Question, view: Snapshot, body: bytes, request: RequestView) -> Call:
    """The call that the question would be, up to its plan."""
    given = {"x-claude-code-agent-id": question.agent, "x-claude-code-request-class": question.request_class}
    nobody = cast("Downstream", None)  # it is never answered
    call = Call(0, "question", view, "messages", nobody, "")
    call.head = read_head([(name, value) for name, value in given.items() if value])
    call.body, call.request, call.session = body, request, question.session
    call.principal = KeyRow(b"", question.key, "", "", "", "", {}, (), 0)
    return call


def asked_of(record: CallRecord) -> str:
    """The model that the first offer was for."""
    return record.attempts[0].model if record.attempts else record.model_used or record.model_asked


def explained(decision: Decision, model: str) -> Explanation:
    """A decision in the shape of the API, its offers in the order in which they are tried."""
    prompt, fresh, output, flags = decision.expected
    turns = decision.state[0]
    items = []
    for index in decision.order:
        offer = decision.offers[index]
        whole_nano = offer.price_nano + (turns - 1) * offer.later_nano
        items.append(
            Offered(
                place=offer.place,
                model=offer.model or model,
                healthy=offer.healthy,
                home=index == decision.home_at,
                warm_tokens=min(offer.warm_tokens, prompt),
                new_tokens=max(0, prompt - offer.warm_tokens),
                price=format_usd(offer.price_nano),
                later=format_usd(offer.later_nano),
                whole=format_usd(whole_nano),
                latency_ms=offer.latency_us / 1000 if offer.latency_us else None,
                priority=offer.rank,
                weight=offer.weight,
            )
        )
    named = {"place": items[0].place, "home": decision.home, "strategy": decision.strategy, "turns": turns}
    return Explanation(
        why=WHY[decision.reason].format(**named),
        strategy=decision.strategy,
        reason=decision.reason,
        home=decision.home,
        turns=turns,
        expected=Expected(
            prompt_tokens=prompt,
            fresh_tokens=fresh,
            output_tokens=output,
            cache="none" if not flags & 1 else "1h" if flags & 2 else "5m",
            fast=bool(flags & 4),
            us_geo=bool(flags & 8),
        ),
        items=items,
    )
