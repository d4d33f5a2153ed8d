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
    from fastgate.snapshot import SemanticPolicy


def build(policy: SemanticPolicy, answers: Answers, directory: Path) -> Finder:
    local = StaticEmbedder()
    embedder: Embedder = local
    notes = Notes(embedder.identity, embedder.dim, policy.entries, policy.max_wrong)
    rows = ROWS_A_NOTE * policy.entries
    journal = RedisLog(answers.shared.redis, rows) if answers.shared is not None else DiskLog(directory, rows)
    return Finder(policy, answers, embedder, local, LocalStore(notes, journal, answers.loop))
