"""The catalogue: every listed price against its source's own calculator, the rules that fill gaps, and overrides."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import genai_prices
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate._core.money import PriceRow
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook, PriceData, family_of
from fastgate.prices.catalog import compile_prices, dearest, list_prices, model_version
from fastgate.prices.settings import PriceSettings

AT = datetime(2026, 11, 23, tzinfo=UTC)
DATA = compile_prices(PriceSettings(), AT)
BOOK = PriceBook(DATA)
CURRENT = sorted({p.names[0] for p in DATA.prices if p.kind == "anthropic" and model_version(p.names[0]) >= (4, 5)})


def compiled(**settings: Any) -> PriceData:
    return compile_prices(msgspec.convert(settings, PriceSettings), AT)


def by_source(provider: str, model: str, counts: tuple[int, ...], fast: bool = False) -> int:
    """The source's own calculator, in nano-dollars rounded up. Its input counts are totals of the classes within."""
    plain, output, write_5m, write_1h, read = counts
    usage = genai_prices.Usage(
        input_tokens=plain + write_5m + write_1h + read,
        output_tokens=output,
        cache_write_tokens=write_5m + write_1h,
        cache_write_1h_tokens=write_1h,
        cache_read_tokens=read,
    )
    total = genai_prices.calc_price(
        usage,
        model,
        provider_id=provider,
        genai_request_timestamp=AT,
        price_context={"speed": "fast"} if fast else None,
    ).total_price
    return ceil(Fraction(total) * 10**9)


def ours(kind: str, model: str, counts: tuple[int, ...], fast: bool = False) -> int:
    plain, output, write_5m, write_1h, read = counts
    quote = BOOK.lookup(kind, model)
    assert quote.known
    return quote.row.cost(
        Usage.of(
            input_tokens=plain,
            output_tokens=output,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            cache_read_tokens=read,
            fast=fast,
        )
    )


COUNTS = st.tuples(*[st.integers(0, 150_000)] * 5)


@given(st.sampled_from(CURRENT), COUNTS, st.booleans())
def test_anthropic_prices_are_those_of_the_source(model: str, counts: tuple[int, ...], fast: bool) -> None:
    if model == "claude-mythos-5":  # listed by SAME_AS, not by the source
        model, twin = "claude-fable-5", model
        assert BOOK.row("anthropic", twin) == BOOK.row("anthropic", model)
    if model == "claude-mythos-5-1":
        model, twin = "claude-fable-5-1", model
        assert BOOK.row("anthropic", twin) == BOOK.row("anthropic", model)
    assert ours("anthropic", model, counts, fast) == by_source("anthropic", model, counts, fast)


@given(st.sampled_from(["claude-opus-4-5-20251101", "claude-haiku-5-5", "claude-fable-5-2"]), COUNTS)
@pytest.mark.parametrize("scope", ["global.", "us."])
def test_bedrock_prices_are_those_of_the_source(scope: str, model: str, counts: tuple[int, ...]) -> None:
    model = f"{scope}anthropic.{model}-v1:0"
    assert ours("bedrock", model, counts) == by_source("aws", model, counts)


@given(st.sampled_from(["claude-opus-4-5@20251101", "claude-haiku-5-5", "claude-sonnet-4-5@20250929"]), COUNTS)
def test_vertex_global_prices_are_those_of_the_source(model: str, counts: tuple[int, ...]) -> None:
    assert ours("vertex-global", model, counts) == by_source("google", model, counts)


def test_each_listed_model_is_found_under_all_its_names() -> None:
    for listed in DATA.prices:
        for name in listed.names:
            quote = BOOK.lookup(listed.kind, name)
            assert quote.known, (listed.kind, name)
            assert quote.row.ints() == listed.ints or len({p.ints for p in DATA.prices if name in p.names}) > 1


def test_no_name_stands_for_two_prices() -> None:
    seen: dict[tuple[str, str], tuple[int, ...]] = {}
    for listed in DATA.prices:
        for name in listed.names:
            assert seen.setdefault((listed.kind, name), listed.ints) == listed.ints


