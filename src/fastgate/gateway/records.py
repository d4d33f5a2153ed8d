"""Records: writes the one record of each finished call, then frees its flight slot, whatever the disk does.

Those of one turn of the loop are written together at its end: one system call for all of them. A crash before that
leaves the slots to tell of the calls; a crash after it is known by their ids. While the journal cannot be written,
records wait here and in their slots, so nothing that was charged is lost. Knows nothing of what is in a record.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastgate.journal import KIND_CALL
from fastgate.journal.writer import framed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate._core.flight import FlightTable
    from fastgate.journal.writer import JournalWriter

log = logging.getLogger("fastgate.records")

STRANGERS_PER_S = 10
"""Refused calls without a valid key that one worker records in a second: enough to see an attack, too few to fill a
disk (a gigabyte a month of nothing else)."""


class Records:
    """The records of one worker. `waiting` are those that are not written yet, oldest first, and `slots` their places
    in the flight table, -1 for none. `soon` calls what it is given once this turn of the loop is over."""

    journal: JournalWriter
    flight: FlightTable
    waiting: list[bytes]
    slots: list[int]
    stuck: bool
    """The journal could not be written when that was tried last."""

    def __init__(
        self, journal: JournalWriter, flight: FlightTable, soon: Callable[[Callable[[], object]], object]
    ) -> None:
        self.journal = journal
        self.flight = flight
        self.waiting = []
        self.slots = []
        self.stuck = False
        self.soon = soon
        self.strangers = self.stranger_second = 0

    def keep(self, record: bytes, slot: int) -> None:
        """Have a record written behind those that wait. ValueError where it is larger than the journal takes: the slot
        stays taken then, and tells of the call when the worker ends."""
        framed(record)
        if not self.waiting:
            self.soon(self.write)
        self.waiting.append(record)
        self.slots.append(slot)

    def write(self) -> None:
        """Write what waits and free the slots. What cannot be written stays, and `write` is to be called again, as
        `stuck` says from the beginning: whatever is raised here is one call's misfortune."""
        waiting, slots = self.waiting, self.slots
        self.stuck = True
        while waiting:
            try:
                count = self.journal.extend(KIND_CALL, waiting)
            except OSError as exc:
                log.error("%d records cannot be written yet (%s)", len(waiting), exc)
                return
            freed = slots[:count]
            del waiting[:count], slots[:count]
            for slot in freed:
                if slot >= 0:
                    self.release(slot)
        self.stuck = False

    def release(self, slot: int) -> None:
        """Free a slot. One that is free already is a defect of whoever freed it, and no other call's."""
        try:
            self.flight.release(slot)
        except ValueError as exc:
            log.error("a call's place cannot be freed: %s", exc)

    def room_for_stranger(self, now_ns: int) -> bool:
        """Whether one more call without a valid key is recorded in this second."""
        second = now_ns // 1_000_000_000
        if second != self.stranger_second:
            self.stranger_second, self.strangers = second, 0
        self.strangers += 1
        return self.strangers <= STRANGERS_PER_S

    def close(self) -> None:
        """Give up the journal and the flight table; what is still in flight is told by its slots."""
        self.write()
        self.journal.close()
        self.flight.close()
