"""The router: the endpoints of one snapshot as places to choose from, with what is known of each for this call.

A place is an endpoint, or one key of it: prompt caches, limits and health are a credential's. For each call it prices
every place that can serve it (price.py), lets choice.py choose, and keeps what was decided on for the record. Workers
have one where there is something to choose; fastgate.gateway.rooms.route asks it. Must not know how calls are sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate._core.money import PriceRow
from fastgate._core.request import RequestView
from fastgate._core.warmth import BYTES_PER_TOKEN, FIVE_MINUTES_NS, Conversation, WarmthTable, hash_of
from fastgate.bound import bound_nano
from fastgate.call import Call, Candidate
from fastgate.clock import mono_ns
from fastgate.providers.models import endpoint_model
from fastgate.routing.choice import HOME_GONE, NO_HOME, POINTS, Offer, choose, offered
from fastgate.routing.health import Breaker, HealthTable
from fastgate.routing.price import Turn, later_nano, turn_nano
from fastgate.routing.savings import price_kind_of

if TYPE_CHECKING:
    from fastgate.snapshot import Endpoint, Snapshot

TURNS_MAX = 20
"""Turns that a hop may count on to pay for itself: one prompt takes Claude Code about so many calls, and after it the
session is as likely to end."""

PACE_MS = 20_000
"""Between two turns of a conversation whose pace is not known yet: a tool loop, not a person."""

ASIDE = "aside"
"""In place of an agent: ids of Claude Code's agents are hexadecimal."""

MODELS_KEPT = 1024
"""Models whose places are kept ready; a client that invents models must not fill memory."""


class Place:
    """One endpoint, or one key of it, for one model."""

    endpoint: Endpoint
    model: str
    row: PriceRow
    label: str
    number: int
    """Its label as the warmth table knows it."""
    rank: int
    weight: int
    key_weight: int
    name: str
    breaker: Breaker
    pace: Breaker
    """Where its endpoint's latency is measured, whichever key it has."""

    def __init__(self, endpoint: Endpoint, model: str, row: PriceRow, breaker: Breaker, pace: Breaker) -> None:
        self.endpoint = endpoint
        self.model = model
        self.row = row
        self.label = label_of(endpoint)
        self.number = hash_of(self.label)
        self.rank = endpoint.priority
        self.breaker = breaker
        self.pace = pace
        self.weight = endpoint.weight
        self.key_weight = endpoint.key_weight
        self.name = endpoint.name


def label_of(endpoint: Endpoint) -> str:
    """`endpoint`, or `endpoint/key` where it has several."""
    return f"{endpoint.name}/{endpoint.key}" if endpoint.key else endpoint.name


def breaker_name(endpoint: Endpoint) -> str:
    """Of its cells in the health table: an endpoint that moves to another address begins anew."""
    return f"{label_of(endpoint)} {endpoint.base_url}"


def pace_name(endpoint: Endpoint) -> str:
    """Of the cells that its latency is kept in, for all its keys."""
    return f"{endpoint.name} {endpoint.base_url}"


