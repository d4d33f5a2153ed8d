"""The index of one tenant and namespace: an HNSW graph over what was asked there, once that is more than a few.

A point is the text's vector and, beside it, a direction made from everything that must be equal: the partition and what
the text names. Points of another partition are far away whatever they say, so the nearest few are those of this one,
and an index of many partitions answers as fast as one of its own for each. Equality is checked on the candidates all
the same; the direction only brings them to the front.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import hnswlib
import numpy as np

from fastgate.caching.semantic.reading import Reading, read

if TYPE_CHECKING:
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.note import Note

PLACE_DIM = 32
"""Numbers of the direction: two that differ meet within 0.5 once in thousands, and then the check decides."""

LINKS, EF_BUILD, EF_SEARCH = 16, 100, 64
"""HNSW's M, efConstruction and ef: at 100,000 points a near repeat is found in 99 of 100 cases, in a tenth of a
millisecond."""

FLAT_MAX = 256
"""Items that are searched one by one. A graph of a single point takes 2.6 MB (hnswlib's locks, one for each of 65,536
labels), and most shelves are a session's: small ones have none.
"""

NEAR_MAX = 4
"""Candidates looked at. They are of one partition and name the same, so the best of them agree or none does."""


class At(NamedTuple):
    """Where a log has a note: its place there, and the row's checksum."""

    place: int | bytes
    checksum: bytes


class Item:
    """A note that is held. `at` is None while it has not come back from the log."""

    __slots__ = ("_reading", "at", "note")

    def __init__(self, note: Note, reading: Reading | None = None, at: At | None = None) -> None:
        self.note = note
        self.at = at
        self._reading = reading

    @property
    def reading(self) -> Reading:
        """Of the note's text; read when it is first needed, for most notes are never looked at."""
        if self._reading is None:
            self._reading = read(self.note.text)
        return self._reading


class Shelf:
    """Items by label. Not for two threads at once."""

    def __init__(self, dim: int) -> None:
        self.items: dict[int, Item] = {}
        self.searches = 0
        """How often it was asked; `looked`: how many candidates that brought."""
        self.looked = 0
        self._dim = dim
        self._next = 0
        self._dead = 0
        self._room = 2 * FLAT_MAX
        self._flat: dict[int, Any] = {}
        self._graph: Any = None
        """Made when there are more than FLAT_MAX items; until then the points are in `_flat`."""

    def __len__(self) -> int:
        return len(self.items)

    def add(self, item: Item, vector: Vector) -> int:
        """Its label."""
        label, self._next = self._next, self._next + 1
        if self._graph is None:
            self._flat[label] = self._point(item, vector)
            if len(self._flat) > FLAT_MAX:
                self._make_graph()
        elif self._dead:
            self._dead -= 1
            self._graph.add_items(self._point(item, vector), [label], replace_deleted=True)
        else:
            if len(self.items) == self._room:
                self._room *= 2
                self._graph.resize_index(self._room)
            self._graph.add_items(self._point(item, vector), [label])
        self.items[label] = item
        return label

    def replace(self, label: int, item: Item) -> None:
        """Another note of the same question."""
        self.items[label] = item

    def drop(self, label: int) -> None:
        if self.items.pop(label, None) is None:
            return
        if self._graph is None:
            del self._flat[label]
        else:
            self._graph.mark_deleted(label)
            self._dead += 1

    # -- a graph in a file (graphs.py) ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Of the graph: its room, how many of its points are dead, the next label. None where there is no graph."""
        return None if self._graph is None else (self._room, self._dead, self._next)

    def write_graph(self, path: str) -> int:
        """How many bytes it should have: of a full disk hnswlib says nothing."""
        self._graph.save_index(path)
        return int(self._graph.index_file_size())

    def read_graph(self, path: str, shape: tuple[int, int, int]) -> None:
        """Take over a graph that `write_graph` wrote; its items are put back by label. Only of bytes that are known to
        be those that were written: hnswlib believes all it reads."""
        self._room, self._dead, self._next = shape
        self._graph = hnswlib.Index("l2", self._dim + PLACE_DIM)
        self._graph.load_index(path, max_elements=self._room, allow_replace_deleted=True)
        self._graph.set_ef(EF_SEARCH)
        self._graph.set_num_threads(1)

    def forget(self, label: int) -> None:
        """The point of an item that was not put back."""
        self._graph.mark_deleted(label)
        self._dead += 1

    # -- looking ----------------------------------------------------------------------------------------------------

    def near(self, partition: bytes, reading: Reading, vector: Vector) -> Iterator[tuple[float, int, Item]]:
        """Those of the same partition that name the same, nearest first: (cosine of the texts, label, item)."""
        count = min(NEAR_MAX, len(self.items))
        if count == 0:
            return
        self.searches += 1
        point = np.concatenate((vector, direction(partition, reading)))
        for labels, distances in self._asked(point, count):
            for label, distance in zip(labels, distances, strict=True):
                self.looked += 1
                item = self.items.get(int(label))
                if item is not None and item.note.partition == partition and item.reading.names == reading.names:
                    yield 1.0 - float(distance) / 2, int(label), item

    def _asked(self, point: Any, count: int) -> Iterator[tuple[Any, Any]]:
        if self._graph is None:
            labels = np.fromiter(self._flat, np.int64, len(self._flat))
            apart = np.square(np.stack(list(self._flat.values())) - point).sum(axis=1)
            nearest = np.argsort(apart, kind="stable")[:count]
            yield labels[nearest], apart[nearest]
            return
        while count:
            try:
                labels, distances = self._graph.knn_query(point, k=count)
            except RuntimeError:  # it found fewer than it was asked for: deleted points were in the way
                count //= 2
            else:
                yield labels[0], distances[0]
                return

    def _make_graph(self) -> None:
        self._graph = hnswlib.Index("l2", self._dim + PLACE_DIM)
        self._graph.init_index(self._room, M=LINKS, ef_construction=EF_BUILD, allow_replace_deleted=True)
        self._graph.set_ef(EF_SEARCH)
        self._graph.set_num_threads(1)
        self._graph.add_items(np.stack(list(self._flat.values())), list(self._flat))
        self._flat.clear()

    def _point(self, item: Item, vector: Vector) -> Any:
        return np.concatenate((vector, direction(item.note.partition, item.reading)))


def direction(partition: bytes, reading: Reading) -> Any:
    """A unit vector, equal for what must be equal and in no relation otherwise."""
    said = "\0".join((reading.kind, *reading.names)).encode("utf-8", "surrogatepass")
    told = blake2b(said, digest_size=PLACE_DIM, key=partition[:32]).digest()
    spread = np.frombuffer(told, np.uint8).astype(np.float32) - 127.5
    return spread / np.float32(np.sqrt(spread @ spread))
