"""Notes of one worker: an index for each tenant and namespace, filled from the log that all workers write.

What is found is bounded: the oldest notes make room. The log is read in a thread when the worker starts, and the
indexes are handed over whole; later rows are taken in between calls, a millisecond at a time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import TYPE_CHECKING, Any

import lmdb
import numpy as np

from fastgate.caching.semantic.calibration import Calibration
from fastgate.caching.semantic.ends import Ends
from fastgate.caching.semantic.note import Note, Row, Verdict, pack, unpack
from fastgate.caching.semantic.reading import Reading, read
from fastgate.caching.semantic.shelf import Item, Shelf
from fastgate.caching.semantic.store import Candidate
from fastgate.clock import mono_ns, wall_ns
from fastgate.log import Log

if TYPE_CHECKING:
    from fastgate.caching.key import Scope
    from fastgate.caching.purge import Purge
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.log_disk import DiskLog
    from fastgate.caching.semantic.log_redis import RedisLog
    from fastgate.caching.semantic.spoken import Spoken

SLICE_NS = 1_000_000
"""How long rows of other workers may keep the loop at once; a graph takes some nine in that time."""

YIELD_S = 0.0001
YIELD_ROWS = 8
"""So long, after so many rows that are read at the start: the loop, which has calls by then, waits a millisecond
for the interpreter's lock at most. A pause may last longer than it says on a busy machine, so there are not
more of them.
"""

READ_AT_ONCE = 256
"""Rows read from the log at once."""

EXPIRED_AT_ONCE = 64
"""Notes that are dropped each tenth of a second because they have expired; a graph takes some microseconds for each."""

JUDGED_MAX = 4096
"""Partitions whose verdicts are remembered."""

log = Log("cache")

Place = tuple["Scope", str]


class Notes:
    """Notes in memory, by what finds their answers; oldest first. For one thread at a time."""

    def __init__(self, identity: str, dim: int, limit: int, bound: float) -> None:
        self.identity = identity
        self.dim = dim
        self.limit = limit
        self.bound = bound
        self.shelves: dict[Place, Shelf] = {}
        self.judged: OrderedDict[bytes, Calibration] = OrderedDict()
        self._held: OrderedDict[bytes, tuple[Place, int]] = OrderedDict()
        self._ends = Ends(self._ends_at)

    def __len__(self) -> int:
        return len(self._held)

    def take(self, row: Row, now_ns: int, reading: Reading | None = None, vector: Vector | None = None) -> None:
        """Keep a row that lives and speaks of this embedder's vectors."""
        if isinstance(row, Verdict):
            self._judge(row)
            return
        if row.expires_ns <= now_ns or row.embedder != self.identity or len(row.vector) != 2 * self.dim:
            return
        known = self._held.get(row.find)
        if known is not None:
            place, label = known
            held = self.shelves[place].items[label]
            if row.started_ns <= held.note.started_ns:
                return
            if held.note.text == row.text and held.note.partition == row.partition:
                self.shelves[place].replace(label, Item(row, held.reading))
                self._held.move_to_end(row.find)
                if row.expires_ns != held.note.expires_ns:
                    self._ends.add(row.expires_ns, row.find)
                return
            self.drop(row.find)
        item = Item(row, read(row.text) if reading is None else reading)
        place = (row.scope, row.namespace)
        shelf = self.shelves.get(place)
        if shelf is None:
            shelf = self.shelves[place] = Shelf(self.dim)
        if vector is None:
            vector = np.frombuffer(row.vector, np.float16).astype(np.float32)
        self._held[row.find] = place, shelf.add(item, vector)
        self._ends.add(row.expires_ns, row.find)
        while len(self._held) > self.limit:
            self.drop(next(iter(self._held)))

    def expire(self, now_ns: int, count: int) -> None:
        """Drop up to so many notes that have expired: their answers are given no more."""
        while count and (end := self._ends.pop(now_ns)) is not None:
            if self._ends_at(*end):
                self.drop(end[1])
            count -= 1

    def _ends_at(self, at_ns: int, find: bytes) -> bool:
        held = self._held.get(find)
        return held is not None and self.shelves[held[0]].items[held[1]].note.expires_ns == at_ns

    def drop(self, find: bytes) -> None:
        held = self._held.pop(find, None)
        if held is not None:
            place, label = held
            shelf = self.shelves[place]
            shelf.drop(label)
            if not shelf.items:
                del self.shelves[place]

    def drop_where(self, matches: Callable[[Note], bool]) -> int:
        gone = [find for find, (place, label) in self._held.items() if matches(self.shelves[place].items[label].note)]
        for find in gone:
            self.drop(find)
        return len(gone)

    def near(self, spoken: Spoken) -> list[Candidate]:
        shelf = self.shelves.get((spoken.scope, spoken.namespace))
        if shelf is None:
            return []
        found = shelf.near(spoken.partition, spoken.reading, spoken.vector)
        return [Candidate(similarity, item.note, item.reading) for similarity, _, item in found]

    def _judge(self, verdict: Verdict) -> None:
        judged = self.judged.setdefault(verdict.partition, Calibration(self.bound))
        judged.note(verdict.similarity, verdict.agreed)
        self.judged.move_to_end(verdict.partition)
        if len(self.judged) > JUDGED_MAX:
            self.judged.popitem(last=False)


