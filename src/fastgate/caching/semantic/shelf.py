"""The index of one tenant and namespace: an HNSW graph over what was asked there.

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

from fastgate.caching.semantic.reading import Reading

if TYPE_CHECKING:
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.caching.semantic.note import Note

PLACE_DIM = 32
"""Numbers of the direction: two that differ meet within 0.5 once in thousands, and then the check decides."""

LINKS, EF_BUILD, EF_SEARCH = 16, 100, 64
"""HNSW's M, efConstruction and ef: at 100,000 points a near repeat is found in 99 of 100 cases, in a tenth of a
millisecond."""

ROOM_MIN = 64
"""Points that a new index has room for; it doubles."""

NEAR_MAX = 4
"""Candidates looked at. They are of one partition and name the same, so the best of them agree or none does."""


class Item(NamedTuple):
    note: Note
    reading: Reading


class Shelf:
    """Items by label. Not for two threads at once."""

    def __init__(self, dim: int) -> None:
        self.items: dict[int, Item] = {}
        self.searches = 0
        """How often the graph was asked; `looked`: how many candidates it brought."""
        self.looked = 0
        self._dim = dim
        self._next = 0
        self._dead = 0
        self._room = ROOM_MIN
        self._graph = hnswlib.Index("l2", dim + PLACE_DIM)
        self._graph.init_index(ROOM_MIN, M=LINKS, ef_construction=EF_BUILD, allow_replace_deleted=True)
        self._graph.set_ef(EF_SEARCH)
        self._graph.set_num_threads(1)

    def __len__(self) -> int:
        return len(self.items)

    def add(self, item: Item, vector: Vector) -> int:
        """Its label."""
        label, self._next = self._next, self._next + 1
        if self._dead:
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
        if self.items.pop(label, None) is not None:
            self._graph.mark_deleted(label)
            self._dead += 1

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
        while count:
            try:
                labels, distances = self._graph.knn_query(point, k=count)
            except RuntimeError:  # it found fewer than it was asked for: deleted points were in the way
                count //= 2
            else:
                yield labels[0], distances[0]
                return

    def _point(self, item: Item, vector: Vector) -> Any:
        return np.concatenate((vector, direction(item.note.partition, item.reading)))


def direction(partition: bytes, reading: Reading) -> Any:
    """A unit vector, equal for what must be equal and in no relation otherwise."""
    said = "\0".join((reading.kind, *reading.names)).encode("utf-8", "surrogatepass")
    told = blake2b(said, digest_size=PLACE_DIM, key=partition[:32]).digest()
    spread = np.frombuffer(told, np.uint8).astype(np.float32) - 127.5
    return spread / np.float32(np.sqrt(spread @ spread))
