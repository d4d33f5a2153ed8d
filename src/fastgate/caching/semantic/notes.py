"""Notes in memory: an index for each tenant and namespace, what finds each note, when it expires. Bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fastgate.caching.semantic.calibration import Calibration
from fastgate.caching.semantic.ends import Ends
from fastgate.caching.semantic.note import Note, Row, Verdict
from fastgate.caching.semantic.shelf import At, Item, Shelf
from fastgate.caching.semantic.store import Candidate

if TYPE_CHECKING:
    from fastgate.caching.key import Scope
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.reading import Reading
    from fastgate.caching.semantic.spoken import Spoken

JUDGED_MAX = 4096
"""Partitions whose verdicts are remembered."""

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

    def empty(self) -> Notes:
        """Others of the same kind, with nothing in them."""
        return Notes(self.identity, self.dim, self.limit, self.bound)

    def take(
        self,
        row: Row,
        now_ns: int,
        reading: Reading | None = None,
        vector: Vector | None = None,
        at: At | None = None,
    ) -> None:
        """Keep a row that lives and speaks of this embedder's vectors; `at` is its place in the log."""
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
                if row == held.note:
                    held.at = at  # this worker's own, come back
                return
            if held.note.text == row.text and held.note.partition == row.partition:
                self.shelves[place].replace(label, Item(row, held.reading, at))
                self._held.move_to_end(row.find)
                if row.expires_ns != held.note.expires_ns:
                    self._ends.add(row.expires_ns, row.find)
                return
            self.drop(row.find)
        item = Item(row, reading, at)
        place = (row.scope, row.namespace)
        shelf = self.shelves.get(place)
        if shelf is None:
            shelf = self.shelves[place] = Shelf(self.dim)
        if vector is None:
            vector = np.frombuffer(row.vector, np.float16).astype(np.float32)
        self._hold(row, place, shelf.add(item, vector))

    def put_back(self, place: Place, label: int, note: Note, at: At) -> None:
        """Keep a note whose point a graph that was loaded has already."""
        shelf = self.shelves.get(place)
        if shelf is not None:  # it goes when the limit, which may be another now, has dropped all of it
            shelf.items[label] = Item(note, at=at)
            self._hold(note, place, label)

    def forget(self, place: Place, label: int) -> None:
        """A point of such a graph that is no note's any more."""
        shelf = self.shelves.get(place)
        if shelf is not None:
            shelf.forget(label)

    def _hold(self, note: Note, place: Place, label: int) -> None:
        self._held[note.find] = place, label
        self._ends.add(note.expires_ns, note.find)
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
        if verdict.embedder not in ("", self.identity):
            return  # of another scale
        judged = self.judged.setdefault(verdict.partition, Calibration(self.bound))
        judged.note(verdict.similarity, verdict.agreed)
        self.judged.move_to_end(verdict.partition)
        if len(self.judged) > JUDGED_MAX:
            self.judged.popitem(last=False)
