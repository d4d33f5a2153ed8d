"""The memory tier: a worker's own entries, least recently used out first, bounded in bytes. Not shared, not kept.

Compiled with types (memory.pxd)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastgate.caching.entry import Entry, Head

if TYPE_CHECKING:
    from fastgate.caching.key import Key
    from fastgate.caching.semantic.finder import Ref

SHARE_OF_ONE = 8
"""The largest entry that is kept is this fraction of the whole, so that one answer does not empty the tier."""


class Memory:
    """Entries by what finds them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, find: bytes) -> Entry | None:
        entry = self._entries.get(find)
        if entry is not None:
            self._entries.move_to_end(find)
        return entry

    def put(self, find: bytes, entry: Entry) -> None:
        self.drop(find)
        if entry.size * SHARE_OF_ONE > self.limit:
            return
        self._entries[find] = entry
        self.bytes += entry.size
        while self.bytes > self.limit:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.size

    def drop(self, find: bytes) -> None:
        entry = self._entries.pop(find, None)
        if entry is not None:
            self.bytes -= entry.size

    def drop_where(self, matches: Callable[[Head], bool]) -> int:
        """Forgets the entries whose head matches; how many."""
        gone = [find for find, entry in self._entries.items() if matches(entry.head)]
        for find in gone:
            self.drop(find)
        return len(gone)


def alive(entry: Entry, key: Key | Ref, now_ns: int, oldest_ns: int) -> bool:
    """Whether the entry answers this request: found is not enough, the proof must agree."""
    head = entry.head
    return head.expires_ns > now_ns and head.started_ns >= oldest_ns and head.proof == key.proof
