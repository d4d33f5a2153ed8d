"""Warnings about budgets that bind nothing: each typing error is told, and nothing that may bind a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastgate.cli.check import problems_of
from fastgate.idle import idle_models, idle_tag
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings

KNOWN = {name for price in compile_prices(PriceSettings()).prices for name in price.names}

CONFIG = """\
version: 1
state: ./fastgate-data
directory: directory.yaml
endpoints:
  - {name: a, kind: compatible, base_url: "http://127.0.0.1:9", api_key: none, models: {house-model: x}}
"""
DIRECTORY = """\
orgs: [{id: acme}]
cost_centers: [{id: C}]
teams: [{id: t, org: acme, cost_center: C, open_tags: [experiment]}]
keys: [{id: k, team: t, secret: sk-test-0123456789abcdef012345, tags: {project: checkout}}]
budgets:
  - {id: b0, level: tag, of: "projct=x", period: day, usd: 1}
  - {id: b1, level: tag, of: "project=other", period: day, usd: 1}
  - {id: b2, level: tag, of: "experiment=*", period: day, usd: 1}
  - {id: b3, level: tag, of: "session=*", period: day, usd: 1, models: [opsu, sonnet]}
  - {id: b4, level: org, of: acme, period: day, usd: 1, models: [house-model, "claude-opus-*"]}
"""


@pytest.mark.parametrize(
    "entry",
    [
        "opus",
        "claude-*",
        "claude-opus-4-5",
        "claude-opus-4-5-20251101",
        "*haiku*",
        "claude-opus-4-5-2025*",
        "*",
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
    ],
)
def test_what_some_model_matches_is_no_mistake(entry: str) -> None:
    assert list(idle_models([entry], KNOWN)) == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("opsu", "no model with a known price is opsu; nearest: opus"),
        ("Opus", "no model with a known price is Opus; nearest: opus"),
        ("clade-*", "no model with a known price is clade-*"),
        ("gpt-5", "no model with a known price is gpt-5"),
    ],
)
def test_what_no_model_matches_is_told(entry: str, told: str) -> None:
    assert [one[: len(told)] for one in idle_models(["sonnet", entry], KNOWN)] == [told]


def test_a_tag_that_nobody_has_is_told() -> None:
    assert idle_tag("projct=x", {"project"}) == "no key has the tag projct, and no client may set it; nearest: project"
    for of in ("project=x", "project=*", "session=*", "cost_center=C"):
        assert idle_tag(of, {"project"}) == ""


def test_check_tells_both_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "fastgate.yaml").write_text(CONFIG)
    (tmp_path / "directory.yaml").write_text(DIRECTORY)
    errors, warnings = problems_of(tmp_path / "fastgate.yaml")
    assert errors == []
    told = {problem.path: problem.message for problem in warnings if problem.path.startswith("budgets")}
    assert set(told) == {"budgets[0].of", "budgets[3].models"}
    assert told["budgets[0].of"].startswith("b0 binds no call of these keys: no key has the tag projct")
    assert "nearest: opus" in told["budgets[3].models"]
