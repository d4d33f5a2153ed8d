"""Savings: what a call would have cost as it was asked for, and what saved the difference.

As asked is the client's model at the first endpoint of the configuration that serves it, for the tokens that were used;
those that were warm for that model, and had to be new for another, count as read from the cache. The model that was
used instead saved one part (downgrade), the endpoint the other (arbitration); a part is negative where the change was
dearer, as after a fail-over. Both are differences of whole prices, so they add up exactly. Must not know how a call
came where it went, nor caches: an answer that is given again saves all of its price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastgate._core.usage import Usage
from fastgate.providers.models import endpoint_model
from fastgate.snapshot import Endpoint

if TYPE_CHECKING:
    from fastgate._core.money import PriceRow
    from fastgate.prices.book import PriceBook
    from fastgate.snapshot import Snapshot


class Savings(NamedTuple):
    """Nano-dollars: `downgrade + arbitration` is the price as asked less the cost."""

    downgrade_nano: int
    arbitration_nano: int


NOTHING = Savings(0, 0)


def savings(
    snapshot: Snapshot, asked: str, endpoint: Endpoint, usage: Usage, cost_nano: int, warm_tokens: int = 0
) -> Savings:
    """What was saved on a call for the model `asked` that `endpoint` answered for `cost_nano`, whichever model it used.
    `warm_tokens` of its prompt were in the cache for `asked`.

    Nothing where the price as asked is not listed: a saving against the configured worst price would be invented.
    """
    first = next((row for each in snapshot.endpoints if (row := listed(snapshot.prices, each, asked))), None)
    if first is None:
        return NOTHING
    here = listed(snapshot.prices, endpoint, asked) or first
    if warm_tokens > usage.cache_read_tokens:
        usage = warmer(usage, warm_tokens - usage.cache_read_tokens)
    try:
        asked_nano, here_nano = first.cost(usage), here.cost(usage)
    except OverflowError:
        return NOTHING
    return Savings(here_nano - cost_nano, asked_nano - here_nano)


def warmer(usage: Usage, tokens: int) -> Usage:
    """The same prompt with so many more of its tokens read from the cache, as far as it has that many."""
    written_5m = min(tokens, usage.cache_write_5m_tokens)
    written_1h = min(tokens - written_5m, usage.cache_write_1h_tokens)
    plain = min(tokens - written_5m - written_1h, usage.input_tokens)
    return Usage.of(
        input_tokens=usage.input_tokens - plain,
        output_tokens=usage.output_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens - written_5m,
        cache_write_1h_tokens=usage.cache_write_1h_tokens - written_1h,
        cache_read_tokens=usage.cache_read_tokens + written_5m + written_1h + plain,
        web_search=usage.web_search,
        web_fetch=usage.web_fetch,
        code_execution=usage.code_execution,
        fast=usage.fast,
        us_geo=usage.us_geo,
        priority=usage.priority,
    )


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