def test_every_model_has_a_price_at_every_kind() -> None:
    families = {p.names[0] for p in DATA.prices if p.kind == "anthropic"}
    assert len(families) >= 27
    kinds = (
        "anthropic",
        "compatible",
        "foundry",
        "bedrock-global",
        "bedrock-regional",
        "vertex-global",
        "vertex-regional",
    )
    for kind in kinds:
        assert {p.names[0] for p in DATA.prices if p.kind == kind} >= families


def test_missing_cache_prices_follow_the_caching_rule() -> None:
    # The source has neither for Claude 2; Anthropic's rule: writes 1.25 and 2 times input, reads a tenth.
    row = BOOK.row("anthropic", "claude-2")
    assert (row.input_pico, row.cache_write_5m_pico, row.cache_write_1h_pico, row.cache_read_pico) == (
        8_000_000,
        10_000_000,
        16_000_000,
        800_000,
    )
    # Bedrock lists no one-hour write for Opus 4.1: twice its $15.
    assert BOOK.row("bedrock", "us.anthropic.claude-opus-4-1-20250805-v1:0").cache_write_1h_pico == 30_000_000


def test_resellers_fast_ids_carry_the_fast_price() -> None:
    fast = BOOK.lookup("compatible", "anthropic/claude-opus-5-fast")
    assert fast.known
    assert (fast.row.input_pico, fast.row.output_pico, fast.row.fast_ppm) == (10_000_000, 50_000_000, 1_000_000)
    assert not BOOK.lookup("anthropic", "claude-opus-5-fast").known


def test_the_list_is_the_same_every_time() -> None:
    assert list_prices(AT) == list_prices(AT)
    assert [(p.kind, p.names) for p in DATA.prices] == sorted((p.kind, p.names) for p in DATA.prices)


def test_the_dearest_row_is_dearer_than_each() -> None:
    worst = PriceRow.of_ints(dearest(list(DATA.prices)))
    usage = Usage.of(
        input_tokens=250_000,
        output_tokens=1000,
        cache_write_5m_tokens=7,
        cache_write_1h_tokens=7,
        cache_read_tokens=7,
        web_search=1,
        code_execution=1,
        fast=True,
        us_geo=True,
    )
    assert all(worst.cost(usage) >= PriceRow.of_ints(p.ints).cost(usage) for p in DATA.prices)
    assert DATA.worst.ints == worst.ints()


@pytest.mark.parametrize(
    ("family", "version"),
    [
        ("claude-opus-4-6", (4, 6)),
        ("claude-sonnet-5", (5, 0)),
        ("claude-3-5-haiku", (3, 5)),
        ("claude-2", (2, 0)),
        ("claude", (0, 0)),
    ],
)
def test_versions_are_read_from_the_family(family: str, version: tuple[int, int]) -> None:
    assert model_version(family) == version


def test_an_override_states_its_figures_and_the_rule_fills_the_rest() -> None:
    data = compiled(overrides=[{"model": "house-*", "input": 2.5, "output": "12"}])
    quote = PriceBook(data).lookup("compatible", "house-llm")
    assert quote.known
    assert quote.row.ints()[:5] == (2_500_000, 12_000_000, 3_125_000, 5_000_000, 250_000)
    assert quote.row.web_search_nano == 10_000_000


def test_every_figure_of_an_override_is_taken() -> None:
    data = compiled(
        overrides=[
            {
                "model": "house",
                "kind": "compatible",
                "input": 1,
                "output": 2,
                "cache_write_5m": 3,
                "cache_write_1h": 4,
                "cache_read": 0.05,
                "long_prompt": {"above": 9, "input": 5, "output": 6, "cache_read": 0.5},
                "web_search": 20,
                "web_fetch": 1,
                "code_execution": 0,
                "fast": 3,
                "us_geo": 1.25,
            }
        ]
    )
    assert PriceBook(data).row("compatible", "house").ints() == (
        *(1_000_000, 2_000_000, 3_000_000, 4_000_000, 50_000),
        9,
        *(5_000_000, 6_000_000, 6_250_000, 10_000_000, 500_000),
        *(20_000_000, 1_000_000, 0),
        *(3_000_000, 1_250_000),
    )
    assert not PriceBook(data).lookup("anthropic", "house").known


