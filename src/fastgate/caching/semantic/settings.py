"""The `cache.semantic` section of fastgate.yaml, every field documented, and what it becomes in the snapshot."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal

import msgspec

from fastgate import snapshot_cache
from fastgate.config_checks import BASE_URL, NAME
from fastgate.refs import Secret
from fastgate.strict import Range

Mode = Literal["off", "shadow", "on"]

Width = Literal["org", "team", "user", "key", "session"]

TURNS_MAX = 1000

ENTRIES_MAX = 1_000_000


class SemanticRule(msgspec.Struct, frozen=True, kw_only=True):
    """Other behaviour for calls that match every list that is not empty. The first rule that fits decides."""

    namespaces: tuple[str, ...] = ()
    """Globs of the namespaces that clients name (x-fastgate-cache-namespace)."""
    orgs: tuple[str, ...] = ()
    """Globs of ids of organisations."""
    teams: tuple[str, ...] = ()
    """Globs of ids of teams."""
    keys: tuple[str, ...] = ()
    """Globs of ids of virtual keys."""
    models: tuple[str, ...] = ()
    """Globs of models, as they are sent."""
    mode: Mode | None = None
    """In place of `semantic.mode`; absent: as there."""
    tool_results: bool | None = None
    """In place of `semantic.tool_results`; absent: as there."""
    user_turns: Annotated[int, Range(1, TURNS_MAX)] | None = None
    """In place of `semantic.user_turns`; absent: as there."""
    threshold: Annotated[float, Range(0, 1)] | None = None
    """In place of `semantic.threshold`; absent: as there."""


class SemanticEmbedder(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a vector of a text."""

    kind: Literal["local", "onnx", "openai", "voyage"] = "local"
    """local: the weights that the package wordllama ships, in the worker. onnx: a model in files, in the worker.
    openai: a server that speaks OpenAI's embeddings API. voyage: Voyage AI. The last two send every question's text
    there. A call waits for all but local."""
    base_url: Annotated[str, BASE_URL] = ""
    """The address before /embeddings; empty: the vendor's own."""
    api_key: Secret | None = None
    """Best as `${VAR}`."""
    model: str = ""
    """Its model, like text-embedding-3-small or voyage-code-3; onnx: the folder that holds model.onnx and
    tokenizer.json, or the .onnx file, relative to this file. Required but for local."""
    dimensions: Annotated[int, Range(8, 4096)] = 256
    """Length of its vectors. local has 256, whatever is said here; onnx: what the model makes, or it is refused."""
    timeout_ms: Annotated[int, Range(1, 10_000)] = 200
    """How long a question may wait for its vector; then it is a miss."""


class SemanticStore(msgspec.Struct, frozen=True, kw_only=True):
    """Where questions are kept and found. Answers stay in `cache.store`, whatever is said here."""

    kind: Literal["local", "qdrant", "pinecone"] = "local"
    """local: an index in each worker, filled from `cache.store`. qdrant and pinecone: that service, which gets the
    texts of questions and their vectors, and which a call waits for."""
    url: Annotated[str, BASE_URL] = ""
    """The address of Qdrant, or of the host of Pinecone's index. Required but for local."""
    api_key: Secret | None = None
    """Best as `${VAR}`."""
    collection: Annotated[str, NAME] = "fastgate"
    """qdrant: the collection, which is made where it is missing."""
    timeout_ms: Annotated[int, Range(1, 10_000)] = 200
    """How long a question may wait for an answer; then it is a miss."""


