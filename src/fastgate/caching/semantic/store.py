"""The port of what keeps notes and finds the near ones: this machine's (local.py), or a service behind HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastgate.caching.purge import Purge
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.note import Note, Verdict
    from fastgate.caching.semantic.reading import Reading
    from fastgate.caching.semantic.spoken import Spoken


class Candidate(NamedTuple):
    """A note of the asker's scope, namespace and partition. `similarity`: cosine of the two texts."""

    similarity: float
    note: Note
    reading: Reading


class Store(Protocol):
    async def near(self, spoken: Spoken) -> list[Candidate]:
        """The nearest notes, nearest first. What cannot be asked in time is empty."""

    def put(self, note: Note, reading: Reading, vector: Vector) -> None:
        """Keeps the note, for every worker that shares this store."""

    def judge(self, verdict: Verdict) -> None:
        """Keeps what came of a comparison."""

    def threshold(self, partition: bytes) -> float:
        """What verdicts on the partition demand, 0 for nothing."""

    def drop(self, note: Note) -> None:
        """Forgets a note whose answer is gone."""

    def obey(self, sentences: Iterable[Purge]) -> None:
        """Forgets what the purges match. Whoever said them has cleared what is shared."""

    def listen(self) -> None:
        """Takes over what other workers kept. Called ten times a second."""

    def close(self) -> None: ...