def test_a_discount_multiplies_the_list_price_of_what_it_matches() -> None:
    book = PriceBook(compiled(overrides=[{"model": "claude-sonnet-*", "kind": "bedrock", "multiply": 0.9}]))
    # $2 and $2.20 less a tenth.
    assert book.row("bedrock", "global.anthropic.claude-sonnet-5-v1:0").input_pico == 1_800_000
    assert book.row("bedrock", "us.anthropic.claude-sonnet-5-v1:0").input_pico == 1_980_000
    assert book.row("anthropic", "claude-sonnet-5").input_pico == 2_000_000
    # Sonnet 4.5's tier is discounted as well ($6), tools and multipliers are not.
    vertex = PriceBook(compiled(overrides=[{"model": "*", "kind": "vertex-global", "multiply": 0.5}]))
    row = vertex.row("vertex-global", "claude-sonnet-4-5@20250929")
    assert (row.input_above_pico, row.web_search_nano, row.tier_at) == (3_000_000, 10_000_000, 200_000)


def test_a_discount_rounds_up_and_a_later_override_does_not_reach_what_it_matched() -> None:
    data = compiled(
        overrides=[
            {"model": "claude-haiku-5-5", "multiply": "0.33333"},
            {"model": "claude-*", "input": 7, "output": 7},
        ]
    )
    # $0.10 is 100,000 pico a token: 33,333; its reads 10,000: 3,333.3, up.
    assert PriceBook(data).row("anthropic", "claude-haiku-5-5").ints()[:5:4] == (33_333, 3_334)
    assert PriceBook(data).row("anthropic", "claude-haiku-4-5").input_pico == 7_000_000


def test_the_worst_price_may_be_stated() -> None:
    data = compiled(unknown="refuse", worst={"model": "*", "input": 30, "output": 150})
    quote = PriceBook(data).lookup("anthropic", "unheard-of")
    assert not quote.known
    assert quote.row.ints()[:2] == (30_000_000, 150_000_000)
    assert PriceBook(data).refuse_unknown


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ({"model": "x"}, r"prices\.overrides\[1\]"),
        ({"model": "x", "input": 1}, r"prices\.overrides\[1\]"),
        ({"model": "claude-*", "multiply": 0.9, "input": 1, "output": 1}, "stands alone"),
        ({"model": "nobody-*", "multiply": 0.9}, "no listed model"),
        ({"model": "x", "input": -1, "output": 1}, r"overrides\[1\]\.input"),
        ({"model": "x", "input": "NaN", "output": 1}, r"overrides\[1\]\.input"),
        ({"model": "x", "input": "Infinity", "output": 1}, r"overrides\[1\]\.input"),
        ({"model": "x", "input": 1, "output": 1, "fast": -2}, r"overrides\[1\]\.fast"),
        ({"model": "x", "input": 1, "output": 1, "long_prompt": {"above": 0, "input": 1, "output": 1}}, "above"),
        ({"model": "x", "input": 10**9, "output": 1}, "input_pico"),
        ({"model": "claude-*", "multiply": 10**9}, "input_pico"),
    ],
)
def test_overrides_that_cannot_be_are_refused_by_name(override: dict[str, Any], path: str) -> None:
    good = {"model": "y", "input": 1, "output": 1}
    with pytest.raises(ValueError, match=path):
        compiled(overrides=[good, override])


@settings(max_examples=20)
@given(st.decimals("0.01", "100", places=4, allow_nan=False))
def test_what_is_written_is_what_is_charged(usd: Decimal) -> None:
    # Read from YAML, a figure passes through a binary float; its shortest decimal form is the one that was written.
    for written in (str(usd), float(usd)):
        data = compiled(overrides=[{"model": "m", "input": written, "output": written}])
        assert PriceBook(data).row("anthropic", "m").input_pico == usd * 10**6


def test_families_of_the_list_read_back_as_themselves() -> None:
    for listed in DATA.prices:
        assert family_of(listed.names[0]) == listed.names[0]