class SemanticCache(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to requests that were asked before in other words. Everything but the user's last text must be equal; the
    text must be near and agree on every number, name, path, quotation and denial."""

    mode: Mode = "off"
    """on: such answers are given. shadow: they are compared with the one that is bought, and never given. off: not
    looked for."""
    namespace: Width = "session"
    """Who shares answers. Never more than one organisation; a key without a team or user shares with fewer."""
    tool_results: bool = False
    """Whether requests that hold results of tools are answered. They must be equal, byte for byte; the state of the
    machine that they show may still have changed since."""
    user_turns: Annotated[int, Range(1, TURNS_MAX)] = 1
    """Most turns of the user in a request that is answered: a later turn leans on what was said before it."""
    threshold: Annotated[float, Range(0, 1)] = 0.75
    """Least similarity (cosine) of two texts, on the scale of the embedder: 0.75 is measured for local and for
    all-MiniLM-L6-v2 (bench/README.md). Verdicts of shadow mode only raise it, each partition its own."""
    max_wrong: Annotated[float, Range(0, 1)] = 0.005
    """Share of wrong answers that a partition's verdicts may show before its threshold rises."""
    entries: Annotated[int, Range(16, ENTRIES_MAX)] = 20_000
    """Questions that each worker remembers, some 3 KB each; the oldest make room."""
    embedder: SemanticEmbedder = SemanticEmbedder()
    """What makes a vector of a text."""
    store: SemanticStore = SemanticStore()
    """Where questions are kept and found."""
    rules: tuple[SemanticRule, ...] = ()
    """Other behaviour for some namespaces, tenants or models; where the mode is off, what a rule turns on is all."""


def compiled(settings: SemanticCache) -> snapshot_cache.SemanticPolicy | None:
    """The policy in force; None where no rule has it on or in shadow."""
    default = _rule(settings, SemanticRule())
    rules = tuple(_rule(settings, rule) for rule in settings.rules)
    if all(rule.mode == "off" for rule in (default, *rules)):
        return None
    return snapshot_cache.SemanticPolicy(
        width=settings.namespace,
        default=default,
        rules=rules,
        max_wrong=settings.max_wrong,
        entries=settings.entries,
        embedder=_embedder(settings.embedder),
        store=_store(settings.store),
    )


def _embedder(settings: SemanticEmbedder) -> snapshot_cache.VectorService:
    if settings.kind == "local":
        return snapshot_cache.VectorService("local")
    return snapshot_cache.VectorService(
        settings.kind,
        url=settings.base_url,
        api_key="" if settings.api_key is None else settings.api_key.reference,
        model=settings.model,
        dimensions=settings.dimensions,
        timeout_s=settings.timeout_ms / 1000,
    )


def _store(settings: SemanticStore) -> snapshot_cache.VectorService:
    if settings.kind == "local":
        return snapshot_cache.VectorService("local")
    return snapshot_cache.VectorService(
        settings.kind,
        url=settings.url,
        api_key="" if settings.api_key is None else settings.api_key.reference,
        index=settings.collection,
        timeout_s=settings.timeout_ms / 1000,
    )


def _rule(settings: SemanticCache, rule: SemanticRule) -> snapshot_cache.SemanticRule:
    return snapshot_cache.SemanticRule(
        mode=settings.mode if rule.mode is None else rule.mode,
        tool_results=settings.tool_results if rule.tool_results is None else rule.tool_results,
        user_turns=settings.user_turns if rule.user_turns is None else rule.user_turns,
        threshold=settings.threshold if rule.threshold is None else rule.threshold,
        namespaces=rule.namespaces,
        orgs=rule.orgs,
        teams=rule.teams,
        keys=rule.keys,
        models=rule.models,
    )


def missing(settings: SemanticCache) -> str | None:
    """What these settings lack: a field, or what has to be installed; None when it is all there."""
    if compiled(settings) is None:
        return None
    if settings.embedder.kind != "local" and not settings.embedder.model:
        return f"an embedder of kind {settings.embedder.kind} needs a model"
    if settings.embedder.kind == "onnx":
        for package in ("onnxruntime", "tokenizers"):
            if find_spec(package) is None:
                return f"an embedder of kind onnx needs the package {package}: pip install 'fastgate[onnx]'"
    if settings.store.kind != "local" and not settings.store.url:
        return f"a store of kind {settings.store.kind} needs a url"
    try:
        import hnswlib  # noqa: F401 - whether it is there

        from fastgate.caching.semantic.words import NoWeightsError, installed
    except ImportError as error:
        return f"needs the package {error.name}: pip install 'fastgate[semantic]'"
    try:
        installed()
    except NoWeightsError as error:
        return str(error)
    return None
