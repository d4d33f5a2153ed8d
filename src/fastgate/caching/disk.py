"""The embedded shared tier: one LMDB file for all workers of a machine, kept over restarts, bounded in bytes.

Reads go straight to the mapped file (microseconds, no lock). Writes wait for the one writer of the file, so workers do
them in a thread of their own (writer.py). A process that dies in the middle of a write leaves the file as it was.

    entries  find -> blob              entry.py
    ages     started_ns, find -> ""    oldest first: what is evicted; rows of entries that were replaced are stale
    facts    "purges" -> sentences, "n" -> how many there were ever, "damaged", "evicted" -> counts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lmdb

from fastgate.caching import purge as purges
from fastgate.caching.entry import Blob, Entry, EntryError, Head, pack, unpack, unpack_head
from fastgate.caching.file import DAMAGE, File
from fastgate.caching.purge import SENTENCES_KEPT, Purge

HEADROOM = 64 * 1024 * 1024
"""Of the map, above the limit: a write copies the pages it changes before the old ones are free."""

EVICT_AT_ONCE = 64
"""Entries evicted before the file's size is looked at again."""

PURGE_AT_ONCE = 512
"""Entries looked at in one transaction of a purge: other writers wait for a millisecond, not for all of it."""

STALE_AT_ONCE = 16
"""Oldest entries that each write looks at, to take out what has expired."""

AGE_BYTES = 8

Write = tuple[bytes, Entry]


class DiskFullError(Exception):
    """The file cannot hold what was to be written."""


