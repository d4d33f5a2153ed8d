"""Ids and capabilities: what an endpoint calls a model, and what it can take of a request."""

from __future__ import annotations

from typing import Any

import pytest

from fastgate.dialects.front import anthropic_id, match
from fastgate.prices.book import family_of
from fastgate.providers.capabilities import EVERYTHING, Fitter, capabilities_of
from fastgate.providers.models import BEDROCK_IDS, VERTEX_IDS, endpoint_model
from fastgate.snapshot import Endpoint
from tests.support.clouds import bedrock, vertex
from tests.support.plane import endpoint


@pytest.mark.parametrize(("made", "model", "named"), [
    (endpoint("http://x"), "claude-opus-5-5", "claude-opus-5-5"),
    (bedrock("http://x"), "claude-opus-5-5", "us.anthropic.claude-opus-5-5"),
    (bedrock("http://x"), "claude-sonnet-4-5-20250929", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (bedrock("http://x", region="eu-west-1"), "claude-opus-4-6", "eu.anthropic.claude-opus-4-6-v1"),
    (bedrock("http://x", region="us-gov-west-1"), "claude-opus-5", "us-gov.anthropic.claude-opus-5"),
    (bedrock("http://x", region="sa-east-1"), "claude-opus-5", "anthropic.claude-opus-5"),
    (bedrock("http://x", scope="global"), "claude-opus-5", "global.anthropic.claude-opus-5"),
    (bedrock("http://x"), "eu.anthropic.claude-opus-5", "eu.anthropic.claude-opus-5"),
    (bedrock("http://x", models={"claude-opus-5": "arn:aws:x"}), "claude-opus-5-20260101", "arn:aws:x"),
    (bedrock("http://x", models={"claude-opus-5": "a"}, models_only=True), "claude-haiku-4-5", ""),
    (bedrock("http://x"), "../../x", ""),
    (vertex("http://x"), "claude-haiku-4-5", "claude-haiku-4-5@20251001"),
    (vertex("http://x"), "claude-opus-5-5", "claude-opus-5-5"),
    (vertex("http://x"), "claude-x y", ""),
    (endpoint("http://x", models={"claude-opus-5-5": "anthropic/claude-opus-5.5"}), "claude-opus-5-5",
     "anthropic/claude-opus-5.5"),
])  # fmt: skip
def test_models(made: Endpoint, model: str, named: str) -> None:
    assert endpoint_model(made, model) == named


@pytest.mark.parametrize("named", [*(f"us.anthropic.{name}" for name in BEDROCK_IDS.values()), *VERTEX_IDS.values()])
def test_every_id_of_the_tables_comes_back_as_anthropics(named: str) -> None:
    back = anthropic_id(named)
    assert family_of(back) == family_of(named).removesuffix("-v2")
    assert not {"@", ":"} & set(back) and back.startswith("claude-")


@pytest.mark.parametrize(("path", "said"), [
    ("/model/us.anthropic.claude-opus-5-5/invoke", ("bedrock", "messages", "claude-opus-5-5", False)),
    ("/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1/invoke",
     ("bedrock", "messages", "claude-opus-4-6", False)),
    ("/model/arn:aws:bedrock:us-east-1:1:application-inference-profile/abc/invoke-with-response-stream",
     ("bedrock", "messages", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", True)),
    ("/projects/p/locations/global/publishers/anthropic/models/claude-opus-5-5:streamRawPredict",
     ("vertex", "messages", "claude-opus-5-5", True)),
    ("/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
     ("vertex", "count_tokens", "", False)),
    ("/v1/projects/p/locations/l/publishers/google/models/gemini:rawPredict", None),
    ("/model/x/converse-stream", None),
])  # fmt: skip
def test_paths(path: str, said: Any) -> None:
    assert match(path) == said


def test_an_endpoint_that_takes_everything_costs_nothing() -> None:
    assert Fitter(EVERYTHING).trivial
    assert Fitter(capabilities_of("foundry", None, {})).trivial
    assert not Fitter(capabilities_of("anthropic", None, {"safeguards": "drop"})).trivial


def test_fields_go_with_their_betas() -> None:
    fitter = Fitter(capabilities_of("bedrock", None, {}))
    betas = ("context-management-2025-06-27", "effort-2025-11-24", "advanced-tool-use-2025-11-20", "unknown-2030-01-01")
    fit = fitter.fit(betas, {b"context_management"}, set())
    assert fit.betas == ("effort-2025-11-24", "tool-search-tool-2025-10-19")
    assert (fit.drop, fit.left_out, fit.refused) == ((b"context_management",), ("context_management",), "")
    assert fitter.fit((), {b"mcp_servers", b"context_management"}, set()).refused == "mcp_servers"


def test_an_endpoints_own_rules_go_before_the_table() -> None:
    own = capabilities_of(
        "bedrock", ("*",), {"context_management": "keep", "defer_loading": "refuse", "x_team": "drop"}
    )
    fitter = Fitter(own)
    assert b"context_management" not in fitter.names and b"x_team" in fitter.names
    assert fitter.fit(("context-management-1", "anything"), set(), set()).betas == ("context-management-1", "anything")
    assert fitter.fit((), set(), {b"defer_loading"}).refused == "defer_loading"
    assert fitter.fit((), {b"x_team"}, set()).left_out == ("x_team",)
