"""The journal: one append-only record of every finished call, and the table of those that are in flight.

Used by the data plane (writer, flight notes, lookup) and by every reader of what happened; imports neither.
"""

from fastgate.journal.format import (
    KIND_CALL,
    START,
    Damage,
    Position,
    Record,
    call_id,
    new_epoch,
)
from fastgate.journal.reader import Batch, JournalReader
from fastgate.journal.writer import JournalBroken, JournalError, JournalFull, JournalWriter

__all__ = [
    "KIND_CALL",
    "START",
    "Batch",
    "Damage",
    "JournalBroken",
    "JournalError",
    "JournalFull",
    "JournalReader",
    "JournalWriter",
    "Position",
    "Record",
    "call_id",
    "new_epoch",
]