class Disk:
    """One open environment. A process opens a path once."""

    def __init__(self, path: Path, limit: int) -> None:
        self._file = File(path, limit, HEADROOM, (b"entries", b"ages", b"facts"))
        self._env = self._file.env
        self._entries, self._ages, self._facts = self._file.tables

    @property
    def limit(self) -> int:
        return self._file.limit

    def resize(self, limit: int) -> None:
        """Another limit (File.resize); what is above it goes with the next write."""
        self._file.resize(limit)

    def close(self) -> None:
        self._file.close()

    def moved(self) -> bool:
        """Whether the file is nobody else's any more (File.moved)."""
        return self._file.moved()

    def failed(self, error: lmdb.Error) -> None:
        """What it said to a read or a write: a damaged file is set aside."""
        if isinstance(error, DAMAGE):
            self._file.condemn(error)

    # -- reading ----------------------------------------------------------------------------------------------------

    def get(self, find: bytes) -> Entry | None:
        """The entry, copied out of the map once. Raises EntryError for a damaged one."""
        try:
            return self._get(find)
        except lmdb.MapResizedError:
            return self._file.read(lambda: self._get(find))

    def _get(self, find: bytes) -> Entry | None:
        with self._env.begin(db=self._entries, buffers=True) as txn:
            blob = txn.get(find)
            return None if blob is None else unpack(blob)

    def purge_count(self) -> int:
        """How many purges there were ever; readers compare it with what they last saw."""
        return self._file.read(self._purge_count)

    def _purge_count(self) -> int:
        with self._env.begin(db=self._facts) as txn:
            return number(txn.get(b"n"))

    def purges(self) -> list[Purge]:
        return self._file.read(self._sentences)

    def _sentences(self) -> list[Purge]:
        with self._env.begin(db=self._facts) as txn:
            return told(txn.get(b"purges"))

    def facts(self) -> dict[str, int]:
        """Counts since the file was made, and its use."""
        return self._file.read(self._counts)

    def _counts(self) -> dict[str, int]:
        with self._env.begin() as txn:
            counts = {name: number(txn.get(name.encode(), db=self._facts)) for name in ("damaged", "evicted")}
            held = {"entries": txn.stat(self._entries)["entries"], "bytes": self._file.used(txn)}
            return counts | held | {"set_aside": self._file.set_aside()}

    def heads(self) -> Iterator[tuple[bytes, Head, int]]:
        """Every entry's find, head and stored size, by find; a page at a time, so that no reader stands for long."""
        after = b""
        while True:
            found = self._file.read(partial(self._page, after))
            yield from ((find, head, size) for find, head, size in found if head is not None)
            if len(found) < PURGE_AT_ONCE:
                return
            after = found[-1][0]

    def _page(self, after: bytes) -> list[tuple[bytes, Head | None, int]]:
        found: list[tuple[bytes, Head | None, int]] = []
        with self._env.begin(db=self._entries, buffers=True) as txn, txn.cursor() as cursor:
            more = cursor.set_range(after) if after else cursor.first()
            if more and after and bytes(cursor.key()) == after:
                more = cursor.next()
            for _ in range(PURGE_AT_ONCE):
                if not more:
                    break
                blob = cursor.value()
                found.append((bytes(cursor.key()), head_in(blob), len(blob)))
                more = cursor.next()
        return found

    # -- writing ----------------------------------------------------------------------------------------------------

    def write(self, batch: Iterable[Write], now_ns: int) -> None:
        """Stores entries, but for those that a purge forgot before they came; evicts the oldest to stay in bounds."""
        try:
            with self._file.writing, self._env.begin(write=True, buffers=True) as txn:
                sentences = told(txn.get(b"purges", db=self._facts))
                for find, entry in batch:
                    if not any(sentence.matches(entry.head) for sentence in sentences):
                        self._put(txn, find, entry)
                self._drop_expired(txn, now_ns)
                self._evict(txn)
        except lmdb.MapFullError:
            self.shrink()
            raise DiskFullError from None

    def shrink(self) -> None:
        """Make room by itself, where a write found none."""
        with self._file.writing, self._env.begin(write=True, buffers=True) as txn:
            self._evict_some(txn, EVICT_AT_ONCE)

    def _put(self, txn: Any, find: bytes, entry: Entry) -> None:
        self._drop(txn, find)
        txn.put(find, pack(entry), db=self._entries)
        txn.put(age_key(entry.head.started_ns, find), b"", db=self._ages)

    def _drop(self, txn: Any, find: bytes) -> bool:
        blob = txn.get(find, db=self._entries)
        if blob is None:
            return False
        head = head_in(blob)
        if head is not None:
            txn.delete(age_key(head.started_ns, find), db=self._ages)
        txn.delete(find, db=self._entries)
        return True

    def _drop_expired(self, txn: Any, now_ns: int) -> None:
        for age in self._oldest(txn, STALE_AT_ONCE):
            find = age[AGE_BYTES:]
            head = head_in(txn.get(find, db=self._entries) or b"")
            if head is None or head.expires_ns <= now_ns or age != age_key(head.started_ns, find):
                self._drop_aged(txn, age)

    def _evict(self, txn: Any) -> None:
        while self._file.used(txn) > self.limit and self._evict_some(txn, EVICT_AT_ONCE):
            pass

    def _evict_some(self, txn: Any, count: int) -> int:
        ages = self._oldest(txn, count)
        evicted = sum(self._drop_aged(txn, age) for age in ages)
        self._count(txn, b"evicted", evicted)
        return len(ages)

    def _drop_aged(self, txn: Any, age: bytes) -> bool:
        """Drops the entry that an age row speaks of, if it still does, and the row."""
        find = age[AGE_BYTES:]
        head = head_in(txn.get(find, db=self._entries) or b"")
        dropped = head is None or age_key(head.started_ns, find) == age
        if dropped:
            txn.delete(find, db=self._entries)
        txn.delete(age, db=self._ages)
        return dropped

    def _oldest(self, txn: Any, count: int) -> list[bytes]:
        with txn.cursor(self._ages) as cursor:
            ages = cursor.iternext(keys=True, values=False)
            return [bytes(age) for _, age in zip(range(count), ages, strict=False)]  # views end with the next write

    def _count(self, txn: Any, name: bytes, more: int) -> None:
        if more:
            txn.put(name, str(number(txn.get(name, db=self._facts)) + more).encode(), db=self._facts)

    def drop_damaged(self, finds: Iterable[bytes]) -> None:
        """Takes damaged entries out and counts them; one that was replaced meanwhile stays."""
        with self._file.writing, self._env.begin(write=True, buffers=True) as txn:
            for find in finds:
                blob = txn.get(find, db=self._entries)
                if blob is not None and is_damaged(blob):
                    txn.delete(find, db=self._entries)
                    self._count(txn, b"damaged", 1)

    def purge(self, sentence: Purge) -> int:
        """Says the sentence, so that workers and late answers obey it, then drops what it matches here; how many."""
        self._file.read(lambda: self._say(sentence))
        dropped, gone = 0, []
        for find, head, _ in self.heads():
            if sentence.matches(head):
                gone.append(find)
            if len(gone) >= PURGE_AT_ONCE:
                dropped += self._drop_matching(gone, sentence)
                gone = []
        return dropped + self._drop_matching(gone, sentence)

    def _say(self, sentence: Purge) -> None:
        with self._file.writing, self._env.begin(write=True, buffers=True) as txn:
            sentences = [*told(txn.get(b"purges", db=self._facts)), sentence][-SENTENCES_KEPT:]
            txn.put(b"purges", purges.encode(sentences), db=self._facts)
            self._count(txn, b"n", 1)

    def _drop_matching(self, finds: list[bytes], sentence: Purge) -> int:
        return self._file.read(lambda: self._drop_these(finds, sentence))

    def _drop_these(self, finds: list[bytes], sentence: Purge) -> int:
        with self._file.writing, self._env.begin(write=True, buffers=True) as txn:
            held = ((find, head_in(txn.get(find, db=self._entries) or b"")) for find in finds)
            return sum(self._drop(txn, find) for find, head in held if head is not None and sentence.matches(head))


def age_key(started_ns: int, find: bytes) -> bytes:
    return started_ns.to_bytes(AGE_BYTES, "big") + find


def head_in(blob: Blob) -> Head | None:
    try:
        return unpack_head(blob)
    except EntryError:
        return None


def is_damaged(blob: Blob) -> bool:
    try:
        unpack(blob)
    except EntryError:
        return True
    return False


def number(raw: Blob | None) -> int:
    return int(bytes(raw)) if raw else 0


def told(raw: Blob | None) -> list[Purge]:
    return purges.decode(raw) if raw else []
