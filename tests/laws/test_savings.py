"""Laws of savings: causes add up to the price as asked less the cost; where nothing is changed nothing is saved."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastgate.prices.book import Price, PriceData
from fastgate.routing.savings import NOTHING, Savings, listed, savings, warmer
from fastgate.snapshot import Endpoint, HeaderNames, Snapshot, SnapshotData
from tests.laws.test_money import compiled, rows, tokens, usage
from tests.model import money as model
from tests.support.plane import LIMITS

KINDS = ("anthropic", "foundry", "compatible")
MODELS = ("dear", "cheap")

World = dict[tuple[str, str], model.Row]
"""The price of a model at a kind of endpoint; absent where it is not listed."""


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, tuple[Endpoint, ...]]:
    world = {(kind, name): draw(rows()) for kind in KINDS for name in MODELS if draw(st.integers(0, 9))}
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    served = [draw(st.sets(st.sampled_from(MODELS), min_size=1)) for _ in kinds]
    return world, tuple(endpoint(n, kind, names) for n, (kind, names) in enumerate(zip(kinds, served, strict=True)))


def endpoint(n: int, kind: str, names: set[str]) -> Endpoint:
    only = {name: name for name in sorted(names)}
    return Endpoint(
        f"e{n}", kind, "http://127.0.0.1:1", "", "bearer", "", pin_version=False, ca_file="", models=only,
        models_only=True,
    )  # fmt: skip


def snapshot(world: World, endpoints: tuple[Endpoint, ...]) -> Snapshot:
    prices = tuple(Price(kind, (name,), "drawn", row.ints()) for (kind, name), row in world.items())
    worst = Price("*", ("*",), "worst", model.Row((1,) * 5, 0, (1,) * 5, (0, 0, 0), 1_000_000, 1_000_000).ints())
    data = SnapshotData(1, "v", HeaderNames(), LIMITS, endpoints, [], PriceData(prices, (), worst))
    return Snapshot(data)


@pytest.mark.promise("P-08", bound="savings by cause are the price as asked less the cost, to the nano-dollar")
@given(worlds(), st.sampled_from(MODELS), st.sampled_from(MODELS), tokens(), st.data())
def test_causes_add_up_to_the_nano_dollar(
    drawn: tuple[World, tuple[Endpoint, ...]], asked: str, used: str, t: model.Tokens, data: st.DataObject
) -> None:
    world, endpoints = drawn
    able = [each for each in endpoints if used in each.models and (each.kind, used) in world]
    if not able:
        return
    at = data.draw(st.sampled_from(able))
    try:
        cost_nano = compiled(world[at.kind, used]).cost(usage(t))
    except OverflowError:
        return
    found = savings(snapshot(world, endpoints), asked, at, usage(t), cost_nano)
    priced = [world[each.kind, asked] for each in endpoints if asked in each.models and (each.kind, asked) in world]
    if not priced:
        assert found == NOTHING
        return
    first = priced[0]
    here = world[at.kind, asked] if asked in at.models and (at.kind, asked) in world else first
    try:
        asked_nano, here_nano = model.cost_nano(first, t), model.cost_nano(here, t)
    except OverflowError:
        assert found == NOTHING
        return
    assert found == Savings(here_nano - cost_nano, asked_nano - here_nano)
    assert cost_nano + sum(found) == asked_nano
    if asked == used:
        assert found.downgrade_nano == 0, "the same model saves nothing by being itself"
    if here is first:
        assert found.arbitration_nano == 0, "the first endpoint, or one at its price, arbitrates nothing"


@given(tokens(), st.integers(0, 1 << 40))
def test_a_warmer_prompt_is_the_same_prompt(t: model.Tokens, more: int) -> None:
    assume(t.input + t.write_5m + t.write_1h + t.read <= 1 << 53)  # what a count may be, and so their sum
    before, after = usage(t), warmer(usage(t), more)
    classes = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    was, now = ([getattr(use, name) for name in classes] for use in (before, after))
    assert sum(was) == sum(now) and min(now) >= 0
    assert now[-1] - was[-1] == min(more, sum(was[:-1]))
    assert (before.output_tokens, before.fast, before.web_search) == (after.output_tokens, after.fast, after.web_search)


def test_a_global_endpoint_of_vertex_has_its_own_prices() -> None:
    row = model.Row((5, 5, 5, 5, 5), 0, (5, 5, 5, 5, 5), (0, 0, 0), 1_000_000, 1_000_000)
    book = snapshot({("vertex-global", "dear"): row}, ()).prices
    regional = endpoint(0, "vertex", {"dear"})
    everywhere = Endpoint(
        "g", "vertex", "http://127.0.0.1:1", "", "bearer", "", pin_version=False, ca_file="", region="global"
    )
    assert listed(book, regional, "dear") is None
    assert listed(book, everywhere, "dear") == compiled(row)
