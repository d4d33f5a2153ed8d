"""Notes of one worker: an index for each tenant and namespace, filled from the log that all workers write.

What is found is bounded: the oldest notes make room. Saved graphs are loaded before the worker serves, small ones also
while it does; the log is read in a thread then, and the indexes are handed over whole; later rows are taken in between
calls, a millisecond at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import lmdb

from fastgate.caching.semantic.note import Note, Row, Verdict, pack, unpack
from fastgate.caching.semantic.replay import BESIDE_CALLS, CHECKSUM, READ_AT_ONCE, begin, replay
from fastgate.caching.semantic.shelf import At
from fastgate.clock import mono_ns, wall_ns
from fastgate.log import Log

if TYPE_CHECKING:
    from fastgate.caching.purge import Purge
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.graphs import Graphs
    from fastgate.caching.semantic.log_disk import DiskLog
    from fastgate.caching.semantic.log_redis import RedisLog
    from fastgate.caching.semantic.notes import Notes
    from fastgate.caching.semantic.reading import Reading
    from fastgate.caching.semantic.spoken import Spoken
    from fastgate.caching.semantic.store import Candidate

SLICE_NS = 1_000_000
"""How long rows of other workers may keep the loop at once; a graph takes some nine in that time."""

EXPIRED_AT_ONCE = 64
"""Notes that are dropped each tenth of a second because they have expired; a graph takes some microseconds for each."""

log = Log("cache")


class LocalStore:
    """The store of one worker. `journal` is the log: a file, or a stream of Redis."""

    def __init__(
        self, notes: Notes, journal: DiskLog | RedisLog, loop: asyncio.AbstractEventLoop, graphs: Graphs | None = None
    ) -> None:
        """`graphs` are those of the log, where they are kept."""
        self.notes = notes
        self.loop = loop
        self.ready = False
        """The log of former workers has been read."""
        self._journal: Any = journal
        self._graphs = graphs
        self._on_disk = hasattr(journal, "last")
        self._place: Any = journal.start
        self._waiting: deque[tuple[Row, At]] = deque()
        self._said: list[Purge] = []
        self._taking = self._closing = False
        self._writing = ThreadPoolExecutor(1, "cache-notes")
        self._replaying = ThreadPoolExecutor(1, "cache-replay")
        # Nobody waits for a loop that does not run yet: the time to do what would keep one from running.
        self._begun = None if loop.is_running() else begin(notes, graphs)
        self._reading: asyncio.Future[Any] = loop.run_in_executor(self._replaying, self._replay)
        self._reading.add_done_callback(self._replayed)

    def close(self) -> None:
        self._closing = True
        self._replaying.shutdown(wait=True)
        self._writing.shutdown(wait=True)

    # -- the port ---------------------------------------------------------------------------------------------------

    async def near(self, spoken: Spoken) -> list[Candidate]:
        return self.notes.near(spoken)

    def put(self, note: Note, reading: Reading, vector: Vector) -> None:
        self._append(note)
        if self.ready:
            self.notes.take(note, wall_ns(), reading, vector)

    def judge(self, verdict: Verdict) -> None:
        self._append(verdict)  # counted when it comes back, as those of other workers are: once

    def threshold(self, partition: bytes) -> float:
        judged = self.notes.judged.get(partition)
        return judged.threshold if judged is not None else 0.0

    def drop(self, note: Note) -> None:
        self.notes.drop(note.find)

    def obey(self, sentences: Iterable[Purge]) -> None:
        said = list(sentences)
        if not said:
            return  # nothing to look at every note for
        if not self.ready:
            self._said += said  # rows that the thread has read already may be among what it matches
        self._waiting = deque(each for each in self._waiting if not any(purge.matches(each[0]) for purge in said))
        self.notes.drop_where(lambda note: any(each.matches(note) for each in said))

    # -- what others write ------------------------------------------------------------------------------------------

    def listen(self) -> None:
        self.notes.expire(wall_ns(), EXPIRED_AT_ONCE)
        if not self._reading.done() or not self.ready:
            return
        if not self._on_disk:
            self._reading = self.loop.create_task(self._listen_afar())
        elif self._journal.last() != self._place:
            self._took(self._journal.after(self._place, READ_AT_ONCE))

    async def _listen_afar(self) -> None:
        self._took(await self._journal.after(self._place))

    def _took(self, rows: list[tuple[Any, bytes]]) -> None:
        for place, blob in rows:
            self._place = place
            row = unpack(blob)
            if row is not None:
                self._waiting.append((row, At(place, blob[CHECKSUM])))
        if self._waiting and not self._taking:
            self._taking = True
            self._take_some()

    def _take_some(self) -> None:
        """A slice of what waits; the rest after the loop's other work."""
        now_ns, until_ns = wall_ns(), mono_ns() + SLICE_NS
        while self._waiting and mono_ns() < until_ns:
            row, at = self._waiting.popleft()
            self.notes.take(row, now_ns, at=at)
        if self._waiting:
            self.loop.call_soon(self._take_some)
        else:
            self._taking = False

    def _append(self, row: Row) -> None:
        blob = pack(row)
        if self._on_disk:
            self.loop.run_in_executor(self._writing, self._write, blob)
        else:
            self._journal.append([blob])

    def _write(self, blob: bytes) -> None:
        try:
            self._journal.append([blob])
        except lmdb.Error as error:
            log.error("a question cannot be remembered", why=error)
            self._journal.failed(error)

    def _replay(self) -> tuple[Notes, Any]:
        """What the log holds, in indexes of their own: in the thread."""
        begun, self._begun = self._begun or begin(self.notes, self._graphs, BESIDE_CALLS), None
        with self._journal.reading() as reader:
            return replay(reader, self.notes, self._graphs, lambda: self._closing, begun)

    def _replayed(self, told: asyncio.Future[tuple[Notes, Any]]) -> None:
        if told.cancelled() or told.exception() is not None:
            log.error("remembered questions cannot be read", why=None if told.cancelled() else told.exception())
        else:
            self.notes, self._place = told.result()
        self.ready = True
        self.obey(self._said)
        self._said.clear()
