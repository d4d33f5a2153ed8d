"""The `prices:` section of fastgate.yaml. Shapes only; `catalog` turns them into a price book.

Amounts are Decimal: what is written in the file is what is charged.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec


class LongPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices that hold for a whole call once its prompt, cached tokens included, is longer than `above` tokens."""

    above: int
    """Prompt tokens; a call with exactly so many still has the base price."""
    input: Decimal
    """USD per million tokens."""
    output: Decimal
    """USD per million tokens."""
    cache_write_5m: Decimal | None = None
    """USD per million tokens; 1.25 times `input` when absent."""
    cache_write_1h: Decimal | None = None
    """USD per million tokens; twice `input` when absent."""
    cache_read: Decimal | None = None
    """USD per million tokens; a tenth of `input` when absent."""


class PriceOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Own prices for the models that a glob matches: either figures (`input` and `output` at least) or `multiply`,
    a factor on the list price, as in a negotiated discount. The first override that matches a call wins."""

    model: str
    """Glob on the model id as sent to the endpoint, or on its family (`claude-opus-4-5`)."""
    kind: str = "*"
    """Glob on the endpoint's kind: anthropic, compatible, foundry, bedrock, bedrock-global, vertex, vertex-global."""
    multiply: Decimal | None = None
    """Factor on the list price of tokens: 0.9 is ten per cent off. Excludes every other figure."""
    input: Decimal | None = None
    """USD per million tokens."""
    output: Decimal | None = None
    """USD per million tokens."""
    cache_write_5m: Decimal | None = None
    """USD per million tokens; 1.25 times `input` when absent."""
    cache_write_1h: Decimal | None = None
    """USD per million tokens; twice `input` when absent."""
    cache_read: Decimal | None = None
    """USD per million tokens; a tenth of `input` when absent."""
    long_prompt: LongPrompt | None = None
    """Dearer prices above a prompt length; none when absent."""
    web_search: Decimal | None = None
    """USD per thousand searches; the list price (10) when absent."""
    web_fetch: Decimal | None = None
    """USD per thousand fetches; the list price (0: only tokens are billed) when absent."""
    code_execution: Decimal | None = None
    """USD per thousand executions; the list price when absent."""
    fast: Decimal | None = None
    """Factor on token prices when the answer says `speed: fast`; 1 when absent."""
    us_geo: Decimal | None = None
    """Factor on token prices when the answer says `inference_geo: us`; 1 when absent."""


class PriceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a call costs. List prices ship with fastgate and need no network."""

    unknown: Literal["worst", "refuse"] = "worst"
    """A model without a price is charged at `worst`, or refused. It is never free."""
    worst: PriceOverride | None = None
    """The price of an unknown model (`model` and `kind` are ignored). Absent: the dearest of the list, by class."""
    overrides: list[PriceOverride] = []
    """Own prices, before the list."""
