"""Model ids: what a Claude model is called at each kind of endpoint. One family id goes in, the endpoint's comes out.

Owns the ids that providers gave older models (newer ones are called alike everywhere) and the scopes of Bedrock's
inference profiles. An endpoint's own `models:` wins over all of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from fastgate.prices.book import family_of

if TYPE_CHECKING:
    from fastgate.snapshot import Endpoint

BEDROCK_IDS = {
    "claude-3-haiku": "claude-3-haiku-20240307-v1:0",
    "claude-3-5-haiku": "claude-3-5-haiku-20241022-v1:0",
    "claude-3-5-sonnet": "claude-3-5-sonnet-20241022-v2:0",
    "claude-3-7-sonnet": "claude-3-7-sonnet-20250219-v1:0",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514-v1:0",
    "claude-sonnet-4": "claude-sonnet-4-20250514-v1:0",
    "claude-opus-4-0": "claude-opus-4-20250514-v1:0",
    "claude-opus-4": "claude-opus-4-20250514-v1:0",
    "claude-opus-4-1": "claude-opus-4-1-20250805-v1:0",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929-v1:0",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001-v1:0",
    "claude-opus-4-5": "claude-opus-4-5-20251101-v1:0",
    "claude-opus-4-6": "claude-opus-4-6-v1",
}
"""Bedrock's ids with a date or a revision (as Claude Code 2.1.330 has them); later families are bare."""

VERTEX_IDS = {
    "claude-3-haiku": "claude-3-haiku@20240307",
    "claude-3-5-haiku": "claude-3-5-haiku@20241022",
    "claude-3-5-sonnet": "claude-3-5-sonnet-v2@20241022",
    "claude-3-7-sonnet": "claude-3-7-sonnet@20250219",
    "claude-sonnet-4-0": "claude-sonnet-4@20250514",
    "claude-sonnet-4": "claude-sonnet-4@20250514",
    "claude-opus-4-0": "claude-opus-4@20250514",
    "claude-opus-4": "claude-opus-4@20250514",
    "claude-opus-4-1": "claude-opus-4-1@20250805",
    "claude-sonnet-4-5": "claude-sonnet-4-5@20250929",
    "claude-haiku-4-5": "claude-haiku-4-5@20251001",
    "claude-opus-4-5": "claude-opus-4-5@20251101",
}
"""Vertex AI's ids with a date (as Claude Code 2.1.330 has them); later families are bare."""

SCOPES = (("us-gov-", "us-gov"), ("us-", "us"), ("ca-", "us"), ("eu-", "eu"), ("ap-", "apac"))
"""The inference profile that serves a region (AWS, "Supported Regions and models for inference profiles")."""

IDS_KEPT = 4096
"""Memoised ids; a deployment has tens."""

IN_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,511}")
"""What may stand as a model in a path; a client's `../` must not choose another route of the provider."""


def endpoint_model(endpoint: Endpoint, model: str) -> str:
    """The id by which this endpoint knows `model`; empty where it cannot serve it."""
    if endpoint.models:
        named = endpoint.models.get(model) or endpoint.models.get(family_of(model))
        if named is not None:
            return named
        if endpoint.models_only:
            return ""
    if endpoint.kind in ("bedrock", "vertex"):
        return standard_id(endpoint.kind, endpoint.scope or scope_of(endpoint.region), model)
    return model


@lru_cache(maxsize=IDS_KEPT)
def standard_id(kind: str, scope: str, model: str) -> str:
    """The id of the built-in table; empty for what is no id of this kind."""
    family = family_of(model)
    named = bedrock_id(model, family, scope) if kind == "bedrock" else vertex_id(model, family)
    return named if IN_PATH.fullmatch(named) and ".." not in named else ""


def scope_of(region: str) -> str:
    """The scope of the profiles of a region; `none`, the bare model, where AWS has no profiles."""
    return next((scope for start, scope in SCOPES if region.startswith(start)), "none")


def bedrock_id(model: str, family: str, scope: str) -> str:
    """An id that is Bedrock's already stays; else the family's, within the endpoint's scope."""
    if model.startswith("arn:") or "anthropic." in model:
        return model
    name = f"anthropic.{BEDROCK_IDS.get(family, family)}"
    return name if scope == "none" else f"{scope}.{name}"


def vertex_id(model: str, family: str) -> str:
    return model if "@" in model else VERTEX_IDS.get(family, family)
