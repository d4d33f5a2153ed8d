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
from fastgate._core.splice import splice
from fastgate._core.warmth import WarmthTable
from fastgate.call import Call
from fastgate.control.errors import OperationError
from fastgate.control.shapes_routing import Expected, Explanation, Ladder, Offered, Question
from fastgate.journal.view import ladder_view
from fastgate.record import CallRecord, Decision, Step
from fastgate.routing import ladder
from fastgate.routing.health import HealthTable
from fastgate.routing.ladder_replay import agrees
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
_to_step = msgspec.msgpack.Decoder(Step).decode
_to_bytes = msgspec.msgpack.Encoder().encode


STEPS = {
    ladder.STAGE: "a budget's stage asked for {to} instead of {asked}",
    ladder.CEILING: "under a budget's ceiling there was no room for {asked}: {to} was next",
    ladder.THROTTLED: "{asked} was throttled at every endpoint: {to} was next in the cascade",
    ladder.PREFERRED: "{asked} failed, and the request itself names {to}",
}
RULE = "rule {number} asks for {to} instead of {asked}"
KEPT = {
    "dearer": "kept: moving would be dearer",
    "open-thinking": "kept: only {asked} can go on with the turn's signed thinking",
    "shape": "kept: the conversation has messages that {to} does not take",
    "context": "kept: the prompt is longer than the window of {to}",
    "not-allowed": "kept: the key may not use {to}",
    "not-served": "kept: no endpoint serves {to}",
}


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
        step = laddered(record.ladder) if record.ladder is not None else None
        if step is not None:
            step = msgspec.structs.replace(step, replayed=self._step_again(record))
        return msgspec.structs.replace(
            shown, call=record.id, endpoint=record.endpoint, routed=record.routed, replayed=same, ladder=step
        )

    def _step_again(self, record: CallRecord) -> bool | None:
        """Whether the ladder's decision comes out again. Rules that are others now say nothing about it."""
        published = self._published()
        try:
            same = agrees(record, published.rules)
        except LookupError:
            same = False
        return same if same or published.version == record.policy else None

    def explain_request(self, question: Question) -> Explanation:
        """Where a request would go at this moment. OperationError where it is none, or nobody can serve it."""
        view = Snapshot(self._published())
        body = msgspec.json.encode(question.request)
        try:
            request = read_request(body)
        except RequestError as error:
            raise OperationError("invalid", f"request: {error}.") from None
        if request.names_models:  # where the first attempt would go is the model's own affair
            body = splice(body, (b"models",))
            request = read_request(body)
        view.router = router = Router(view, WarmthTable.open(self._state.warmth), HealthTable(self._state.health))
        if not router.places(request.model):
            raise OperationError("invalid", f"no endpoint serves model {request.model} at a known price.")
        call = call_of(question, view, body, request)
        ladder.Ladder(view.data).apply(call, lambda: question.stage)
        step = laddered(_to_step(_to_bytes(call.ladder))) if call.ladder is not None else None
        assert call.request is not None
        router.decide(call, call.request, router.places(call.model_used))
        shown = explained(_to_decision(_to_bytes(call.decision)), call.model_used)
        return msgspec.structs.replace(shown, routed=call.routed, ladder=step)


def call_of(question: Question, view: Snapshot, body: bytes, request: RequestView) -> Call:
    """The call that the question would be, up to its plan."""
    given = {"x-claude-code-agent-id": question.agent, "x-claude-code-request-class": question.request_class}
    nobody = cast("Downstream", None)  # it is never answered
    call = Call(0, "question", view, "messages", nobody, None)
    call.head = read_head([(name, value) for name, value in given.items() if value])
    call.body, call.request, call.session = body, request, question.session
    nobodys = KeyRow(b"", question.key, "", "", "", "", {}, (), 0)
    call.principal = next((row for row in view.data.keys if row.key == question.key), nobodys)
    return call


def laddered(step: Step) -> Ladder:
    """A decision of the ladder in the shape of the API, with its reason in words."""
    named = {"asked": step.asked, "to": step.to, "number": step.rule + 1}
    why = (RULE if step.rule >= 0 else STEPS[step.rule]).format(**named)
    if step.kept:
        why += "; " + KEPT[step.kept].format(**named)
    if step.stay_nano or step.move_nano:
        why += f" (this turn: ${format_usd(step.stay_nano)} staying, ${format_usd(step.move_nano)} moving)"
    return Ladder(why=why, **ladder_view(step))


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
