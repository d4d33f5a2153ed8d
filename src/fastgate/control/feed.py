"""The journals as the control plane follows them: a record is read and decoded once, whoever else asks for it.

Counting and charging keep places of their own, and read much the same a moment apart. What one of them has just read
is kept for the other; an answer is always what the journal itself would give.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fastgate._core.tally import Tally, newest, read_call, whole_calls
from fastgate.journal import KIND_CALL, START, Damage, JournalReader, Position, Record
from fastgate.journal.format import call_number
from fastgate.journal.reader import BATCH_RECORDS
from fastgate.record import CallRecord

KEPT_BYTES = 4 << 20
"""Of each journal, the newest: some six thousand plain calls, as many as a worker finishes between two looks and more;
four hundred of long conversations. Fewer, and whoever looks second reads them again."""

ODD_BYTES = 400

KEPT_EPOCHS = 16
"""Journals of which anything is kept, those read last: the workers of a large machine."""

_NEEDED = frozenset(
    (
        "id", "at_ns", "org", "team", "user", "key", "cost_center", "session", "agent", "model_asked", "model_used",
        "endpoint", "provider", "outcome", "tags", "cost_nano", "cost_asked_nano", "saved_nano", "cache", "namespace",
        "saved_downgrade_nano", "saved_arbitration_nano", "usage", "prefix", "usage_state", "head_us", "tools",
        "placed", "cells",
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

decode = msgspec.msgpack.Decoder(_Seen).decode
"""What is needed of the body of a record. MsgspecError or UnicodeDecodeError: it is no call's."""

_encode = msgspec.msgpack.Encoder().encode


class Odd(NamedTuple):
    """A record that is no call, and where it stands. With `why`: it should be one, and none can be made of it."""

    segment: int
    offset: int
    sequence: int
    why: str

    @property
    def size(self) -> int:
        """As a Tally's."""
        return ODD_BYTES + len(self.why)


class CallBatch(NamedTuple):
    """As fastgate.journal.reader.Batch."""

    found: list[Tally | Odd]
    position: Position
    damage: list[Damage]
    more: bool


class _Kept(NamedTuple):
    """The last that was read of a journal: whole records without a gap, and the place behind them."""

    found: list[Tally | Odd]
    position: Position

    def around(self, position: Position) -> tuple[list[Tally | Odd], list[Tally | Odd]]:
        """What stands before `position` and from it on; nothing where that is not a place in it."""
        if position == self.position:
            return self.found, []
        if self.found:
            # Sequences do not skip here, so a record's place in the list is known.
            at = position.sequence + 1 - self.found[0].sequence
            if 0 <= at < len(self.found) and position in (_place(self.found[at]), START):
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
                return CallBatch(known[:max_records], _place(known[max_records]), [], True)
            if kept is not None and known:
                position = kept.position
            records, position, damage, more = self.walk(
                whole_calls, epoch, position, max_records - len(known), closed=closed
            )
            found = [*known, *(one if type(one) is Tally else _slowly(one) for one in records)]
            # Where a journal is over and nothing of it was new, whoever else reads it has read that too.
            if not damage and (records or more or not closed):
                self._keep(epoch, [*before, *found], position)
            return CallBatch(found, position, damage, more)

    def _keep(self, epoch: str, found: list[Tally | Odd], position: Position) -> None:
        """As many of the newest as KEPT_BYTES allow."""
        if len(self._kept) >= KEPT_EPOCHS:
            del self._kept[next(iter(self._kept))]
        self._kept[epoch] = _Kept(found[len(found) - newest(found, KEPT_BYTES) :], position)


def _place(one: Tally | Odd) -> Position:
    """Where a reader stands before this record."""
    return Position(one.segment, one.offset, one.sequence - 1)


def _slowly(record: Record) -> Tally | Odd:
    """The call in a record that is not as the gateway writes it today: of an earlier version, which had fewer fields,
    or of whoever else; or why it is none."""
    place = record.segment, record.offset, record.sequence
    if record.kind != KIND_CALL:
        return Odd(*place, "")
    try:
        seen = decode(record.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Odd(*place, str(error))
    call = read_call(_encode(seen), *place)
    if call is not None:
        return call
    try:
        call_number(seen.id)
    except ValueError:
        return Odd(*place, f"{seen.id!r} is no call's id")
    return Odd(*place, "a figure is beyond 64 bits")
