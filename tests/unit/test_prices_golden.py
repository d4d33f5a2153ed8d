"""Golden prices, computed by hand in the comments: what a call costs to the nano-dollar.

Each vector names the way in which other gateways were caught charging it wrong. List prices are those of the pinned
genai-prices release; the arithmetic is in USD per million tokens ($1 per million is 1,000 nano-dollars a token).
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(compile_prices(PriceSettings(), AT))


def cost(book: PriceBook, kind: str, model: str, **used: int | bool) -> int:
    quote = book.lookup(kind, model)
    assert quote.known
    return quote.row.cost(Usage.of(**used))


def test_plain_call(book: PriceBook) -> None:
    # Sonnet 4.6: input $3, output $15.  1,234 x 3,000 + 567 x 15,000 = 3,702,000 + 8,505,000
    assert cost(book, "anthropic", "claude-sonnet-4-6", input_tokens=1234, output_tokens=567) == 12_207_000


def test_the_cheapest_token_is_a_fraction_of_a_nano_dollar_rounded_up_once(book: PriceBook) -> None:
    # Haiku 5.5 cache reads: $0.01 per million, 10 nano-dollars a token; input 100; output 500.  3 x 100 + 7 x 10 = 370
    assert cost(book, "anthropic", "claude-haiku-5-5", input_tokens=3, cache_read_tokens=7) == 370
    # Fable 5.1 on a regional Bedrock profile: reads $0.275, 275 nano a token; 3 x 275 = 825
    assert cost(book, "bedrock", "us.anthropic.claude-fable-5-1-v1:0", cache_read_tokens=3) == 825


def test_cache_writes_of_both_lifetimes(book: PriceBook) -> None:
    # LiteLLM 9812 and 5443 charged creation tokens twice.
    # Opus 4.5: input $5, write 5 m $6.25, write 1 h $10, output $25.
    # 10 x 5,000 + 2,000 x 6,250 + 3,000 x 10,000 + 400 x 25,000 = 50,000 + 12,500,000 + 30,000,000 + 10,000,000
    used = {"input_tokens": 10, "cache_write_5m_tokens": 2000, "cache_write_1h_tokens": 3000, "output_tokens": 400}
    assert cost(book, "anthropic", "claude-opus-4-5-20251101", **used) == 52_550_000


def test_a_long_conversation_read_from_cache(book: PriceBook) -> None:
    # LiteLLM 11789 charged these reads as input (7 times over), envoy ai-gateway 2290 charged 5 tokens.
    # Sonnet 4.5, prompt 6 + 1,500 + 178,000 = 179,506: below the tier.  Input $3, read $0.30, write $3.75, output $15.
    # 6 x 3,000 + 178,000 x 300 + 1,500 x 3,750 + 900 x 15,000 = 18,000 + 53,400,000 + 5,625,000 + 13,500,000
    used = {"input_tokens": 6, "cache_read_tokens": 178_000, "cache_write_5m_tokens": 1500, "output_tokens": 900}
    assert cost(book, "anthropic", "claude-sonnet-4-5-20250929", **used) == 72_543_000


def test_opus_with_its_own_cache_read_price(book: PriceBook) -> None:
    # Opus 5.5 reads cost 0.05 of input, not the usual tenth: $0.20.  Input $4, write 1 h $8, output $20.
    # 120 x 4,000 + 90,000 x 200 + 5,000 x 8,000 + 2,048 x 20,000 = 480,000 + 18,000,000 + 40,000,000 + 40,960,000
    used = {"input_tokens": 120, "cache_read_tokens": 90_000, "cache_write_1h_tokens": 5000, "output_tokens": 2048}
    assert cost(book, "anthropic", "claude-opus-5-5", **used) == 99_440_000


def test_prompts_above_200k_move_every_token_to_the_dearer_price(book: PriceBook) -> None:
    # Sonnet 4.5 above 200,000 prompt tokens, cached ones included: $6, $22.50, write $7.50 and $12, read $0.60.
    # Exactly 200,000 = 1,000 + 199,000 is still the base price:
    # 1,000 x 3,000 + 199,000 x 300 + 10 x 15,000 = 3,000,000 + 59,700,000 + 150,000
    at_edge = {"input_tokens": 1000, "cache_read_tokens": 199_000, "output_tokens": 10}
    assert cost(book, "anthropic", "claude-sonnet-4-5", **at_edge) == 62_850_000
    # One more: 1,001 x 6,000 + 199,000 x 600 + 10 x 22,500 = 6,006,000 + 119,400,000 + 225,000
    assert cost(book, "anthropic", "claude-sonnet-4-5", **at_edge | {"input_tokens": 1001}) == 125_631_000
    # Writes count towards the tier: 200,001 x 7,500 + 1 x 12,000 = 1,500,007,500 + 12,000
    writes = {"cache_write_5m_tokens": 200_001, "cache_write_1h_tokens": 1}
    assert cost(book, "anthropic", "claude-sonnet-4-5", **writes) == 1_500_019_500
    # Output does not: 200,001 x 15,000
    assert cost(book, "anthropic", "claude-sonnet-4-5", output_tokens=200_001) == 3_000_015_000


def test_the_tier_starts_where_the_model_says(book: PriceBook) -> None:
    # Haiku 5.5 is five times dearer above 100,000: $0.10 to $0.50.  100,000 x 100; 100,001 x 500
    assert cost(book, "anthropic", "claude-haiku-5-5", input_tokens=100_000) == 10_000_000
    assert cost(book, "anthropic", "claude-haiku-5-5", input_tokens=100_001) == 50_000_500
    # Opus 4.6 had a tier until 2026-03-13 and has none since.  250,000 x 5,000
    assert cost(book, "anthropic", "claude-opus-4-6", input_tokens=250_000) == 1_250_000_000
    before = PriceBook(compile_prices(PriceSettings(), datetime(2026, 3, 1, tzinfo=UTC)))
    # $10 then.  250,000 x 10,000
    assert cost(before, "anthropic", "claude-opus-4-6", input_tokens=250_000) == 2_500_000_000


def test_web_searches_cost_ten_dollars_a_thousand(book: PriceBook) -> None:
    # Sonnet 5: input $2, output $10.  3 x 10,000,000 + 20,000 x 2,000 + 500 x 10,000
    # = 30,000,000 + 40,000,000 + 5,000,000
    used = {"input_tokens": 20_000, "output_tokens": 500, "web_search": 3}
    assert cost(book, "anthropic", "claude-sonnet-5", **used) == 75_000_000
    # A fetch costs nothing but its tokens.
    assert cost(book, "anthropic", "claude-sonnet-5", **used | {"web_fetch": 4}) == 75_000_000


def test_code_execution_is_charged_its_smallest_slice(book: PriceBook) -> None:
    # Five minutes of $0.05 an hour: 50,000,000 / 12 = 4,166,666.67, kept as 4,166,667 nano-dollars a use.  Twice:
    assert cost(book, "anthropic", "claude-sonnet-5", code_execution=2) == 8_333_334


def test_fast_mode_doubles_tokens_and_not_searches(book: PriceBook) -> None:
    # Opus 5: input $5, read $0.50, write 1 h $10, output $25; fast $10, $1, $20, $50.
    # 100 x 10,000 + 50,000 x 1,000 + 1,000 x 20,000 + 300 x 50,000 + 1 x 10,000,000
    # = 1,000,000 + 50,000,000 + 20,000,000 + 15,000,000 + 10,000,000
    used = {
        "input_tokens": 100,
        "cache_read_tokens": 50_000,
        "cache_write_1h_tokens": 1000,
        "output_tokens": 300,
        "web_search": 1,
    }
    assert cost(book, "anthropic", "claude-opus-5", **used, fast=True) == 96_000_000
    # Without: half of the tokens' 86,000,000, and the search.
    assert cost(book, "anthropic", "claude-opus-5", **used) == 53_000_000


def test_inference_in_the_us_costs_a_tenth_more(book: PriceBook) -> None:
    # Sonnet 4.6: (1,001 x 3,000 + 7 x 15,000) x 1.1 = 3,108,000 x 1.1
    used = {"input_tokens": 1001, "output_tokens": 7}
    assert cost(book, "anthropic", "claude-sonnet-4-6", **used, us_geo=True) == 3_418_800
    # Odd figures round up once: Haiku 5.5, 3 reads at 10 nano: 30 x 1.1 = 33; 1 read of Fable 5.1 at 250: 275
    assert cost(book, "anthropic", "claude-haiku-5-5", cache_read_tokens=3, us_geo=True) == 33
    # Opus 4.5 is older than the option and carries no premium.  1,000 x 5,000
    assert cost(book, "anthropic", "claude-opus-4-5", input_tokens=1000, us_geo=True) == 5_000_000


def test_fast_and_us_multiply_each_other(book: PriceBook) -> None:
    # Opus 5: (11 x 5,000 + 13 x 25,000) x 2 x 1.1 = 380,000 x 2.2
    used = {"input_tokens": 11, "output_tokens": 13, "fast": True, "us_geo": True}
    assert cost(book, "anthropic", "claude-opus-5", **used) == 836_000


def test_bedrock_regional_profiles_cost_a_tenth_more_than_global_ones(book: PriceBook) -> None:
    # LiteLLM 11364 mis-priced cached Opus tokens here.
    # Opus 4.5 global: 200 x 5,000 + 40,000 x 500 + 1,000 x 6,250 + 100 x 25,000
    # = 1,000,000 + 20,000,000 + 6,250,000 + 2,500,000 = 29,750,000; regional x 1.1 = 32,725,000
    used = {
        "input_tokens": 200,
        "cache_read_tokens": 40_000,
        "cache_write_5m_tokens": 1000,
        "output_tokens": 100,
    }
    assert cost(book, "bedrock", "global.anthropic.claude-opus-4-5-20251101-v1:0", **used) == 29_750_000
    for regional in (
        "anthropic.claude-opus-4-5-20251101-v1:0",
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
        "eu.anthropic.claude-opus-4-5-20251101-v1:0",
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-5-20251101-v1:0",
    ):
        assert cost(book, "bedrock", regional, **used) == 32_725_000
    # Opus 4.1 is older than the distinction: $15 in either.  1,000 x 15,000
    assert cost(book, "bedrock", "us.anthropic.claude-opus-4-1-20250805-v1:0", input_tokens=1000) == 15_000_000


def test_vertex_regions_cost_a_tenth_more_than_its_global_endpoint(book: PriceBook) -> None:
    # Sonnet 4.5: 1,000 x 3,000 + 100 x 15,000 = 4,500,000; regional x 1.1
    used = {"input_tokens": 1000, "output_tokens": 100}
    assert cost(book, "vertex-global", "claude-sonnet-4-5@20250929", **used) == 4_500_000
    assert cost(book, "vertex", "claude-sonnet-4-5@20250929", **used) == 4_950_000


def test_an_unknown_model_is_charged_the_dearest_of_every_class(book: PriceBook) -> None:
    # The dearest of the list: Fable 5.2's fast id at resellers for input $16, output $80, writes $20 and $32; Opus 4.1
    # and Opus 3 for reads $1.50.
    # 10 x 16,000 + 20 x 80,000 + 30 x 20,000 + 40 x 32,000 + 50 x 1,500
    # = 160,000 + 1,600,000 + 600,000 + 1,280,000 + 75,000
    quote = book.lookup("anthropic", "claude-opus-77")
    used = Usage.of(
        input_tokens=10, output_tokens=20, cache_write_5m_tokens=30, cache_write_1h_tokens=40, cache_read_tokens=50
    )
    assert not quote.known
    assert quote.row.cost(used) == 3_715_000
    for kind in ("anthropic", "compatible", "foundry", "bedrock", "vertex", "vertex-global"):
        assert not book.lookup(kind, "claude-opus-77").known
        assert book.row(kind, "claude-opus-77").cost(used) >= book.row(kind, "claude-opus-4-1").cost(used) > 0
