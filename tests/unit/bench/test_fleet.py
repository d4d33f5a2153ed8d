"""The simulated fleet, small: ours is the cheapest, every decision is the same when asked again, runs are alike."""

from __future__ import annotations

import pytest

from bench.fleet.provider import Caches
from bench.fleet.run import run
from bench.fleet.trace import OPUS, Turn, trace


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ours_is_the_cheapest_and_can_be_asked_again(seed: int) -> None:
    ours, bare, none, naive = run(12, 6.0, seed)
    assert ours.nano == min(bill.nano for bill in (ours, bare, none, naive))
    assert (ours.differing, bare.differing) == ([], [])
    assert ours.replayed > ours.calls == bare.calls == none.calls == naive.calls
    assert ours.unserved == bare.unserved == none.unserved == naive.unserved
    assert ours.moves["claude-haiku-5-5"], "rules do move calls"


def test_a_seed_is_a_trace() -> None:
    assert trace(3, 1.0, 5) == trace(3, 1.0, 5) != trace(3, 1.0, 6)
    first = run(2, 1.0, 5)
    assert [bill.nano for bill in first] == [bill.nano for bill in run(2, 1.0, 5)]


def test_a_prompt_is_read_where_it_is_warm_and_nowhere_else() -> None:
    def turn(at_s: float, prompt: int, kept: int) -> Turn:
        return Turn(at_s, 0, "s", "", "main", "s/1", OPUS, prompt, kept, 100)

    caches = Caches()
    found = [
        caches.use("a", OPUS, turn(0, 10_000, 0)),
        caches.use("a", OPUS, turn(299, 12_000, 10_000)),
        caches.use("b", OPUS, turn(300, 12_500, 12_000)),
        caches.use("a", OPUS, turn(599, 13_000, 12_500)),
        caches.use("a", OPUS, turn(600, 14_000, 13_000)),
    ]
    told = [(use.cache_read_tokens, use.cache_write_5m_tokens, use.input_tokens) for use in found]
    assert told == [(0, 9_992, 8), (9_992, 2_000, 8), (0, 12_492, 8), (0, 12_992, 8), (12_992, 1_000, 8)]
    assert all(sum(each) == use for each, use in zip(told, (10_000, 12_000, 12_500, 13_000, 14_000), strict=True))
