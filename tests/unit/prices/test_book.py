"""The price book: how model ids are read, overrides tried and unknown models priced."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.money import PriceRow
from fastgate.prices.book import (
    LOOKUPS_KEPT,
    MAX_MODEL_CHARS,
    Price,
    PriceBook,
    PriceData,
    endpoint_kind,
    family_of,
    price_kind,
)


def price(kind: str, *names: str, input_pico: int = 1_000_000) -> Price:
    row = PriceRow.new(
        input_pico=input_pico,
        output_pico=5_000_000,
        cache_write_5m_pico=1_250_000,
        cache_write_1h_pico=2_000_000,
        cache_read_pico=100_000,
    )
    return Price(kind, names, "test", row.ints())


WORST = price("*", "*", input_pico=99_000_000)


def book(*prices: Price, overrides: tuple[Price, ...] = (), unknown: Literal["worst", "refuse"] = "worst") -> PriceBook:
    return PriceBook(PriceData(prices, overrides, WORST, unknown))


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-opus-4-5", "claude-opus-4-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-opus-4-5@20251101", "claude-opus-4-5"),
        ("claude-opus-5-2026-07-24", "claude-opus-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"),
        ("claude-opus-5@default", "claude-opus-5"),
        ("claude-sonnet-5[1m]", "claude-sonnet-5"),
        ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
        ("CLAUDE-Sonnet-5[1M]", "claude-sonnet-5"),
        ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "claude-3-sonnet"),
        ("anthropic.claude-3-sonnet-20240229-v1:0:200k", "claude-3-sonnet"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5"),
        ("us-gov.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-5", "claude-opus-5"),
        ("claude-v1", "claude-v1"),
        ("-latest", "-latest"),
        ("", ""),
        # Not suffixes that leave the price alone: these are other models, or none.
        ("claude-opus-5-fast", "claude-opus-5-fast"),
        ("claude-opus-4-52", "claude-opus-4-52"),
        ("claude-opus-5-19991231", "claude-opus-5-19991231"),
        ("claude-sonnet-5:batch", "claude-sonnet-5:batch"),
    ],
)
def test_model_ids_are_read_down_to_their_family(model: str, family: str) -> None:
    assert family_of(model) == family


@given(st.text(max_size=60))
def test_any_text_has_a_family_and_reading_it_again_changes_nothing(model: str) -> None:
    family = family_of(model)
    assert family_of(family) == family or "." in family or family.startswith(("arn:", "anthropic/"))
    assert len(family) <= len(model.lower())


def test_the_longest_ids_that_are_read_cost_little_and_longer_ones_are_not_read() -> None:
    prices = book(price("anthropic", "claude"), overrides=(price("*", "*a*a*a*a*b"),))
    hostile = ("claude" + "-latest" * 72, "a" * 510, "." * 510, "claude-5" + ".5" * 250, "arn:" + "/" * 500)
    began = time.process_time()
    for model in hostile:
        assert len(model) <= MAX_MODEL_CHARS
        prices.lookup("anthropic", model)
    assert time.process_time() - began < 0.5  # milliseconds; seconds if it were worse than quadratic
    for model in hostile:
        assert prices.lookup("anthropic", model * 400) == (prices.worst, False)
    assert len(prices._memo) == len(hostile)


@pytest.mark.parametrize(
    ("kind", "model", "at"),
    [
        ("anthropic", "global.anthropic.claude-opus-5", "anthropic"),
        ("bedrock", "global.anthropic.claude-opus-5", "bedrock-global"),
        ("bedrock", "GLOBAL.anthropic.claude-opus-5", "bedrock-global"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-5", "bedrock-global"),
        ("bedrock", "eu.anthropic.claude-opus-5", "bedrock-regional"),
        ("bedrock", "anthropic.claude-opus-5", "bedrock-regional"),
        ("vertex", "claude-opus-5", "vertex-regional"),
        ("vertex-global", "claude-opus-5", "vertex-global"),
    ],
)
def test_the_endpoint_and_the_id_decide_which_price_holds(kind: str, model: str, at: str) -> None:
    assert price_kind(kind, model) == at
    assert endpoint_kind(at) == kind.removesuffix("-global")


def test_one_model_has_a_price_of_its_own_at_each_kind() -> None:
    prices = book(
        price("anthropic", "claude-opus-5", input_pico=5),
        price("bedrock-global", "claude-opus-5", input_pico=6),
        price("bedrock-regional", "claude-opus-5", input_pico=7),
    )
    assert prices.row("anthropic", "claude-opus-5-20260724").input_pico == 5
    assert prices.row("bedrock", "global.anthropic.claude-opus-5").input_pico == 6
    assert prices.row("bedrock", "anthropic.claude-opus-5").input_pico == 7
    assert not prices.lookup("vertex", "claude-opus-5").known


def test_a_prefix_of_a_known_model_is_not_that_model() -> None:
    prices = book(price("anthropic", "claude-opus-5"))
    for other in ("claude-opus-5-5", "claude-opus-55", "claude-opus", "claude-opus-5-mini", "xclaude-opus-5"):
        assert prices.lookup("anthropic", other) == (prices.worst, False)


def test_an_unknown_model_costs_the_worst_price_and_says_so() -> None:
    quote = book(price("anthropic", "claude-opus-5")).lookup("anthropic", "gpt-9")
    assert not quote.known
    assert quote.row.input_pico == 99_000_000


def test_the_configuration_may_refuse_unknown_models() -> None:
    assert book(unknown="refuse").refuse_unknown
    assert not book(unknown="worst").refuse_unknown


def test_the_first_matching_override_wins_over_the_list() -> None:
    prices = book(
        price("anthropic", "claude-opus-5", input_pico=5),
        overrides=(
            price("bedrock*", "*opus*", input_pico=1),
            price("*", "claude-opus-*", input_pico=2),
            price("*", "claude-*", input_pico=3),
        ),
    )
    assert prices.lookup("bedrock", "us.anthropic.claude-opus-5-v1:0").row.input_pico == 1
    assert prices.lookup("anthropic", "claude-opus-5-20260724").row.input_pico == 2
    assert prices.lookup("anthropic", "claude-new").row.input_pico == 3
    assert prices.lookup("anthropic", "claude-new").known
    assert not prices.lookup("anthropic", "gpt-9").known


def test_an_override_matches_the_id_as_sent_or_its_family() -> None:
    prices = book(overrides=(price("*", "us.anthropic.*", input_pico=1), price("*", "claude-opus-5", input_pico=2)))
    assert prices.row("bedrock", "us.anthropic.claude-opus-5-v1:0").input_pico == 1
    assert prices.row("bedrock", "eu.anthropic.claude-opus-5-v1:0").input_pico == 2


def test_an_override_for_an_endpoint_kind_or_for_one_of_its_prices() -> None:
    prices = book(overrides=(price("bedrock-global", "*", input_pico=1), price("bedrock", "*", input_pico=2)))
    assert prices.row("bedrock", "global.anthropic.claude-opus-5").input_pico == 1
    assert prices.row("bedrock", "anthropic.claude-opus-5").input_pico == 2


def test_lookups_are_remembered_within_a_bound() -> None:
    prices = book(price("anthropic", "claude-opus-5"))
    first = prices.lookup("anthropic", "claude-opus-5")
    assert prices.lookup("anthropic", "claude-opus-5") is first
    for i in range(3 * LOOKUPS_KEPT):
        prices.lookup("anthropic", f"made-up-{i}")
        assert len(prices._memo) <= LOOKUPS_KEPT
    assert prices.lookup("anthropic", "claude-opus-5") == first


def test_the_data_travels_in_the_snapshot_unchanged() -> None:
    data = PriceData((price("anthropic", "a", "b"),), (price("*", "c*"),), WORST, "refuse")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(data), type=PriceData) == data


def test_the_data_plane_view_of_prices_needs_no_price_source() -> None:
    code = "import sys, fastgate.prices.book; print([m for m in sys.modules if m.startswith(('genai', 'pydantic'))])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    )
    assert out.stdout.strip() == "[]"
