"""Notes from a log: from its graphs, where they were saved, and row by row from there on. For a thread of its own.

Workers do so when they start; the control plane does, and saves the graphs, whenever the log has grown by enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol

from fastgate.caching.semantic.folder import clear
from fastgate.caching.semantic.graphs import Graphs, Loaded, StaleError
from fastgate.caching.semantic.note import Note, unpack
from fastgate.caching.semantic.shelf import At
from fastgate.clock import wall_ns
from fastgate.log import Log

if TYPE_CHECKING:
    from fastgate.caching.semantic.notes import Notes

YIELD_S = 0.0001
YIELD_ROWS = 8
"""So long, after so many rows that are read: the loop of this process, which has calls by then, waits a millisecond
for the interpreter's lock at most. A pause may last longer than it says on a busy machine, so there are not
more of them.
"""

READ_AT_ONCE = 256
"""Rows read from a log at once."""

SAVED_ROWS = 4096
"""By how many rows a log grows before its graphs are saved again: a worker that starts adds as many in four seconds,
beside its calls."""

ALL = 1 << 62
"""Points: graphs of any size."""

BESIDE_CALLS = 4096
"""Most points of a graph that is loaded where calls are served: hnswlib keeps the interpreter's lock for two to three
microseconds a point, so 10 ms. A larger one is built again from the log, which takes longer and keeps nobody."""

CHECKSUM = slice(4, 8)
"""Of a row (note.py)."""

Place = Any
"""Of a row: a number on disk, an id in Redis."""

log = Log("cache")


class Reader(Protocol):
    """A log, for a thread that may wait."""

    start: Place

    def after(self, place: Place, count: int) -> list[tuple[Place, bytes]]:
        """Up to `count` rows past that place, in order."""

    def newest(self) -> Place:
        """The place of the newest row that was ever written."""

    def purges(self) -> int:
        """Changes when a purge begins and when it is through, whoever carries it out."""


class Journal(Protocol):
    """What opens a log for reading."""

    def reading(self) -> AbstractContextManager[Reader]: ...


Begun = tuple["Notes", Loaded | None]
"""Notes, with what was loaded into them."""


def begin(like: Notes, graphs: Graphs | None, points_max: int = ALL) -> Begun:
    """Notes of the same kind with the graphs of so many points that were saved, or none. hnswlib keeps the
    interpreter's lock while it reads one: 0.3 s for 100,000 points, in which nothing else of this process runs, on
    whatever thread this is."""
    notes = like.empty()
    if graphs is None:
        return notes, None
    try:
        return notes, graphs.load(notes, points_max)
    except StaleError as error:
        drop(graphs, error)
        return like.empty(), None


def replay(
    reader: Reader, like: Notes, graphs: Graphs | None, stopping: Callable[[], bool], begun: Begun | None = None
) -> tuple[Notes, Place]:
    """What the log holds, as notes of the same kind, and the place of the last row that was read. `begun` is what
    `begin` gave, where it was called before."""
    notes, loaded = begun or begin(like, graphs)
    try:
        return notes, read_on(reader, notes, loaded, stopping)
    except StaleError as error:
        assert graphs is not None
        drop(graphs, error)
    notes = like.empty()
    return notes, read_on(reader, notes, None, stopping)


def drop(graphs: Graphs, why: StaleError) -> None:
    log.warning("saved graphs of remembered questions are dropped, and built again", why=why)
    graphs.drop()


def read_on(reader: Reader, notes: Notes, loaded: Loaded | None, stopping: Callable[[], bool]) -> Place:
    now_ns, place = wall_ns(), reader.start
    if loaded is not None and order(loaded.place) > order(reader.newest()):
        raise StaleError("the log has begun anew")
    saved = frozenset(notes.shelves)
    for n, (place, blob) in enumerate(rows_of(reader, stopping)):
        row, at = unpack(blob), At(place, blob[CHECKSUM])
        if loaded is not None and order(place) > order(loaded.place):
            settle(notes, loaded)
            loaded = None
        if row is None:
            continue
        if loaded is None or not isinstance(row, Note) or (row.scope, row.namespace) not in saved:
            notes.take(row, now_ns, at=at)
        else:
            put_back(notes, loaded, row, at, now_ns)
        if n % YIELD_ROWS == 0:
            sleep(YIELD_S)
    if loaded is not None:
        settle(notes, loaded)
        place = loaded.place
    return place


def put_back(notes: Notes, loaded: Loaded, row: Note, at: At, now_ns: int) -> None:
    """A note of a shelf whose graph was loaded. One that is not in it was replaced or dropped before."""
    known = loaded.points.pop(at.place, None)
    if known is None:
        return
    checksum, where, label = known
    if checksum != at.checksum or where != (row.scope, row.namespace):
        raise StaleError("the log has other rows")
    if row.expires_ns > now_ns:
        notes.put_back(where, label, row, at)
    else:
        notes.forget(where, label)


def settle(notes: Notes, loaded: Loaded) -> None:
    """Points whose rows have left the log are nobody's."""
    for _, where, label in loaded.points.values():
        notes.forget(where, label)
    for where in [where for where, shelf in notes.shelves.items() if not shelf.items]:
        del notes.shelves[where]


def rows_of(reader: Reader, stopping: Callable[[], bool]) -> Iterator[tuple[Place, bytes]]:
    place = reader.start
    while not stopping() and (rows := reader.after(place, READ_AT_ONCE)):
        yield from rows
        place = rows[-1][0]


def order(place: Place) -> Any:
    """What places are compared by: an id of Redis is a time and a number."""
    return tuple(map(int, place.split(b"-"))) if isinstance(place, bytes) else place


def save_where_due(reader: Reader, like: Notes, graphs: Graphs, stopping: Callable[[], bool]) -> bool:
    """Save the log's graphs anew where it has grown by enough; whether it was done. Graphs of before a purge are
    removed, for they hold what it forgot. Raises OSError, or what the index says."""
    purges, place = reader.purges(), reader.start
    try:
        manifest = graphs.manifest(like)
        if manifest is not None and manifest.purges == purges:
            place = manifest.place
        elif manifest is not None:
            clear(graphs.directory)
    except StaleError:
        pass
    fresh = 0
    while fresh < SAVED_ROWS:
        rows = reader.after(place, READ_AT_ONCE)
        if not rows:
            return False
        fresh, place = fresh + len(rows), rows[-1][0]
    notes, place = replay(reader, like, graphs, stopping)
    if stopping() or reader.purges() != purges:
        return False
    graphs.save(notes, place, purges)
    return True
