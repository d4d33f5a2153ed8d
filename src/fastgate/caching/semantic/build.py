"""A finder from the policy of a snapshot: the embedder and the store that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.caching.semantic.embedder import Embedder, StaticEmbedder
from fastgate.caching.semantic.finder import Finder
from fastgate.caching.semantic.local import LocalStore, Notes
from fastgate.caching.semantic.log_disk import ROWS_A_NOTE, DiskLog
from fastgate.caching.semantic.log_redis import RedisLog

if TYPE_CHECKING:
    from pathlib import Path

    from fastgate.caching.answers import Answers
    from fastgate.caching.semantic.remote import Vectors
    from fastgate.caching.semantic.store import Store
    from fastgate.snapshot_cache import SemanticPolicy


def build(policy: SemanticPolicy, answers: Answers, directory: Path) -> Finder:
    local = StaticEmbedder()
    embedder = embedder_of(policy, local)
    notes = Notes(embedder.identity, embedder.dim, policy.entries, policy.max_wrong)
    here = LocalStore(notes, journal_of(policy, answers, directory, embedder.dim), answers.loop)
    store: Store = here
    if policy.store.kind != "local":
        from fastgate.caching.semantic.remote import RemoteStore

        store = RemoteStore(service_of(policy, embedder.dim), embedder.identity, here)
    return Finder(policy, answers, embedder, local, store)


def journal_of(policy: SemanticPolicy, answers: Answers, directory: Path, dim: int) -> DiskLog | RedisLog:
    """The log; the file is that of the answers, which close it, and which may have taken it over from others."""
    rows = ROWS_A_NOTE * policy.entries
    if answers.shared is not None:
        return RedisLog(answers.shared.redis, rows)
    if answers.notes is None:
        answers.notes = DiskLog(directory, rows, dim)
    else:
        answers.notes.resize(rows, dim)
    return answers.notes


def embedder_of(policy: SemanticPolicy, local: StaticEmbedder) -> Embedder:
    if policy.embedder.kind == "local":
        return local
    from fastgate.caching.semantic.embedder_http import HttpEmbedder

    return HttpEmbedder(policy.embedder)


def service_of(policy: SemanticPolicy, dim: int) -> Vectors:
    if policy.store.kind == "qdrant":
        from fastgate.caching.semantic.qdrant import Qdrant

        return Qdrant(policy.store, dim)
    from fastgate.caching.semantic.pinecone import Pinecone

    return Pinecone(policy.store)
