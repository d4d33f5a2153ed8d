"""The figures that the semantic cache is published with hold: on every set of pairs, whatever else changes."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if not (find_spec("hnswlib") and find_spec("wordllama") and find_spec("fow_cache")):
    pytest.skip("the semantic extra is not installed: make install-test", allow_module_level=True)

from bench.semantic import published, quality, traces
from bench.semantic.pair import Pair
from bench.semantic.rules import PEERS, Fastgate


def test_no_near_miss_is_answered_and_repeats_are() -> None:
    found = {}
    for name, source in quality.SETS.items():
        pairs = list(source())
        rule = Fastgate(pairs)
        found[name] = quality.shares(pairs, [rule(pair) for pair in pairs])
        assert all(right for _, right in rule.served), "nor was another pair's answer given"
    made, asked, talked = (found[name] for name in ("traces", "questions", "conversations"))
    assert [each["other"].hits for each in (made, asked, talked)] == [0, 0, 0]
    assert (made["other"].of, asked["other"].of, talked["other"].of) == (1600, 300, 120)
    assert made["repeat"].value == 1.0
    assert made["reworded"].value >= quality.REWORDED_GOAL
    assert asked["same"].value >= 0.25, "support chats, which the lists were not made for"


def test_a_similarity_alone_is_unsafe_at_any_threshold() -> None:
    """That the sets are hard: the rules of others answer near misses of each."""
    for source in (traces.pairs, published.conversations):
        traps = [pair for pair in source() if not pair.same]
        for title in ("last message, 0.80 (GPTCache's default)", "last message, 0.95"):
            assert sum(map(PEERS[title], traps)) / len(traps) > 0.3, title


def test_traces_are_the_same_every_time_and_what_they_say() -> None:
    pairs = list(traces.pairs())
    assert pairs == list(traces.pairs())
    same = [pair for pair in pairs if pair.same]
    assert len(same) >= 1000
    assert all(pair.first.means == pair.second.means for pair in same)
    assert all(pair.first.means != pair.second.means for pair in pairs if not pair.same)
    assert all(pair.first != pair.second for pair in pairs if not pair.same)
    assert isinstance(pairs[0], Pair)
