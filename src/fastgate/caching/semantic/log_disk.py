"""The log of notes as one LMDB file, for the workers of one machine: appended, followed, bounded in rows.

rows   number, 8 bytes -> row (note.py)     numbers only rise
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb

from fastgate.caching.disk import READERS_MAX
from fastgate.caching.mark import Mark
from fastgate.caching.semantic.note import Row, unpack

ROW_BYTES = 4096
"""What a row takes on disk, generously: a text, 256 half floats, ids."""

HEADROOM = 32 * 1024 * 1024

ROWS_A_NOTE = 2
"""Rows of the log for each note that is kept: verdicts, and notes of other embedders, have room beside them."""

DROP_AT_ONCE = 512
"""Rows that one transaction of a purge looks at, so that writers wait a millisecond."""


class DiskLog:
    """One open environment."""

    def __init__(self, path: Path, rows_max: int) -> None:
        self.rows_max = rows_max
        self._mark = Mark(path)
        self._env = lmdb.open(
            str(path),
            map_size=rows_max * ROW_BYTES + HEADROOM,
            max_dbs=2,
            max_readers=READERS_MAX,
            mode=0o600,
            sync=False,  # as the entries: what a power failure may leave is thrown away (mark.py)
        )
        self._env.reader_check()
        self._rows = self._env.open_db(b"rows")
        self._facts = self._env.open_db(b"facts")

    def close(self) -> None:
        self._env.sync(True)
        self._env.close()
        self._mark.remove()

    def last(self) -> int:
        """The number of the newest row that was ever written, 0 for none."""
        with self._env.begin(db=self._facts) as txn:
            return int.from_bytes(txn.get(b"n") or b"", "big")

    def after(self, number: int, count: int) -> list[tuple[int, bytes]]:
        """Up to `count` rows past that number, in order."""
        with self._env.begin(db=self._rows) as txn, txn.cursor() as cursor:
            if not cursor.set_range((number + 1).to_bytes(8, "big")):
                return []
            found = zip(range(count), cursor.iternext(), strict=False)
            return [(int.from_bytes(key, "big"), blob) for _, (key, blob) in found]

    def append(self, blobs: list[bytes]) -> None:
        """Adds rows, and drops the oldest beyond the bound."""
        with self._env.begin(write=True, db=self._rows) as txn:
            number = int.from_bytes(txn.get(b"n", db=self._facts) or b"", "big")
            for blob in blobs:
                number += 1
                txn.put(number.to_bytes(8, "big"), blob, append=True)
            txn.put(b"n", number.to_bytes(8, "big"), db=self._facts)
            surplus = txn.stat(self._rows)["entries"] - self.rows_max
            with txn.cursor() as cursor:
                while surplus > 0 and cursor.first() and cursor.delete():
                    surplus -= 1

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
        gone = [number for number, row in self.rows() if matches(row)]
        dropped = 0
        for first in range(0, len(gone), DROP_AT_ONCE):
            with self._env.begin(write=True, db=self._rows) as txn:
                dropped += sum(txn.delete(number.to_bytes(8, "big")) for number in gone[first : first + DROP_AT_ONCE])
        return dropped
