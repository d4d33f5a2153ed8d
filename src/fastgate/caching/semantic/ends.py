"""When notes expire, soonest first, in bounds though notes are dropped and taken anew long before."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Ends:
    """`lives` tells whether a note still ends at that time. With each time that is added two older ones are looked at,
    and left out where it does not: there are never three times as many as notes, and nothing waits for a sweep."""

    def __init__(self, lives: Callable[[int, bytes], bool]) -> None:
        self._lives = lives
        self._heap: list[tuple[int, bytes]] = []
        self._older: list[tuple[int, bytes]] = []
        """A heap that is emptied from its end, which leaves it one."""

    def __len__(self) -> int:
        return len(self._heap) + len(self._older)

    def add(self, at_ns: int, find: bytes) -> None:
        heappush(self._heap, (at_ns, find))
        for _ in range(2):
            if self._older:
                end = self._older.pop()
                if self._lives(*end):
                    heappush(self._heap, end)
        if not self._older:
            self._heap, self._older = self._older, self._heap

    def pop(self, now_ns: int) -> tuple[int, bytes] | None:
        """One time that has come; None where there is none. Whether the note still ends then, the caller asks."""
        for heap in (self._older, self._heap):
            if heap and heap[0][0] <= now_ns:
                return heappop(heap)
        return None
