"""The journals as the control plane follows them: a record is read and decoded once, whoever else asks for it.

Counting and charging keep places of their own, and read much the same a moment apart. What one of them has just read
is kept for the other; an answer is always what the journal itself would give.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fastgate.journal import KIND_CALL, START, Damage, JournalReader, Position, Record
from fastgate.journal.reader import BATCH_RECORDS
from fastgate.record import CallRecord

KEPT_CALLS = 2_000
"""Of each journal, the newest: one batch of charges, ten times what a busy worker finishes between two looks; 3 MB."""

KEPT_EPOCHS = 16
"""Journals of which anything is kept, those read last: the workers of a large machine."""

_NEEDED = frozenset(
    (
        "id", "at_ns", "org", "team", "user", "key", "cost_center", "session", "agent", "model_asked", "model_used",
        "endpoint", "provider", "outcome", "tags", "cost_nano", "cost_asked_nano", "saved_nano", "cache", "namespace",
        "saved_downgrade_nano", "saved_arbitration_nano", "usage", "prefix", "usage_state", "head_us", "tools",
        "sightings", "cells",
    )
)  # fmt: skip
"""Of a record, what has a column, what the guardian of the prompt cache looks at, and what a charge needs."""

_PASSED_OVER = (int, bool)
"""Types that cost less to decode than to set aside."""


def _field(field: Any) -> tuple[Any, ...]:
    kind = field.type if field.name in _NEEDED or field.type in _PASSED_OVER else msgspec.Raw
    return field.name, kind, *(() if field.default is msgspec.NODEFAULT else (field.default,))


_Seen: Any = msgspec.defstruct(
    "_Seen", [_field(field) for field in msgspec.structs.fields(CallRecord)], array_like=True, gc=False
)
"""A CallRecord of which only what is needed is decoded: that costs half."""

_decode = msgspec.msgpack.Decoder(_Seen).decode


class Found(NamedTuple):
    """A record and the call in it: the fields of a CallRecord that are needed. None where the record is not of a call,
    or, with `why`, where none can be made of it."""

    record: Record
    call: Any
    why: str = ""


class CallBatch(NamedTuple):
    """As fastgate.journal.reader.Batch."""

    found: list[Found]
    position: Position
    damage: list[Damage]
    more: bool


class _Kept(NamedTuple):
    """The last that was read of a journal: whole records without a gap, and the place behind them."""

    found: list[Found]
    position: Position

    def around(self, position: Position) -> tuple[list[Found], list[Found]]:
        """What stands before `position` and from it on; nothing where that is not a place in it."""
        if position == self.position:
            return self.found, []
        if self.found:
            # Sequences do not skip here, so a record's place in the list is known.
            at = position.sequence + 1 - self.found[0].record.sequence
            if 0 <= at < len(self.found) and position in (_place(self.found[at].record), START):
                return self.found[:at], self.found[at:]
        return [], []


class CallFeed(JournalReader):
    """The journals in `journal_dir`, for several readers in several threads."""

    def __init__(self, journal_dir: Path) -> None:
        super().__init__(journal_dir)
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def calls(
        self, epoch: str, position: Position = START, max_records: int = BATCH_RECORDS, *, closed: bool = False
    ) -> CallBatch:
        """What `read` gives, decoded."""
        with self._lock:
            kept = self._kept.pop(epoch, None)
            before, known = kept.around(position) if kept is not None else ([], [])
            if kept is not None and len(known) > max_records:
                self._kept[epoch] = kept
                return CallBatch(known[:max_records], _place(known[max_records].record), [], True)
            if kept is not None and known:
                position = kept.position
            batch = self.read(epoch, position, max_records - len(known), closed=closed)
            found = [*known, *map(_found, batch.records)]
            if not batch.damage:
                self._keep(epoch, [*before, *found][-KEPT_CALLS:], batch.position)
            return CallBatch(found, batch.position, batch.damage, batch.more)

    def _keep(self, epoch: str, found: list[Found], position: Position) -> None:
        if len(self._kept) >= KEPT_EPOCHS:
            del self._kept[next(iter(self._kept))]
        self._kept[epoch] = _Kept(found, position)


def _place(record: Record) -> Position:
    """Where a reader stands before this record."""
    return Position(record.segment, record.offset, record.sequence - 1)


def _found(record: Record) -> Found:
    if record.kind != KIND_CALL:
        return Found(record, None)
    try:
        return Found(record, _decode(record.body))
    except msgspec.MsgspecError as error:
        return Found(record, None, str(error))
