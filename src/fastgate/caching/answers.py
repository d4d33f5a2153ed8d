"""One worker's answers: its memory, the tier it shares with others, what is under way, and the purges they all obey.

Looks up, keeps, forgets; which calls may is `rules`'. Knows no call.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmdb

from fastgate.caching.disk import Disk
from fastgate.caching.entry import Entry, EntryError
from fastgate.caching.known import Known
from fastgate.caching.memory import Memory, alive
from fastgate.caching.neighbours import Neighbours
from fastgate.caching.reopening import Reopening
from fastgate.caching.resp import Redis, RedisUrl
from fastgate.caching.shared import Shared
from fastgate.caching.writer import Writer
from fastgate.clock import wall_ns
from fastgate.log import Log
from fastgate.refs import resolve_refs

if TYPE_CHECKING:
    from fastgate.caching.key import Key
    from fastgate.caching.purge import Purge
    from fastgate.caching.semantic.build import Embedders
    from fastgate.caching.semantic.finder import Finder, Ref
    from fastgate.caching.semantic.log_disk import DiskLog
    from fastgate.snapshot_cache import CachePolicy, SemanticPolicy

    Loading = Future[Embedders] | asyncio.Future[Embedders]

RECENT = 256
"""Entries a worker remembers having sent to Redis: a purge that it hears of later takes them out there too."""

log = Log("cache")


class Answers:
    """The tiers of one worker, for as long as the configuration names the same ones."""

    def __init__(
        self, policy: CachePolicy, directory: Path, loop: asyncio.AbstractEventLoop, before: Answers | None = None
    ) -> None:
        """`before` are the tiers in use until now: a process opens a file once, so what both name is taken over. They
        are closed once these stand; where these cannot be opened (OSError, ValueError) they serve on as they are."""
        self.policy = policy
        self.loop = loop
        self._directory = directory
        self.memory = Memory(policy.memory_bytes)
        self.known = Known()
        self.disk: Disk | None = None
        self.writer: Writer | None = None
        self.shared: Shared | None = None
        self._purges: list[Purge] = []
        self._heard = 0
        self._hearing: asyncio.Task[None] | None = None
        self.semantic: Finder | None = None
        self.notes: DiskLog | None = None
        """The log of reworded questions, on disk."""
        self._loading: Loading | None = None
        """The load whose result is wanted: the last that began, and none while the log is opened anew."""
        self._notes_gone = self._closed = False
        self._disk_again, self._notes_again = Reopening(loop, "answers"), Reopening(loop, "questions")
        self._recent: deque[tuple[bytes, Entry]] = deque(maxlen=RECENT)
        self.neighbours = self._neighbours(before)
        try:
            self._open(before)
        except BaseException:
            self.close(keeping=before)
            raise
        if before is not None:
            before.close(keeping=self)

    def _neighbours(self, before: Answers | None) -> Neighbours:
        if before is not None and (before.neighbours.connected or not self.policy.in_flight):
            return before.neighbours
        return Neighbours(self._directory / "flights" if self.policy.in_flight else None, self.loop)

    def _open(self, before: Answers | None) -> None:
        policy = self.policy
        if policy.store != "embedded":
            self.shared = Shared(Redis(RedisUrl(resolve_refs(policy.store, os.environ)), self.loop))
        elif before is not None and (before._disk_again.busy or before._notes_again.busy):
            raise OSError("the cache's files are being opened anew")  # a process opens a file once; asked again soon
        elif before is not None and before.disk is not None:
            self.disk, self.writer = before.disk, before.writer
        else:
            self._open_disk()
        if policy.semantic is not None:
            self._open_semantic(policy.semantic, before)
        if self.disk is not None:
            if self.disk.limit != policy.disk_bytes:
                self.disk.resize(policy.disk_bytes)
            self.listen()

    def _open_disk(self) -> None:
        self.disk = Disk(self._directory, self.policy.disk_bytes)
        self.writer = Writer(self.disk, self.loop)

    def _open_semantic(self, policy: SemanticPolicy, before: Answers | None) -> None:
        """Loads what it needs in a thread. Calls that are served meanwhile are misses."""
        if before is not None and self.disk is not None:
            self.notes = before.notes
        serving, thread = self.loop.is_running(), ThreadPoolExecutor(1, "cache-load")
        loading = thread.submit(load_semantic, policy)
        thread.shutdown(wait=not serving)
        if serving:
            self._loading = asyncio.wrap_future(loading, loop=self.loop)
            self._loading.add_done_callback(lambda done: self._loaded_semantic(policy, done))
        else:
            self._loading = loading
            self._loaded_semantic(policy, loading)

    def _loaded_semantic(self, policy: SemanticPolicy, loading: Loading) -> None:
        if loading.cancelled():
            return
        failed = loading.exception()
        if failed is not None:
            log.error("the semantic cache is off", why=failed)
            return
        embedders = loading.result()
        if self._closed or loading is not self._loading:
            embedders.texts.close()
            return
        from fastgate.caching.semantic.build import build

        try:
            self.semantic = build(policy, self, self._directory / "semantic", embedders)
        except (OSError, lmdb.Error) as error:
            embedders.texts.close()
            if not self.loop.is_running():
                raise
            log.error("remembered questions cannot be opened; tried again now and then", why=error)
            self._notes_gone = True

    def serves(self, policy: CachePolicy) -> bool:
        """Whether these tiers are those that the policy names."""
        mine = self.policy
        return tiers_of(mine) == tiers_of(policy)

    def close(self, keeping: Answers | None = None) -> None:
        """Gives everything up but what `keeping` has as well."""
        self._closed = True
        if self.semantic is not None:
            self.semantic.close()
        if self.notes is not None and (keeping is None or keeping.notes is not self.notes):
            self.notes.close()
        if self._hearing is not None:
            self._hearing.cancel()
        if self.disk is not None and (keeping is None or keeping.disk is not self.disk):
            if self.writer is not None:
                self.writer.close()
            self.disk.close()
        if self.shared is not None:
            self.shared.redis.close()
        if keeping is None or keeping.neighbours is not self.neighbours:
            self.neighbours.close()

    # -- look-up ----------------------------------------------------------------------------------------------------

    def look(self, key: Key | Ref, now_ns: int, oldest_ns: int) -> Entry | None:
        """The proven, living answer that began at `oldest_ns` or later, from this machine."""
        entry = self.memory.get(key.find)
        if entry is not None:
            return entry if alive(entry, key, now_ns, oldest_ns) else None
        if self.disk is None:
            return None
        try:
            entry = self.disk.get(key.find)
        except EntryError as error:
            self._damaged(key.find, error)
            return None
        except lmdb.Error as error:
            log.error("the cache's file cannot be read", why=error)
            self._failed(error)
            return None
        return self._adopt(key, entry, now_ns, oldest_ns)

    async def look_afar(self, key: Key | Ref, now_ns: int, oldest_ns: int) -> Entry | None:
        """The same, from the store that several machines share."""
        assert self.shared is not None
        try:
            entry = await self.shared.get(key.find)
        except EntryError as error:
            self._damaged(key.find, error)
            return None
        return self._adopt(key, entry, now_ns, oldest_ns)

    def _adopt(self, key: Key | Ref, entry: Entry | None, now_ns: int, oldest_ns: int) -> Entry | None:
        """An entry of a shared tier, kept in memory from now on if it answers this."""
        if entry is None or not alive(entry, key, now_ns, oldest_ns) or self.forgotten(entry):
            return None
        self.memory.put(key.find, entry)
        return entry

    def _damaged(self, find: bytes, error: EntryError) -> None:
        log.warning("a damaged entry is dropped", what=error)
        if self.writer is not None:
            self.writer.drop_damaged(find)
        elif self.shared is not None:
            self.shared.drop_damaged(find)

    # -- keeping ----------------------------------------------------------------------------------------------------

    def keep(self, find: bytes, entry: Entry) -> asyncio.Future[Any] | None:
        """Stores an answer in every tier, unless a purge has forgotten it already. The future, where there is one, is
        set when other workers can see it."""
        if self.forgotten(entry):
            return None
        self.memory.put(find, entry)
        if self.writer is not None:
            return self.writer.put((find, entry))
        if self.shared is None:
            return None  # the file was set aside, and no other can be made
        self._recent.append((find, entry))
        return self.shared.put(find, entry, wall_ns())

    def forgotten(self, entry: Entry) -> bool:
        """Whether a purge that was said matches it."""
        return any(sentence.matches(entry.head) for sentence in self._purges)

    # -- purges -----------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Obeys the purges that were said since the last time. Called by the worker's watch, ten times a second."""
        if self.shared is None:
            self._listen_here()
        elif self._hearing is None or self._hearing.done():
            self._hearing = self.loop.create_task(self._listen_afar())
        if self.semantic is not None:
            self.semantic.store.listen()

    def _listen_here(self) -> None:
        if self._disk_again.due and (self.disk is None or self.disk.moved()):
            self._reopen_disk()
        if self._notes_again.due and (self.notes.moved() if self.notes is not None else self._notes_gone):
            self._reopen_notes()
        if self.disk is None:
            return
        try:
            said = self.disk.purge_count()
            if said != self._heard:
                self._obey(self.disk.purges())
                self._heard = said
        except lmdb.Error as error:
            log.error("purges cannot be heard of", why=error)
            self._failed(error)

    def _failed(self, error: lmdb.Error) -> None:
        """A damaged file is set aside, beside the loop."""
        if self.disk is not None:
            self.loop.run_in_executor(None, self.disk.failed, error)

    def _reopen_disk(self) -> None:
        """Begin again with the file that others use now; until it is open, memory is all. What a purge that was said
        meanwhile would forget is not known, so memory is emptied too."""
        old, writer, directory, limit = self.disk, self.writer, self._directory, self.policy.disk_bytes
        self.disk = self.writer = None
        self.memory.drop_where(lambda _: True)
        self._heard = 0

        def work() -> Disk:
            if writer is not None:
                writer.close()
            if old is not None:
                old.close()
            return Disk(directory, limit)

        def opened(disk: Disk) -> None:
            if self._closed:
                disk.close()
                return
            self.memory.drop_where(lambda _: True)
            self.disk, self.writer = disk, Writer(disk, self.loop)

        self._disk_again.start(work, opened)

    def _reopen_notes(self) -> None:
        """The same with the log of reworded questions."""
        policy, old = self.policy.semantic, self.notes
        if self.semantic is not None:
            self.semantic.close()
        self.semantic = self.notes = self._loading = None  # a load that is under way would open the log once more
        self._notes_gone = policy is not None
        if policy is None:
            return
        from fastgate.caching.semantic.build import log_of

        def work() -> DiskLog:
            if old is not None:
                old.close()
            return log_of(policy, self._directory / "semantic")

        def opened(notes: DiskLog) -> None:
            if self._closed:
                notes.close()
                return
            self.notes, self._notes_gone = notes, False
            self._open_semantic(policy, None)

        self._notes_again.start(work, opened)

    async def _listen_afar(self) -> None:
        assert self.shared is not None
        said = await self.shared.purge_count()
        if said is not None and said != self._heard:
            self._obey(await self.shared.purges())
            self._heard = said

    def _obey(self, purges: list[Purge]) -> None:
        fresh = [sentence for sentence in purges if sentence not in self._purges]
        self._purges = purges
        self.memory.drop_where(lambda head: any(sentence.matches(head) for sentence in fresh))
        if self.semantic is not None:
            self.semantic.store.obey(fresh)
        if self.shared is not None:
            for find, entry in self._recent:
                if any(sentence.matches(entry.head) for sentence in fresh):
                    self.shared.drop(find)


def load_semantic(policy: SemanticPolicy) -> Embedders:
    """Loads numpy, the index, weights and models, only where they are used. Raises ImportError, ModelError."""
    from fastgate.caching.semantic.build import load

    return load(policy)


def tiers_of(policy: CachePolicy) -> tuple[object, ...]:
    """What of a policy cannot change under open tiers."""
    semantic = policy.semantic
    found = (semantic.embedder, semantic.store, semantic.entries, semantic.max_wrong) if semantic is not None else None
    return policy.store, policy.in_flight, policy.memory_bytes, policy.disk_bytes, found
