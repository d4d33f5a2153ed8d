"""Savings: what a call would have cost as it was asked for, and what saved the difference.

As asked is the client's model at the first endpoint of the configuration that serves it, for the tokens that were
used. The model that was used instead saved one part (downgrade), the endpoint the other (arbitration); a part is
negative where the change was dearer, as after a fail-over. Both are differences of whole prices, so they add up
exactly. Must not know how a call came where it went, nor caches: an answer that is given again saves all of its price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastgate.providers.models import endpoint_model
from fastgate.snapshot import Endpoint

if TYPE_CHECKING:
    from fastgate._core.money import PriceRow
    from fastgate._core.usage import Usage
    from fastgate.prices.book import PriceBook
    from fastgate.snapshot import Snapshot


class Savings(NamedTuple):
    """Nano-dollars: `downgrade + arbitration` is the price as asked less the cost."""

    downgrade_nano: int
    arbitration_nano: int


NOTHING = Savings(0, 0)


def savings(snapshot: Snapshot, asked: str, endpoint: Endpoint, usage: Usage, cost_nano: int) -> Savings:
    """What was saved on a call for the model `asked` that `endpoint` answered for `cost_nano`, whichever model it used.

    Nothing where the price as asked is not listed: a saving against the configured worst price would be invented.
    """
    first = next((row for each in snapshot.endpoints if (row := listed(snapshot.prices, each, asked))), None)
    if first is None:
        return NOTHING
    here = listed(snapshot.prices, endpoint, asked) or first
    try:
        asked_nano, here_nano = first.cost(usage), here.cost(usage)
    except OverflowError:
        return NOTHING
    return Savings(here_nano - cost_nano, asked_nano - here_nano)


def listed(prices: PriceBook, endpoint: Endpoint, model: str) -> PriceRow | None:
    """The known price of a model at an endpoint; None where it is not served or not listed."""
    sent = endpoint_model(endpoint, model)
    if not sent:
        return None
    row, known = prices.lookup(price_kind_of(endpoint), sent)
    return row if known else None


def price_kind_of(endpoint: Endpoint) -> str:
    """The kind that the price book keeps an endpoint's prices under."""
    return "vertex-global" if endpoint.kind == "vertex" and endpoint.region == "global" else endpoint.kind
