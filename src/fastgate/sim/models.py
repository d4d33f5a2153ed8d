"""The models that the simulated provider lists, in the shape of Anthropic's Models API."""

from __future__ import annotations

from typing import Any

MODELS = {
    "claude-opus-5-5": "Claude Opus 5.5",
    "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-haiku-5-5": "Claude Haiku 5.5",
    "claude-haiku-4-5": "Claude Haiku 4.5",
}

CREATED_AT = "2026-02-01T00:00:00Z"


def model_named(id: str) -> dict[str, Any]:
    """One model; LookupError where it is not listed."""
    return {"type": "model", "id": id, "display_name": MODELS[id], "created_at": CREATED_AT}


def model_list() -> dict[str, Any]:
    ids = list(MODELS)
    return {"data": [model_named(id) for id in ids], "has_more": False, "first_id": ids[0], "last_id": ids[-1]}
