"""Notes in a vector store behind HTTP, for many machines: Qdrant (qdrant.py) or Pinecone (pinecone.py).

The service finds; whether a note is of this scope, namespace and partition, and near, is worked out here from what it
sends, which carries a checksum. Verdicts stay in the log of this machine or Redis (local.py).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import numpy as np

from fastgate.caching.semantic.note import Note, Verdict, pack, unpack
from fastgate.caching.semantic.reading import Reading, read
from fastgate.caching.semantic.shelf import NEAR_MAX
from fastgate.caching.semantic.store import Candidate

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from fastgate.caching.key import Scope
    from fastgate.caching.purge import Purge
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.local import LocalStore
    from fastgate.caching.semantic.spoken import Spoken

UNDERWAY_MAX = 256
"""Writes that wait for the service; what comes beyond is not kept there."""

Payload = dict[str, Any]


class Vectors(Protocol):
    """What a service can do. `shelf` names a tenant's namespace, `place` what must be equal; both are digests."""

    async def near(self, shelf: str, place: str, vector: list[float], count: int) -> list[Payload]: ...
    async def put(self, point: str, shelf: str, vector: list[float], payload: Payload) -> None: ...
    async def drop(self, point: str, shelf: str) -> None: ...
    async def forget(self, shelves: Iterable[str], fields: dict[str, str], before_ns: int) -> None:
        """Drops what matches all fields and is older; `shelves` are those that this worker knows of."""

    def close(self) -> None: ...


class RemoteStore:
    """The port over such a service."""

    def __init__(self, service: Vectors, identity: str, local: LocalStore) -> None:
        self._service = service
        self._identity = identity
        self._local = local
        self._underway: set[asyncio.Task[None]] = set()
        self._shelves: set[str] = set()

    async def near(self, spoken: Spoken) -> list[Candidate]:
        shelf, place = shelf_of(spoken.scope, spoken.namespace), place_of(spoken.partition, spoken.reading)
        assert spoken.vector is not None
        told = await self._service.near(shelf, place, spoken.vector.tolist(), NEAR_MAX)
        found = [candidate for payload in told if (candidate := self._candidate(payload, spoken)) is not None]
        return sorted(found, key=lambda candidate: -candidate.similarity)

    def _candidate(self, payload: Payload, spoken: Spoken) -> Candidate | None:
        """What the service sent, if it is a note of this very partition; its similarity is ours, not the service's."""
        try:
            note = unpack(base64.b64decode(payload["note"], validate=True))
        except (KeyError, TypeError, binascii.Error):
            return None
        if not isinstance(note, Note) or note.embedder != self._identity or note.partition != spoken.partition:
            return None
        kept = np.frombuffer(note.vector, np.float16).astype(np.float32)
        wanted: Vector = spoken.vector
        if kept.shape != wanted.shape:
            return None
        return Candidate(float(kept @ wanted), note, read(note.text))

    def put(self, note: Note, reading: Reading, vector: Vector) -> None:
        shelf = shelf_of(note.scope, note.namespace)
        self._shelves.add(shelf)
        payload: Payload = {
            "shelf": shelf, "place": place_of(note.partition, reading), "org": note.org, "team": note.team,
            "user": note.user, "key": note.key, "namespace": note.namespace, "model": note.model,
            "started_s": note.started_ns // 1_000_000_000, "note": base64.b64encode(pack(note)).decode(),
        }  # fmt: skip
        self._soon(self._service.put(point_of(note), shelf, vector.tolist(), payload))

    def judge(self, verdict: Verdict) -> None:
        self._local.judge(verdict)

    def threshold(self, partition: bytes) -> float:
        return self._local.threshold(partition)

    def drop(self, note: Note) -> None:
        self._soon(self._service.drop(point_of(note), shelf_of(note.scope, note.namespace)))

    def obey(self, sentences: Iterable[Purge]) -> None:
        said = list(sentences)
        self._local.obey(said)
        for each in said:
            named = {name: getattr(each, name) for name in ("org", "team", "user", "key", "namespace", "model")}
            fields = {name: value for name, value in named.items() if value}
            self._soon(self._service.forget(sorted(self._shelves), fields, each.before_ns))

    def listen(self) -> None:
        self._local.listen()

    def close(self) -> None:
        for task in self._underway:
            task.cancel()
        self._service.close()
        self._local.close()

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._underway) >= UNDERWAY_MAX:
            work.close()
            return
        task = self._local.loop.create_task(work)
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)


def shelf_of(scope: Scope, namespace: str) -> str:
    """A tenant's namespace, as a name that says nothing of it."""
    return blake2b("\0".join((*scope, "", namespace)).encode(), digest_size=16).hexdigest()


def place_of(partition: bytes, reading: Reading) -> str:
    said = "\0".join((reading.kind, *reading.names)).encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16, key=partition[:32]).hexdigest()


def point_of(note: Note) -> str:
    """One point for each question of a partition: asked again, it is replaced."""
    whose = shelf_of(note.scope, note.namespace).encode()
    said = whose + note.partition + note.text.encode("utf-8", "surrogatepass")
    return str(UUID(bytes=blake2b(said, digest_size=16).digest()))
