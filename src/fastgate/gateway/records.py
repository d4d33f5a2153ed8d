"""Records: writes the one record of each finished call, then frees its flight slot, whatever the disk does.

A crash before the record leaves the slot to tell of the call; a crash after it is known by the call's id. While the
journal cannot be written, records wait here and in their slots, so nothing that was charged is lost. Knows nothing of
what is in a record.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from fastgate.journal import KIND_CALL, JournalError

if TYPE_CHECKING:
    from fastgate._core.flight import FlightTable
    from fastgate.journal.writer import JournalWriter

log = logging.getLogger("fastgate.records")

STRANGERS_PER_S = 10
"""Refused calls without a valid key that one worker records in a second: enough to see an attack, too few to fill a
disk (a gigabyte a month of nothing else)."""


class Records:
    """The records of one worker. `waiting` are those that could not be written yet, oldest first, with their slots."""

    journal: JournalWriter
    flight: FlightTable
    waiting: deque[tuple[bytes, int]]

    def __init__(self, journal: JournalWriter, flight: FlightTable) -> None:
        self.journal = journal
        self.flight = flight
        self.waiting = deque()
        self.strangers = self.stranger_second = 0

    def keep(self, record: bytes, slot: int) -> None:
        """Write a record behind those that wait; `slot` is the call's place in the flight table, -1 for none."""
        if self.waiting or not self.append(record, slot):
            self.waiting.append((record, slot))

    def append(self, record: bytes, slot: int) -> bool:
        """Write one record and free its slot; False, with the slot kept, while the journal cannot be written."""
        try:
            self.journal.append(KIND_CALL, record)
        except (JournalError, OSError) as exc:
            log.error("a record cannot be written yet (%s); %d wait", exc, len(self.waiting) + 1)
            return False
        if slot >= 0:
            self.flight.release(slot)
        return True

    def retry(self) -> None:
        """Try again to write what could not be written."""
        while self.waiting and self.append(*self.waiting[0]):
            self.waiting.popleft()

    def room_for_stranger(self, now_ns: int) -> bool:
        """Whether one more call without a valid key is recorded in this second."""
        second = now_ns // 1_000_000_000
        if second != self.stranger_second:
            self.stranger_second, self.strangers = second, 0
        self.strangers += 1
        return self.strangers <= STRANGERS_PER_S

    def close(self) -> None:
        """Give up the journal and the flight table; what is still in flight is told by its slots."""
        self.retry()
        self.journal.close()
        self.flight.close()
