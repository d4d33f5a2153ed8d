"""What of the snapshot the caches read: the exact and the semantic one, and marks for the provider's own."""

from __future__ import annotations

import msgspec


class SemanticRule(msgspec.Struct, frozen=True, array_like=True):
    """What is answered to calls that match every list of globs that is not empty."""

    mode: str
    """off | shadow | on"""
    tool_results: bool
    user_turns: int
    threshold: float
    namespaces: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class VectorService(msgspec.Struct, frozen=True):
    """An embedder or a store of vectors; `api_key` is as written in the configuration, `model` a path where the kind is
    onnx."""

    kind: str
    url: str = ""
    api_key: str = ""
    model: str = ""
    dimensions: int = 0
    index: str = ""
    timeout_s: float = 0.2


class SemanticPolicy(msgspec.Struct, frozen=True):
    """What is answered to rewordings (fastgate.caching.semantic.settings documents each)."""

    width: str
    default: SemanticRule
    rules: tuple[SemanticRule, ...]
    max_wrong: float
    entries: int
    embedder: VectorService
    store: VectorService


class CachePolicy(msgspec.Struct, frozen=True):
    """What is answered from the cache and where answers are (fastgate.caching.settings documents each)."""

    ttl_ns: int
    width: str
    """org | team | user | key | session: who shares answers."""
    in_flight: bool
    count_tokens: bool
    entry_bytes: int
    temperature: float
    overrides: bool
    store: str
    """`embedded`, or the address of a Redis as it was written: `${VAR}` is resolved by the worker."""
    memory_bytes: int
    disk_bytes: int
    overrides_denied: tuple[str, ...] = ()
    paced: bool = False
    """Whether a stream is given again at the pace at which it was received."""
    rules: str = ""
    """Version of the guards' policy: what another policy let through is not given again."""
    semantic: SemanticPolicy | None = None
    """None where no rule has it on or in shadow."""


class PromptPolicy(msgspec.Struct, frozen=True, array_like=True):
    """Which marks of the provider's prompt cache are placed (fastgate.caching.settings.PromptCache)."""

    breakpoints: bool
    hour: bool
