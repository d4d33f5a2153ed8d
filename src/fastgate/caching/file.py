"""One LMDB file that the workers of a machine share: opened, made larger or smaller, never opened twice by a process;
set aside where it cannot be read.

Reads go straight to the mapped file (microseconds, no lock); writes wait for the file's one writer. Its map is the
limit and some headroom: a write copies the pages it changes before the old ones are free. Knows no rows.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from fastgate.caching.mark import DATA, Mark, count_aside, set_aside

READERS_MAX = 1024
"""Reader slots: one for each thread of each worker that reads, and the commands beside them."""

PAGES = ("branch_pages", "leaf_pages", "overflow_pages")

DAMAGE = (
    lmdb.BadDbiError, lmdb.CorruptedError, lmdb.IncompatibleError, lmdb.InvalidError, lmdb.PageNotFoundError,
    lmdb.PanicError, lmdb.VersionMismatchError,
)  # fmt: skip
"""What LMDB says of a file that is none, or none any more."""

T = TypeVar("T")


class File:
    """One open environment and its `limit` in bytes. `writing` is held around every write of this process, `reading`
    around reads of other threads than the one that resizes: a map is never changed under either."""

    def __init__(self, path: Path, limit: int, headroom: int, tables: tuple[bytes, ...]) -> None:
        """Raises OSError where the folder or the file cannot be used. A damaged file is set aside, and begun anew."""
        self.limit = limit
        self.writing, self.reading = threading.Lock(), threading.Lock()
        self._path = path
        self._headroom = headroom
        self._mark = Mark(path)
        try:
            with self._mark.opening():
                try:
                    self._open(tables)
                except DAMAGE as error:
                    set_aside(path, error)
                    self._open(tables)
                self._inode = os.stat(path / DATA).st_ino
        except lmdb.Error as error:
            raise OSError(f"{path} cannot be opened: {error}") from None

    def _open(self, tables: tuple[bytes, ...]) -> None:
        self.env = lmdb.open(
            str(self._path),
            map_size=self.limit + self._headroom,
            max_dbs=len(tables),
            max_readers=READERS_MAX,
            mode=0o600,
            sync=False,  # the kernel writes it out; what a power failure may leave is thrown away (mark.py)
        )
        try:
            pages = self.env.info()["last_pgno"] + 1
            if pages * self.env.stat()["psize"] > os.stat(self._path / DATA).st_size:
                raise lmdb.CorruptedError("it is shorter than it says")  # and reading past its end would kill
            self.env.reader_check()
            self.tables = [self.env.open_db(name) for name in tables]
            with self.env.begin() as txn:
                for table in self.tables:
                    prove(txn, table)
        except BaseException:
            self.env.close()
            raise

    def moved(self) -> bool:
        """Whether the file was set aside, or deleted, since it was opened: then this is nobody else's any more."""
        try:
            return os.stat(self._path / DATA).st_ino != self._inode
        except OSError:
            return True

    def condemn(self, why: object) -> None:
        """Set it aside while it is open, here and elsewhere."""
        with self._mark.alone():
            if not self.moved():
                set_aside(self._path, why)

    def set_aside(self) -> int:
        """How many files were ever set aside here."""
        return count_aside(self._path)

    def close(self) -> None:
        if not self.moved():  # what nobody else reads need not reach the disk
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


def prove(txn: Any, table: Any) -> None:
    """Read both ends of a table. Raises lmdb.Error for a damaged one."""
    with txn.cursor(table) as cursor:
        for at_end in (cursor.first, cursor.last):
            if at_end():
                cursor.item()
