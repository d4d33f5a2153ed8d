"""The log of notes as one LMDB file, for the workers of one machine: appended, followed, bounded in rows.

rows    number, 8 bytes -> row (note.py)     numbers only rise
facts   "n" -> the newest row's number, "purges" -> how often a purge began or was through
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import lmdb

from fastgate.caching.file import DAMAGE, File
from fastgate.caching.semantic.note import Note, Row, unpack
from fastgate.clock import wall_ns

PAGE_BYTES = 4096

SAID_BYTES = 3 * 1024
"""What a row takes beside its vector, generously: a text, a scope, ids."""

HEADROOM = 32 * 1024 * 1024

ROWS_A_NOTE = 2
"""Rows of the log for each note that is kept: verdicts, and notes of other embedders, have room beside them."""

DROP_AT_ONCE = 512
"""Rows that one transaction of a purge looks at, so that writers wait a millisecond."""

STALE_AT_ONCE = 16
"""Oldest rows that each write looks at, to take out notes that have expired."""


def log_bytes(rows_max: int, dim: int) -> int:
    """What so many notes of that many dimensions take, in whole pages: LMDB gives a large row pages of its own, and
    keeps a sixteenth at most to find them."""
    row = -(-(SAID_BYTES + 2 * dim) // PAGE_BYTES) * PAGE_BYTES
    return rows_max * (row + row // 16)


class DiskLog:
    """One open environment, for `rows_max` rows with vectors of `dim` dimensions."""

    start = 0
    """Before the first row."""

    def __init__(self, path: Path, rows_max: int, dim: int) -> None:
        self.rows_max = rows_max
        self._file = File(path, log_bytes(rows_max, dim), HEADROOM, (b"rows", b"facts"))
        self._env = self._file.env
        self._rows, self._facts = self._file.tables

    def resize(self, rows_max: int, dim: int) -> None:
        """Other bounds (File.resize); what is above them goes with the next write."""
        limit = log_bytes(rows_max, dim)
        if limit != self._file.limit:
            self._file.resize(limit)
        self.rows_max = rows_max

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def reading(self) -> Iterator[DiskLog]:
        """For a thread that reads all of it."""
        yield self

    def newest(self) -> int:
        return self.last()

    def moved(self) -> bool:
        """Whether the file is nobody else's any more (File.moved)."""
        return self._file.moved()

    def failed(self, error: lmdb.Error) -> None:
        """What it said to a read or a write: a damaged file is set aside."""
        if isinstance(error, DAMAGE):
            self._file.condemn(error)

    def last(self) -> int:
        """The number of the newest row that was ever written, 0 for none. By any thread."""
        return self._fact(b"n")

    def purges(self) -> int:
        """How often a purge began or was through. By any thread."""
        return self._fact(b"purges")

    def _fact(self, name: bytes) -> int:
        def once() -> int:
            with self._env.begin(db=self._facts) as txn:
                return int.from_bytes(txn.get(name) or b"", "big")

        with self._file.reading:
            return self._file.read(once)

    def after(self, number: int, count: int) -> list[tuple[int, bytes]]:
        """Up to `count` rows past that number, in order. By any thread."""
        with self._file.reading:
            return self._file.read(lambda: self._after(number, count))

    def _after(self, number: int, count: int) -> list[tuple[int, bytes]]:
        with self._env.begin(db=self._rows) as txn, txn.cursor() as cursor:
            if not cursor.set_range((number + 1).to_bytes(8, "big")):
                return []
            found = zip(range(count), cursor.iternext(), strict=False)
            return [(int.from_bytes(key, "big"), blob) for _, (key, blob) in found]

    def append(self, blobs: list[bytes]) -> None:
        """Adds rows; notes that have expired go, and the oldest rows beyond the bounds. Raises lmdb.Error."""
        try:
            self._append(blobs)
        except lmdb.MapFullError:  # a reader that died pinned what was freed
            self._env.reader_check()
            with self._file.writing, self._env.begin(write=True, db=self._rows) as txn:
                self._drop_oldest(txn, DROP_AT_ONCE)
            self._append(blobs)

    def _append(self, blobs: list[bytes]) -> None:
        with self._file.writing, self._env.begin(write=True, db=self._rows) as txn:
            number = int.from_bytes(txn.get(b"n", db=self._facts) or b"", "big")
            for blob in blobs:
                number += 1
                txn.put(number.to_bytes(8, "big"), blob, append=True)
            txn.put(b"n", number.to_bytes(8, "big"), db=self._facts)
            self._drop_expired(txn, wall_ns())
            self._drop_oldest(txn, txn.stat(self._rows)["entries"] - self.rows_max)
            while self._file.used(txn) > self._file.limit and self._drop_oldest(txn, STALE_AT_ONCE):
                pass

    def _drop_expired(self, txn: Any, now_ns: int) -> None:
        with txn.cursor() as cursor:
            oldest = list(zip(range(STALE_AT_ONCE), cursor.iternext(), strict=False))
        for _, (key, blob) in oldest:
            row = unpack(blob)
            if row is None or (isinstance(row, Note) and row.expires_ns <= now_ns):
                txn.delete(key)

    def _drop_oldest(self, txn: Any, count: int) -> int:
        dropped = 0
        with txn.cursor() as cursor:
            while dropped < count and cursor.first() and cursor.delete():
                dropped += 1
        return dropped

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Every row that can be read, a few at a time."""
        number = 0
        while page := self.after(number, DROP_AT_ONCE):
            for number, blob in page:
                row = unpack(blob)
                if row is not None:
                    yield number, row

    def drop(self, matches: Callable[[Row], bool]) -> int:
        """Drops rows; how many."""
        self._file.read(self._count_purge)
        gone = [number for number, row in self.rows() if matches(row)]
        dropped = 0
        for first in range(0, len(gone), DROP_AT_ONCE):
            dropped += self._file.read(partial(self._drop_these, gone[first : first + DROP_AT_ONCE]))
        self._file.read(self._count_purge)
        return dropped

    def _count_purge(self) -> None:
        with self._file.writing, self._env.begin(write=True, db=self._facts) as txn:
            count = int.from_bytes(txn.get(b"purges") or b"", "big") + 1
            txn.put(b"purges", count.to_bytes(8, "big"))

    def _drop_these(self, numbers: list[int]) -> int:
        with self._file.writing, self._env.begin(write=True, db=self._rows) as txn:
            return sum(txn.delete(number.to_bytes(8, "big")) for number in numbers)
