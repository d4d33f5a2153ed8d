"""A policy with the semantic cache on, and what its tests ask."""

from __future__ import annotations

from typing import Any

import msgspec

from fastgate.caching.semantic.settings import SemanticCache, SemanticRule, compiled
from fastgate.snapshot_cache import CachePolicy, SemanticPolicy
from tests.support.plane import CACHE

__all__ = ["CACHE_ON", "SemanticRule", "cache_with", "policy_of"]


def policy_of(**changes: Any) -> SemanticPolicy:
    fields: dict[str, Any] = {"mode": "on", "namespace": "team", "entries": 1000}
    made = compiled(SemanticCache(**fields | changes))
    assert made is not None
    return made


def cache_with(**changes: Any) -> CachePolicy:
    return msgspec.structs.replace(CACHE, semantic=policy_of(**changes))


CACHE_ON = cache_with()
