"""What a rule may be, and every family that is shipped: unique names, patterns that compile, samples that say so."""

from __future__ import annotations

import re

import pytest

from fastgate.guards.rule import KINDS, SEVERITIES, Rule, Scanner, load_scanners


def test_a_rule_has_a_pattern_or_a_look() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Rule(id="none", title="nothing", samples=("x",))
    with pytest.raises(ValueError, match="exactly one"):
        Rule(id="both", title="both", pattern="abc", look=lambda block: [], samples=("x",))
    with pytest.raises(ValueError, match="sample"):
        Rule(id="untested", title="untested", pattern="abc")


def test_settings_and_make_come_together() -> None:
    with pytest.raises(ValueError, match="together"):
        Scanner(name="odd", title="odd", make=lambda settings: ())


def test_shipped_families_are_well_formed() -> None:
    for name, scanner in load_scanners().items():
        assert name == scanner.name
        for rule in scanner.rules:
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.id), rule.id
            assert rule.kinds <= set(KINDS), rule.id
            assert rule.severity in SEVERITIES, rule.id
            if rule.exact:
                re.compile(rule.exact.encode())
