"""Every rule of every family: its samples fire, its near misses do not, its pattern is as cheap as rule.py asks."""

from __future__ import annotations

import re

import pytest

from fastgate.guards.rule import Rule, load_scanners
from tests.support.rules import places

RULES = [rule for scanner in load_scanners().values() for rule in scanner.rules]
OPEN_END = re.compile(r"(?:\{\d+,\d*\}|[*+])$")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_samples_and_not_on_near_misses(rule: Rule) -> None:
    assert all(places(rule, sample) for sample in rule.samples), "a sample that does not fire"
    assert not [text for text in rule.clean if places(rule, text)]


def test_a_pattern_ends_in_an_exact_count_and_begins_with_something() -> None:
    """Every possible end of a match is a candidate; a leading `.*` keeps the whole automaton awake."""
    assert not [rule.id for rule in RULES if OPEN_END.search(rule.pattern)]
    assert not [rule.id for rule in RULES if rule.pattern.startswith((".*", ".+", r"\s*", r"\w*", "[^"))]


def test_an_exact_form_reaches_as_far_as_its_longest_sample() -> None:
    for rule in RULES:
        for sample in rule.samples:
            for start, end in places(rule, "x " * 300 + sample + " y" * 300):
                assert 0 < end - start <= rule.before + rule.after, rule.id
