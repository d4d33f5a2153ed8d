"""Finds the answer to a reworded question, remembers answered ones, and compares answers in shadow mode.

A hit needs all of it: the same scope, namespace and partition, a near text, agreement on everything that the texts
name, and an answer that is still in the cache and proves to be the note's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastgate.caching.semantic.agreement import disagreement
from fastgate.caching.semantic.comparison import same_answer
from fastgate.caching.semantic.note import Note, Verdict

if TYPE_CHECKING:
    from fastgate.caching.answers import Answers
    from fastgate.caching.entry import Entry
    from fastgate.caching.key import Key
    from fastgate.caching.semantic.embedder import Embedder, StaticEmbedder
    from fastgate.caching.semantic.spoken import Spoken
    from fastgate.caching.semantic.store import Store
    from fastgate.snapshot_cache import SemanticPolicy


class Ref(NamedTuple):
    """The key of an answer that a note tells, in place of the request's own."""

    find: bytes
    proof: bytes


class Finder:
    """One worker's. `words` are the local vectors of words, whatever embeds texts."""

    def __init__(
        self, policy: SemanticPolicy, answers: Answers, embedder: Embedder, local: StaticEmbedder, store: Store
    ) -> None:
        self.policy = policy
        self.answers = answers
        self.embedder = embedder
        self.local = local
        self.store = store
        self._comparing: set[asyncio.Future[bool]] = set()
        self._closed = False

    def closed(self) -> bool:
        """Other settings are in force; calls that began under these neither find nor leave anything any more."""
        return self._closed

    def close(self) -> None:
        self._closed = True
        for comparing in self._comparing:
            comparing.cancel()
        self.store.close()
        self.embedder.close()

    # -- before the provider ----------------------------------------------------------------------------------------

    async def find(self, spoken: Spoken, now_ns: int, oldest_ns: int) -> Entry | None:
        """The answer to give; None where there is none, or the mode is shadow: then the question keeps it."""
        await self._embed(spoken)
        if spoken.vector is None or self.closed():
            return None
        least = max(spoken.threshold, self.store.threshold(spoken.partition))
        for candidate in await self.store.near(spoken):
            if self.closed():
                return None
            note = candidate.note
            if candidate.similarity < least:
                break
            if note.scope != spoken.scope or note.namespace != spoken.namespace or note.partition != spoken.partition:
                continue
            if disagreement(spoken.reading, candidate.reading, self.local.words):
                continue
            entry = await self._answer(note, now_ns, oldest_ns)
            if entry is not None:
                spoken.similarity = min(1.0, candidate.similarity)
                if not spoken.shadow:
                    return entry
                spoken.would = entry
                return None
        return None

    async def _embed(self, spoken: Spoken) -> None:
        if not spoken.sought:
            spoken.sought = True
            spoken.vector = await self.embedder.embed(spoken.text)

    async def _answer(self, note: Note, now_ns: int, oldest_ns: int) -> Entry | None:
        if note.expires_ns <= now_ns:
            self.store.drop(note)
            return None
        if note.started_ns < oldest_ns:
            return None
        ref = Ref(note.find, note.proof)
        entry = self.answers.look(ref, now_ns, oldest_ns)
        if entry is None and self.answers.shared is not None:
            entry = await self.answers.look_afar(ref, now_ns, oldest_ns)
        if entry is None and self.answers.shared is None:
            self.store.drop(note)  # evicted, or purged: a store afar may just be away
        return entry

    # -- with the answer --------------------------------------------------------------------------------------------

    async def remember(self, spoken: Spoken, key: Key, entry: Entry) -> None:
        """Note an answer that was kept."""
        await self._embed(spoken)
        if self.closed():
            return
        head = entry.head
        if spoken.would is not None:
            self._compare(spoken, entry)
        if spoken.vector is None or self.answers.forgotten(entry):
            return
        note = Note(
            scope=spoken.scope,
            namespace=spoken.namespace,
            partition=spoken.partition,
            text=spoken.text,
            embedder=self.embedder.identity,
            vector=spoken.vector.astype(np.float16).tobytes(),
            find=key.find,
            proof=key.proof,
            org=head.org,
            team=head.team,
            user=head.user,
            key=head.key,
            model=head.model,
            started_ns=head.started_ns,
            expires_ns=head.expires_ns,
        )
        self.store.put(note, spoken.reading, spoken.vector)

    def _compare(self, spoken: Spoken, entry: Entry) -> None:
        """In a thread: answers may be long."""
        assert spoken.would is not None
        loop = self.answers.loop
        comparing = loop.run_in_executor(None, same_answer, spoken.would, entry, self.local)
        self._comparing.add(comparing)
        comparing.add_done_callback(lambda done: self._judge(spoken, entry, done))

    def _judge(self, spoken: Spoken, entry: Entry, done: asyncio.Future[bool]) -> None:
        self._comparing.discard(done)
        if done.cancelled() or done.exception() is not None:
            return
        head = entry.head
        self.store.judge(
            Verdict(
                scope=spoken.scope,
                namespace=spoken.namespace,
                partition=spoken.partition,
                org=head.org,
                team=head.team,
                user=head.user,
                key=head.key,
                model=head.model,
                started_ns=head.started_ns,
                similarity=spoken.similarity,
                agreed=done.result(),
                embedder=self.embedder.identity,
            )
        )
