"""A finder from the policy of a snapshot: the embedder and the store that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastgate.caching.semantic.embedder import Embedder, StaticEmbedder
from fastgate.caching.semantic.finder import Finder
from fastgate.caching.semantic.folder import GRAPHS
from fastgate.caching.semantic.graphs import Graphs
from fastgate.caching.semantic.local import LocalStore
from fastgate.caching.semantic.log_disk import ROWS_A_NOTE, DiskLog
from fastgate.caching.semantic.log_redis import RedisLog
from fastgate.caching.semantic.model_folder import ModelFolder
from fastgate.caching.semantic.notes import Notes
from fastgate.caching.semantic.words import DIM, IDENTITY

if TYPE_CHECKING:
    from pathlib import Path

    from fastgate.caching.answers import Answers
    from fastgate.caching.semantic.remote import Vectors
    from fastgate.caching.semantic.store import Store
    from fastgate.snapshot_cache import SemanticPolicy, VectorService


class Embedders(NamedTuple):
    """What embeds texts, and the words that are compared whatever does."""

    texts: Embedder
    local: StaticEmbedder


def load(policy: SemanticPolicy) -> Embedders:
    """Reads weights and models: a tenth of a second or two, in any thread. Raises ModelError."""
    local = StaticEmbedder()
    return Embedders(embedder_of(policy, local), local)


def build(policy: SemanticPolicy, answers: Answers, directory: Path, embedders: Embedders) -> Finder:
    embedder, local = embedders
    notes = Notes(embedder.identity, embedder.dim, policy.entries, policy.max_wrong)
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
    return DiskLog(directory, ROWS_A_NOTE * policy.entries, dim_of(policy))


def embedder_of(policy: SemanticPolicy, local: StaticEmbedder) -> Embedder:
    if policy.embedder.kind == "local":
        return local
    if policy.embedder.kind == "onnx":
        from fastgate.caching.semantic.embedder_onnx import OnnxEmbedder

        return OnnxEmbedder(policy.embedder)
    from fastgate.caching.semantic.embedder_http import HttpEmbedder

    return HttpEmbedder(policy.embedder)


def notes_of(policy: SemanticPolicy) -> Notes:
    """Empty notes for the policy's vectors, of whatever process: nothing is loaded. Raises ModelError."""
    return Notes(identity_of(policy.embedder), dim_of(policy), policy.entries, policy.max_wrong)


def identity_of(row: VectorService) -> str:
    if row.kind == "local":
        return IDENTITY
    if row.kind == "onnx":
        return ModelFolder(row.model).identity
    from fastgate.caching.semantic import embedder_http

    return embedder_http.identity_of(row)


def dim_of(policy: SemanticPolicy) -> int:
    return DIM if policy.embedder.kind == "local" else policy.embedder.dimensions


def service_of(policy: SemanticPolicy, dim: int) -> Vectors:
    if policy.store.kind == "qdrant":
        from fastgate.caching.semantic.qdrant import Qdrant

        return Qdrant(policy.store, dim)
    from fastgate.caching.semantic.pinecone import Pinecone

    return Pinecone(policy.store)