class LocalStore:
    """The store of one worker. `journal` is the log: a file, or a stream of Redis."""

    def __init__(self, notes: Notes, journal: DiskLog | RedisLog, loop: asyncio.AbstractEventLoop) -> None:
        self.notes = notes
        self.loop = loop
        self.ready = False
        """The log of former workers has been read."""
        self._journal: Any = journal
        self._on_disk = hasattr(journal, "last")
        self._place: Any = 0 if self._on_disk else b"0-0"
        self._waiting: deque[Row] = deque()
        self._taking = self._closing = False
        self._reading: asyncio.Future[Any] | None = None
        self._thread = ThreadPoolExecutor(1, "cache-notes")
        if self._on_disk:
            self._reading = loop.run_in_executor(self._thread, self._replay)
            self._reading.add_done_callback(self._replayed)
        else:
            self.ready = True

    def close(self) -> None:
        self._closing = True
        self._thread.shutdown(wait=True)

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
        self._waiting = deque(row for row in self._waiting if not any(each.matches(row) for each in said))
        self.notes.drop_where(lambda note: any(each.matches(note) for each in said))

    # -- what others write ------------------------------------------------------------------------------------------

    def listen(self) -> None:
        self.notes.expire(wall_ns(), EXPIRED_AT_ONCE)
        if self._reading is not None and not self._reading.done():
            return
        if not self._on_disk:
            self._reading = self.loop.create_task(self._listen_afar())
        elif self.ready and self._journal.last() != self._place:
            self._took(self._journal.after(self._place, READ_AT_ONCE))

    async def _listen_afar(self) -> None:
        self._took(await self._journal.after(self._place))

    def _took(self, rows: list[tuple[Any, bytes]]) -> None:
        for place, blob in rows:
            self._place = place
            row = unpack(blob)
            if row is not None:
                self._waiting.append(row)
        if self._waiting and not self._taking:
            self._taking = True
            self._take_some()

    def _take_some(self) -> None:
        """A slice of what waits; the rest after the loop's other work."""
        now_ns, until_ns = wall_ns(), mono_ns() + SLICE_NS
        while self._waiting and mono_ns() < until_ns:
            self.notes.take(self._waiting.popleft(), now_ns)
        if self._waiting:
            self.loop.call_soon(self._take_some)
        else:
            self._taking = False

    def _append(self, row: Row) -> None:
        blob = pack(row)
        if self._on_disk:
            self.loop.run_in_executor(self._thread, self._write, blob)
        else:
            self._journal.append([blob])

    def _write(self, blob: bytes) -> None:
        try:
            self._journal.append([blob])
        except lmdb.Error as error:
            log.error("a question cannot be remembered", why=error)

    def _replay(self) -> tuple[Notes, int]:
        """What the log holds, in indexes of their own: in the thread."""
        notes, place, now_ns = (
            Notes(self.notes.identity, self.notes.dim, self.notes.limit, self.notes.bound),
            0,
            wall_ns(),
        )
        while not self._closing and (rows := self._journal.after(place, READ_AT_ONCE)):
            place = rows[-1][0]
            for n, (_, blob) in enumerate(rows):
                row = unpack(blob)
                if row is not None:
                    notes.take(row, now_ns)
                if n % YIELD_ROWS == 0:
                    sleep(YIELD_S)
        return notes, place

    def _replayed(self, told: asyncio.Future[tuple[Notes, int]]) -> None:
        if told.cancelled() or told.exception() is not None:
            log.error("remembered questions cannot be read", why=None if told.cancelled() else told.exception())
        else:
            self.notes, self._place = told.result()
        self.ready = True
