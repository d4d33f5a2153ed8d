"""The choice among places that can serve a call: a pure function of what was known, so that every record can be asked
again and gives the same answer.

A strategy ranks the healthy places. A conversation that has a home stays there while its prompt cache is warm, unless
the home is not healthy, cannot serve the call, or the strategy's favourite costs less over all turns that are expected
while the cache is warm: its first one cold, as priced. Knows no endpoints, no clock and no files.
"""

from __future__ import annotations

from typing import Literal, get_args

from fastgate.routing.price import whole_nano

Strategy = Literal["priority", "cheapest", "weighted", "latency", "cheapest-within-latency"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)

NO_HOME, HOME_GONE = -1, -2
"""In place of the index of a conversation's home: it has none yet; its home cannot serve this call."""

POINTS = 1 << 16
"""A point lies below this: finer than any share that somebody asks for, and short in a record."""

BEHIND = 1 << 80
"""Added to a score to rank it behind all that lack it: above every sum of nano-dollars."""


class Offer:
    """One place and model that can serve the call, with all that the choice looks at. `place` is `endpoint` or
    `endpoint/key`; `latency_us` is 0 where it is not known; `price_nano` is this turn's, `later_nano` each one's after
    it."""

    place: str
    endpoint: str
    model: str
    healthy: bool
    warm: int
    price_nano: int
    later_nano: int
    latency_us: int
    rank: int
    """Its priority: lower goes first. Models that the client prefers less rank behind."""
    weight: int
    """Its share of new sessions among all offers; `key_weight`: among the keys of its endpoint."""
    key_weight: int

    def fields(self) -> tuple[str, str, bool, int, int, int, int, int, int, int]:
        """As fastgate.record.Offer lists them."""
        return (
            self.place,
            self.model,
            self.healthy,
            self.warm,
            self.price_nano,
            self.later_nano,
            self.latency_us,
            self.rank,
            self.weight,
            self.key_weight,
        )


def offered(
    place: str,
    model: str,
    healthy: bool,
    warm: int,
    price_nano: int,
    latency_us: int,
    rank: int,
    weight: int,
    key_weight: int,
    endpoint: str,
    later_nano: int = 0,
) -> Offer:
    """An offer. A function, because it is typed where a constructor packs its arguments: a third of the time."""
    offer = Offer.__new__(Offer)
    offer.place = place
    offer.endpoint = endpoint
    offer.model = model
    offer.healthy = healthy
    offer.warm = warm
    offer.price_nano = price_nano
    offer.later_nano = later_nano
    offer.latency_us = latency_us
    offer.rank = rank
    offer.weight = weight
    offer.key_weight = key_weight
    return offer


def choose(
    strategy: str, offers: list[Offer], home: int, sticky: bool, turns: int, point: int, latency_max_us: int
) -> tuple[list[int], str]:
    """The order in which to try `offers`, as their indices, and why its first is first: new, home, cold, unhealthy,
    gone or cheaper.

    `home` is the index of the conversation's, `sticky` whether it may still be warm there, `turns` how many are
    expected until it is not; `point` is the number by which weights pick.
    """
    order = ranked(strategy, offers, turns, point, latency_max_us)
    first = order[0]
    keyed = False
    for offer in offers:
        if len(offer.place) != len(offer.endpoint):
            keyed = True
    if keyed and strategy != "weighted":
        first = shared_out(offers, first, point)
    if home == NO_HOME:
        reason = "new"
    elif home == HOME_GONE:
        reason = "gone"
    elif home == first:
        reason = "home"
    elif not offers[home].healthy:
        reason = "unhealthy"
    elif not sticky:
        reason = "cold"
    elif whole_of(offers[first], turns) < whole_of(offers[home], turns):
        reason = "cheaper"
    else:
        reason, first = "home", home
    if first != order[0]:
        order.remove(first)
        order.insert(0, first)
    return (lined_up(offers, order) if keyed else order), reason


def whole_of(offer: Offer, turns: int) -> int:
    return whole_nano(offer.price_nano, offer.later_nano, turns)


def ranked(strategy: str, offers: list[Offer], turns: int, point: int, latency_max_us: int) -> list[int]:
    """Indices of the offers, the strategy's favourite first; what is not healthy comes last."""
    scores = []
    favourite = -1
    if strategy == "weighted":
        favourite = weighted([offer.weight if offer.healthy else 0 for offer in offers], point)
    order: list[int] = []
    for index, offer in enumerate(offers):
        if strategy == "priority":
            score = offer.rank
        elif strategy == "weighted":
            score = -1 if index == favourite else offer.rank
        elif strategy == "latency":
            score = offer.latency_us
        elif strategy == "cheapest" or offer.latency_us <= latency_max_us:
            score = whole_of(offer, turns)
        else:  # too slow for cheapest-within-latency: the fastest of those goes first
            score = (BEHIND >> 1) + offer.latency_us
        if not offer.healthy:
            score += BEHIND
        scores.append(score)
        at = index  # sorted in as it comes: offers are few, and mostly in order
        while at and scores[order[at - 1]] > score:
            at -= 1
        order.insert(at, index)
    return order


def weighted(weights: list[int], point: int) -> int:
    """The index that `point` falls to, each getting its weight's share of all points; -1 where none weighs."""
    total = sum(weights)
    if not total:
        return -1
    rest = point % total if total <= POINTS else point * total // POINTS
    for index, weight in enumerate(weights):
        rest -= weight
        if rest < 0:
            return index
    return -1


def shared_out(offers: list[Offer], first: int, point: int) -> int:
    """Of the keys of one endpoint that are in every way as good as the strategy's favourite, the one that `point` falls
    to."""
    best = offers[first]
    weights = [
        each.key_weight
        if each.endpoint == best.endpoint
        and each.model == best.model
        and each.healthy == best.healthy
        and (each.warm, each.price_nano, each.later_nano, each.rank)
        == (best.warm, best.price_nano, best.later_nano, best.rank)
        else 0
        for each in offers
    ]
    picked = weighted(weights, point)
    return first if picked < 0 else picked


def lined_up(offers: list[Offer], order: list[int]) -> list[int]:
    """In order, but each endpoint's keys for one model together."""
    waiting, lined = order, []
    while waiting:
        head = offers[waiting[0]]
        fellows = [i for i in waiting if offers[i].endpoint == head.endpoint and offers[i].model == head.model]
        lined += fellows
        waiting = [i for i in waiting if i not in fellows]
    return lined
