"""A recorded decision asked again: the same inputs through the same choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.routing.choice import choose, offered

if TYPE_CHECKING:
    from fastgate.record import Decision


def replay(decision: Decision) -> tuple[tuple[int, ...], str]:
    """The order and the reason that the recorded inputs give now."""
    offers = [
        offered(
            each.place,
            each.model,
            each.healthy,
            each.warm_tokens,
            each.price_nano,
            each.latency_us,
            each.rank,
            each.weight,
            each.key_weight,
            each.place.partition("/")[0],
            each.later_nano,
        )
        for each in decision.offers
    ]
    turns, sticky, point, latency_max_us = decision.state
    order, reason = choose(decision.strategy, offers, decision.home_at, sticky, turns, point, latency_max_us)
    return tuple(order), reason
