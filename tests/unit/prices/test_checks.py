"""What an operator sees: no listed price looks mistyped, every price a thousand times off does."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fastgate.prices.book import Price, PriceData
from fastgate.prices.catalog import compile_prices
from fastgate.prices.checks import findings, lines
from fastgate.prices.settings import PriceSettings

AT = datetime(2026, 11, 23, tzinfo=UTC)
DATA = compile_prices(PriceSettings(), AT)


def compiled(*overrides: dict[str, Any]) -> PriceData:
    return compile_prices(msgspec.convert({"overrides": list(overrides)}, PriceSettings), AT)


def test_the_list_passes() -> None:
    assert findings(DATA) == []


@pytest.mark.parametrize("slip", [Decimal(1000), Decimal("0.001")])
@pytest.mark.parametrize("at", range(16))
def test_any_figure_of_any_row_that_is_a_thousand_times_off_is_reported(at: int, slip: Decimal) -> None:
    for listed in DATA.prices:
        if at == 5 or listed.ints[at] == 0 or (6 <= at <= 10 and not listed.ints[5]):
            continue  # the tier's threshold is a count; free tools and absent tiers cannot be off
        ints = list(listed.ints)
        ints[at] = int(ints[at] * slip)
        if not listed.ints[5] and at < 5:
            ints[at + 6] = ints[at]
        wrong = Price(listed.kind, listed.names, "typed", tuple(ints))
        found = findings(PriceData((wrong,), (), DATA.worst))
        assert found, (listed.kind, listed.names[0], at)
        assert listed.names[0] in found[0].where


@pytest.mark.parametrize("slip", [1000, "0.001"])
def test_a_whole_row_that_is_a_thousand_times_off_is_reported(slip: object) -> None:
    for family in sorted({p.names[0] for p in DATA.prices if p.kind == "anthropic"}):
        data = compiled({"model": family, "kind": "anthropic", "multiply": slip})
        assert any("prices.overrides[0]" in f.where for f in findings(data)), family


def test_an_override_far_from_the_list_price_is_reported_with_both_figures() -> None:
    # Plausible for some model, but not for Opus 4.5 at $5 and $25.
    found = findings(compiled({"model": "claude-opus-4-5", "input": 0.1, "output": 0.5}))
    assert any("$0.1 per million tokens, the list price $5" in f.message for f in found)


def test_an_ordinary_discount_is_not_reported() -> None:
    assert findings(compiled({"model": "claude-*", "multiply": 0.8})) == []


def test_lines_show_every_row_as_decimal_text() -> None:
    shown = lines(compiled({"model": "claude-sonnet-*", "kind": "compatible", "multiply": 0.5}))
    assert shown[0].source.startswith("prices.overrides[0]")
    assert shown[-1].model == "*"
    by_name = {(line.kind, line.model): line for line in shown[::-1]}
    haiku = by_name["anthropic", "claude-haiku-5-5"]
    assert haiku.tokens == {
        "input": "0.1",
        "output": "0.5",
        "cache_write_5m": "0.125",
        "cache_write_1h": "0.2",
        "cache_read": "0.01",
    }
    assert (haiku.tier_at, haiku.long_prompt["input"], haiku.us_geo, haiku.fast) == (100_000, "0.5", "1.1", "1")
    assert haiku.tools["web_search"] == "0.010000000"
    assert by_name["anthropic", "claude-opus-5"].long_prompt == {}
    assert by_name["anthropic", "claude-opus-4-1"].tokens["input"] == "15"
    assert len(shown) == len(DATA.prices) + len([line for line in shown if "overrides" in line.source]) + 1
    assert msgspec.json.encode(shown)