class Router:
    """The places of one snapshot; `warmth` is shared by all workers."""

    def __init__(self, snapshot: Snapshot, warmth: WarmthTable, health: HealthTable) -> None:
        self.prices = snapshot.prices
        self.endpoints = snapshot.endpoints
        self.strategy = snapshot.data.routing.strategy
        self.latency_max_us = snapshot.data.routing.latency_ms * 1000
        self.warmth = warmth
        self.breakers = {label_of(each): health.breaker(breaker_name(each)) for each in self.endpoints}
        self.paces = {each.name: health.breaker(pace_name(each)) for each in self.endpoints}
        self.numbers = {label: hash_of(label) for label in self.breakers}
        self.labels = {number: label for label, number in self.numbers.items()}
        self._places: dict[str, list[Place]] = {}

    def places(self, model: str) -> list[Place]:
        """Where `model` can be had at a known price, in the order of the configuration."""
        found = self._places.get(model)
        if found is None:
            found = self._find(model)
            if len(self._places) >= MODELS_KEPT:
                self._places.clear()
            self._places[model] = found
        return found

    def _find(self, model: str) -> list[Place]:
        found = []
        for endpoint in self.endpoints:
            sent = endpoint_model(endpoint, model)
            if not sent:
                continue
            row, known = self.prices.lookup(price_kind_of(endpoint), sent)
            if known or not self.prices.refuse_unknown:
                breaker, pace = self.breakers[label_of(endpoint)], self.paces[endpoint.name]
                found.append(Place(endpoint, model, row, breaker, pace))
        return found

    def plan(self, call: Call) -> list[Candidate]:
        """The candidates to try, best first; empty where no place serves the call's model. What was decided on is
        noted on the call, where there was a choice."""
        return self.arrange(call, self.places(call.model_used))

    def arrange(self, call: Call, places: list[Place]) -> list[Candidate]:
        """`places`, in the order in which to try them, with the most that the call can cost at each. Other models than
        the call's may be among them."""
        request = call.request
        assert request is not None
        candidates: list[Candidate] = []
        paid, limits = call.route == "messages", call.snapshot.limits
        for place in places:
            bound = bound_nano(request, place.row, request.max_tokens, limits) if paid else 0
            candidates.append((place.endpoint, place.row, bound, place.model))
        if len(candidates) < 2:
            return candidates
        return [candidates[index] for index in self.decide(call, request, places)]

    def decide(self, call: Call, request: RequestView, places: list[Place]) -> list[int]:
        """The order of `places`, noted on the call with all that it follows from."""
        own = home = None
        if call.session:
            key = call.principal.key if call.principal is not None else ""
            party = party_of(call.head.agent, call.head.request_class)
            own = home = self.warmth.find(key, call.session, party)
            if own is None and party:  # a sub-agent, or an aside, begins where its session is
                home = self.warmth.find(key, call.session, "")
        turn = self.turn(call, request, own)
        system_bytes = request.system_end - request.system_start
        offers = self.offers(call, places, turn, own, system_bytes)
        at, left_ns, label = NO_HOME, 0, ""
        if home is not None:
            at, label = HOME_GONE, self.labels.get(home.home, "?")
            left_ns = max(0, home.used_ns + FIVE_MINUTES_NS - call.at_ns)
            for index, place in enumerate(places):
                if place.number == home.home and at == HOME_GONE:
                    at = index
                    if own is not None:
                        until_ns = own.warm_until(place.number, place.model, system_bytes, call.at_ns)
                        left_ns = max(left_ns, until_ns - call.at_ns)
        turns = 1
        if left_ns and own is not None:
            turns = min(TURNS_MAX, 1 + left_ns // 1_000_000 // (own.pace_ms or PACE_MS))
        point = hash_of(call.session or call.id) % POINTS
        order, reason = choose(self.strategy, offers, at, left_ns > 0, turns, point, self.latency_max_us)
        flags = turn.caches | turn.hour << 1 | turn.fast << 2 | turn.us_geo << 3
        call.home, call.reason = label, reason
        call.decision = (
            self.strategy,
            (turn.prompt, turn.fresh, turn.output, flags),
            (turns, left_ns > 0, point, self.latency_max_us),
            label,
            at,
            reason,
            order,
            [offer.fields() for offer in offers],
        )
        return order

    def offers(
        self, call: Call, places: list[Place], turn: Turn, own: Conversation | None, system_bytes: int
    ) -> list[Offer]:
        """Each place with its state and prices. What the warmest lacks of the prompt is what a turn adds to it."""
        now_ns, mono = call.at_ns, mono_ns()
        asked = places[0].model
        offers = []
        best = 0
        for place in places:
            warm = 0 if own is None else own.warm(place.number, place.model, system_bytes, now_ns)
            best = max(best, warm)
            breaker, pace = place.breaker, place.pace
            offers.append(
                offered(
                    place.label,
                    "" if place.model == asked else place.model,
                    breaker.ready(mono),
                    warm,
                    turn_nano(turn, place.row, warm),
                    pace.latency_us(mono),
                    place.rank,
                    place.weight,
                    place.key_weight,
                    place.name,
                )
            )
        turn.fresh = max(0, turn.prompt - best) if best else 0
        for offer, place in zip(offers, places, strict=True):
            offer.later_nano = later_nano(turn, place.row)
        return offers

    def turn(self, call: Call, request: RequestView, known: Conversation | None) -> Turn:
        """What is expected of this turn, by what the conversation's turns before it were."""
        body_bytes = len(call.body)
        output = self.warmth.expected_output(known, call.head.request_class)
        if request.max_tokens:
            output = min(output, request.max_tokens)
        fast = request.speed == "fast"
        if known is not None and known.learned:
            prompt = known.prompt_tokens(body_bytes)
            return Turn(prompt, output, caches=known.caches, hour=known.hour, fast=fast, us_geo=known.us_geo)
        return Turn(-(-body_bytes // BYTES_PER_TOKEN), output, caches=marks_cache(call.body, request), fast=fast)

    def learn(self, call: Call) -> None:
        """What a finished call says of where its conversation is warm."""
        endpoint, who, request, pump = call.endpoint, call.principal, call.request, call.pump
        if not call.session or call.route != "messages" or endpoint is None or pump is None or who is None:
            return
        if request is None or pump.status != 200 or call.outcome == "upstream_error":
            return
        number = self.numbers.get(label_of(endpoint))
        usage = call.usage if call.usage_state == "exact" else None
        if number is not None:
            self.warmth.learn(
                who.key,
                call.session,
                party_of(call.head.agent, call.head.request_class),
                call.head.request_class,
                number,
                call.model_used,
                request.system_end - request.system_start,
                len(call.body),
                call.at_ns,
                usage,
            )


def party_of(agent: str, request_class: str) -> str:
    """Whose conversation within its session a call goes on with: its sub-agent's, or the session's own, empty. Titles
    and the like share no prompt with the session, and must not steer it: where the client names their class, they are
    an aside."""
    return agent or (ASIDE if request_class == "auxiliary" else "")


def marks_cache(body: bytes, request: RequestView) -> bool:
    """Whether a first request asks for its prompt to be cached: clients that do so mark their system prompt."""
    return request.system_start >= 0 and body.find(b'"cache_control"', request.system_start, request.system_end) >= 0
