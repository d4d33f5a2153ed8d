"""One LMDB file that the workers of a machine share: opened, made larger or smaller, never opened twice by a process.

Reads go straight to the mapped file (microseconds, no lock); writes wait for the file's one writer. Its map is the
limit and some headroom: a write copies the pages it changes before the old ones are free. Knows no rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from fastgate.caching.mark import Mark

READERS_MAX = 1024
"""Reader slots: one for each thread of each worker that reads, and the commands beside them."""

PAGES = ("branch_pages", "leaf_pages", "overflow_pages")

T = TypeVar("T")


class File:
    """One open environment and its `limit` in bytes. `writing` is held around every write of this process, `reading`
    around reads of other threads than the one that resizes: a map is never changed under either."""

    def __init__(self, path: Path, limit: int, headroom: int, tables: tuple[bytes, ...]) -> None:
        self.limit = limit
        self.writing, self.reading = threading.Lock(), threading.Lock()
        self._headroom = headroom
        self._mark = Mark(path)
        try:
            self.env = lmdb.open(
                str(path),
                map_size=limit + headroom,
                max_dbs=len(tables),
                max_readers=READERS_MAX,
                mode=0o600,
                sync=False,  # the kernel writes it out; what a power failure may leave is thrown away (mark.py)
            )
            self.env.reader_check()
            self.tables = [self.env.open_db(name) for name in tables]
        except lmdb.Error as error:
            self._mark.remove()
            raise OSError(f"{path} cannot be opened: {error}") from None

    def close(self) -> None:
        self.env.sync(True)
        self.env.close()
        self._mark.remove()

    def resize(self, limit: int) -> None:
        """Another limit. Raises OSError, and keeps the old."""
        with self.reading, self.writing:
            try:
                self.env.set_mapsize(limit + self._headroom)
            except lmdb.Error as error:
                raise OSError(f"{self.env.path()} cannot get another size: {error}") from None
            self.limit = limit

    def read(self, once: Callable[[], T]) -> T:
        """What `once` reads; again where another process, whose limit is larger already, has outgrown this map.
        Where only one thread has the file, `once` may write too: a transaction that does not begin has done nothing.
        """
        try:
            return once()
        except lmdb.MapResizedError:
            with self.writing:
                self.env.set_mapsize(0)
            return once()

    def used(self, txn: Any) -> int:
        """Bytes of the pages that hold rows."""
        stats = [txn.stat(table) for table in self.tables]
        return sum(stat["psize"] * sum(stat[kind] for kind in PAGES) for stat in stats)
