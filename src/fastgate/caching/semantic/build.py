"""A finder from the policy of a snapshot: the embedder and the store that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.caching.semantic.embedder import Embedder, StaticEmbedder
from fastgate.caching.semantic.finder import Finder
from fastgate.caching.semantic.folder import GRAPHS
from fastgate.caching.semantic.graphs import Graphs
from fastgate.caching.semantic.local import LocalStore
from fastgate.caching.semantic.log_disk import ROWS_A_NOTE, DiskLog
from fastgate.caching.semantic.log_redis import RedisLog
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.words import DIM, IDENTITY

if TYPE_CHECKING:
    from pathlib import Path

    from fastgate.caching.answers import Answers
    from fastgate.caching.semantic.remote import Vectors
    from fastgate.caching.semantic.store import Store
    from fastgate.snapshot_cache import SemanticPolicy


def build(policy: SemanticPolicy, answers: Answers, directory: Path) -> Finder:
    local = StaticEmbedder()
    embedder = embedder_of(policy, local)
    notes = notes_of(policy)
    journal = journal_of(policy, answers, directory, embedder.dim)
    here = LocalStore(notes, journal, answers.loop, Graphs(directory / GRAPHS))
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
        answers.notes = log_of(policy, directory)
    else:
        answers.notes.resize(rows, dim)
    return answers.notes


def log_of(policy: SemanticPolicy, directory: Path) -> DiskLog:
    """The file, opened. Raises OSError."""
    return DiskLog(directory, ROWS_A_NOTE * policy.entries, notes_of(policy).dim)


def embedder_of(policy: SemanticPolicy, local: StaticEmbedder) -> Embedder:
    if policy.embedder.kind == "local":
        return local
    from fastgate.caching.semantic.embedder_http import HttpEmbedder

    return HttpEmbedder(policy.embedder)


def notes_of(policy: SemanticPolicy) -> Notes:
    """Empty notes for the policy's vectors, of whatever process: no weights are read."""
    row = policy.embedder
    if row.kind == "local":
        return Notes(IDENTITY, DIM, policy.entries, policy.max_wrong)
    from fastgate.caching.semantic.embedder_http import identity_of

    return Notes(identity_of(row), row.dimensions, policy.entries, policy.max_wrong)


def service_of(policy: SemanticPolicy, dim: int) -> Vectors:
    if policy.store.kind == "qdrant":
        from fastgate.caching.semantic.qdrant import Qdrant

        return Qdrant(policy.store, dim)
    from fastgate.caching.semantic.pinecone import Pinecone

    return Pinecone(policy.store)
