"""Records: those of one turn of the loop leave together, and slots are freed only by what is written."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastgate._core.flight import FlightTable
from fastgate._core.segment import TOGETHER_MAX, append
from fastgate.gateway.records import Records
from fastgate.journal import JournalReader, JournalWriter
from fastgate.journal.format import FRAME_BYTES, MAX_BODY_BYTES


class Desk:
    """Records with their journal and table; `turn` ends a turn of the loop."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, segment_bytes: int = 1 << 20) -> None:
        journal = JournalWriter.create(folder / "journal", segment_bytes=segment_bytes)
        self.reader = JournalReader(folder / "journal")
        self.epoch = journal.epoch
        self.flight = FlightTable.create(str(folder / "table.flight"), journal.epoch, 1024)
        self.due: list[Callable[[], object]] = []
        self.records = Records(journal, self.flight, self.due.append)
        self.writes: list[int] = []
        self.failure: OSError | None = None
        patch.setattr("fastgate.journal.writer._write", self.write)

    def write(self, *args: Any) -> int:
        if self.failure is not None:
            raise self.failure
        self.writes.append(len(args[-1]))
        return append(*args)

    def finish(self, n: int) -> None:
        """Call `n` is over."""
        self.records.keep(b"%d" % n, self.flight.claim(n, n, b"note"))

    def turn(self) -> None:
        due, self.due[:] = list(self.due), []
        for step in due:
            step()

    def written(self) -> list[bytes]:
        return [record.body for record in self.reader.records(self.epoch)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(tmp_path, monkeypatch)
    yield made
    made.records.close()


def test_what_one_turn_finishes_is_one_write(desk: Desk) -> None:
    for n in range(20):
        desk.finish(n)
    assert (desk.writes, desk.flight.in_flight) == ([], 20)
    desk.turn()
    assert (desk.writes, desk.flight.in_flight) == ([20], 0)
    desk.finish(20)
    desk.turn()
    assert desk.written() == [b"%d" % n for n in range(21)]


def test_as_many_as_the_system_takes(desk: Desk) -> None:
    for n in range(TOGETHER_MAX + 3):
        desk.finish(n)
    desk.turn()
    assert desk.writes == [TOGETHER_MAX, 3]
    assert len(desk.written()) == TOGETHER_MAX + 3


def test_segments_are_no_longer_than_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, monkeypatch, segment_bytes=3 * (FRAME_BYTES + 1))
    for n in range(8):
        desk.finish(n)
    desk.turn()
    assert desk.writes == [3, 3, 2]
    assert desk.written() == [b"%d" % n for n in range(8)]
    desk.records.close()


def test_slots_are_kept_until_their_records_are_written(desk: Desk) -> None:
    desk.failure = OSError(errno.ENOSPC, "No space left on device")
    desk.finish(1)
    desk.turn()
    assert desk.records.stuck
    desk.finish(2)
    assert desk.due == [], "the worker's tick tries again"
    assert (desk.written(), desk.flight.in_flight) == ([], 2)
    desk.failure = None
    desk.records.write()
    assert not desk.records.stuck
    assert (desk.written(), desk.flight.in_flight) == ([b"1", b"2"], 0)


def test_a_record_that_is_too_large_stands_in_nobodys_way(desk: Desk) -> None:
    slot = desk.flight.claim(1, 1, b"note")
    with pytest.raises(ValueError, match="takes up to"):
        desk.records.keep(bytes(MAX_BODY_BYTES + 1), slot)
    desk.finish(2)
    desk.turn()
    assert (desk.written(), desk.flight.in_flight) == ([b"2"], 1)


def test_what_the_last_turn_left_is_written_at_the_end(desk: Desk) -> None:
    desk.finish(1)
    desk.records.close()
    assert desk.written() == [b"1"]


def test_a_place_that_is_free_already_is_no_other_calls_trouble(desk: Desk) -> None:
    slot = desk.flight.claim(1, 1, b"note")
    desk.records.keep(b"1", slot)
    desk.flight.release(slot)
    desk.finish(2)
    desk.turn()
    desk.finish(3)
    desk.turn()
    assert (desk.written(), desk.flight.in_flight) == ([b"1", b"2", b"3"], 0)
    assert not desk.records.stuck


def test_whatever_a_write_raises_it_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("fastgate.journal.writer._write", broken)
        desk.finish(1)
        with pytest.raises(MemoryError):
            desk.turn()
    assert desk.records.stuck, "the worker's tick tries again"
    desk.records.write()
    assert (desk.written(), desk.flight.in_flight) == ([b"1"], 0)
