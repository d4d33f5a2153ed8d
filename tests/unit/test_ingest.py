"""The ingestor: a finished call is visible within a second, nothing stops it, and it deletes only what it may."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fastgate.control import ingest
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import DAY_NS, UsageTable
from fastgate.journal import KIND_CALL, JournalReader, JournalWriter, Position, call_id
from fastgate.journal.format import segment_path, segments_of
from fastgate.journal.retention import retire_segments
from fastgate.stores.ports import StoreError
from tests.support.flights import NewWriter, encode, record

NOW_NS = 1_800_000_000_000_000_000


@pytest.fixture
def table(tmp_path: Path) -> Iterator[UsageTable]:
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table:
        yield table


def write(writer: JournalWriter, n: int) -> str:
    one = record(call_id(writer.epoch, n))
    writer.append(KIND_CALL, encode(one))
    return one.id


async def seen_within(table: UsageTable, call: str, limit_s: float) -> float:
    began = time.monotonic()
    while await asyncio.to_thread(table.call, call) is None:
        assert time.monotonic() - began < limit_s
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_a_finished_call_is_visible_within_a_second(
    tmp_path: Path, table: UsageTable, new_writer: NewWriter
) -> None:
    task = asyncio.create_task(Ingestor(table, tmp_path / "journal").run())
    await asyncio.sleep(0.15)
    first = new_writer(tmp_path / "journal")
    for n in range(1, 4):
        await seen_within(table, write(first, n), 1.0)
    second = new_writer(tmp_path / "journal")
    await seen_within(table, write(second, 1), 1.0)
    await seen_within(table, write(first, 4), 1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failing_database_is_told_and_tried_again(
    tmp_path: Path,
    table: UsageTable,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    new_writer: NewWriter,
) -> None:
    monkeypatch.setattr(ingest, "RETRY_S", 0.02)
    writer = new_writer(tmp_path / "journal")
    call = write(writer, 1)
    real, failures = UsageTable.take_together, 3

    def take(self: UsageTable, *args: object, **more: object) -> object:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreError("unusable", "disk full") if failures % 2 else OSError("gone")
        return real(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(UsageTable, "take_together", take)
    ingestor = Ingestor(table, tmp_path / "journal")
    task = asyncio.create_task(ingestor.run())
    await seen_within(table, call, 5.0)
    task.cancel()
    assert len(caplog.messages) == 3


def test_batches_are_taken_until_nothing_is_left(
    tmp_path: Path, table: UsageTable, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    real = UsageTable.take_together
    monkeypatch.setattr(UsageTable, "take_together", lambda self, reader, epochs: real(self, reader, epochs, 3))
    writers = [new_writer(tmp_path / "journal", segment_bytes=1500) for _ in range(3)]
    for writer in writers:
        for n in range(1, 11):
            write(writer, n)
    ingestor = Ingestor(table, tmp_path / "journal")
    assert ingestor.behind
    assert ingestor.step() == 9
    assert ingestor.behind
    assert ingestor.catch_up() == 21
    assert not ingestor.behind
    assert table.count() == 30
    assert ingestor.news() == []


def test_a_finished_epoch_is_never_looked_at_again(tmp_path: Path, table: UsageTable, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path / "journal")
    write(writer, 1)
    ingestor = Ingestor(table, tmp_path / "journal")
    ingestor.catch_up()
    assert table.finished_epochs() == set()
    writer.close()
    assert ingestor.news() == [writer.epoch]
    ingestor.catch_up()
    assert table.finished_epochs() == {writer.epoch}
    assert Ingestor(table, tmp_path / "journal").news() == []


def test_an_epoch_without_a_segment_is_not_taken_for_finished(tmp_path: Path, table: UsageTable) -> None:
    (tmp_path / "journal").mkdir()
    epoch = "0123456789ab"
    (tmp_path / "journal" / epoch).mkdir()  # a writer between its mkdir and its lock
    ingestor = Ingestor(table, tmp_path / "journal")
    ingestor.catch_up()
    (tmp_path / "journal" / epoch).rmdir()
    writer = JournalWriter(tmp_path / "journal", epoch)
    call = write(writer, 1)
    ingestor.catch_up()
    assert table.call(call) is not None


TAKE_ALL = """
import sys
from pathlib import Path
from fastgate.control.ingest import Ingestor
from fastgate.control.usage import UsageTable

table = UsageTable(Path(sys.argv[1]) / "usage.sqlite")
print(Ingestor(table, Path(sys.argv[1]) / "journal").catch_up())
"""


def test_two_processes_at_once_count_everything_once(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path / "journal")
    for n in range(1, 12_501):
        write(writer, n)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE_ALL, str(tmp_path)],
            env={"PYTHONPATH": "src"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    taken = [int(child.communicate(timeout=60)[0]) for child in children]
    assert sum(taken) == 12_500
    with closing(UsageTable(tmp_path / "usage.sqlite")) as table:
        assert table.count() == 12_500
        assert table.spend([])[0].cost_nano == 12_500 * 12_345_000


def age(journal_dir: Path, epoch: str, days: int, segments: int) -> None:
    for segment in range(1, segments + 1):
        when = NOW_NS - days * DAY_NS
        os.utime(segment_path(journal_dir, epoch, segment), ns=(when, when))


def test_old_segments_go_once_every_consumer_is_past_them(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path, segment_bytes=900)
    for n in range(1, 11):
        write(writer, n)
    segments = segments_of(tmp_path, writer.epoch)
    assert len(segments) == 10
    age(tmp_path, writer.epoch, 500, 7)
    reader = JournalReader(tmp_path)
    end = reader.read(writer.epoch).position
    third = Position(3, 0, 2)
    before = NOW_NS - 400 * DAY_NS
    assert retire_segments(tmp_path, {"usage": {writer.epoch: end}, "audit": {}}, before) == []
    gone = retire_segments(tmp_path, {"usage": {writer.epoch: end}, "audit": {writer.epoch: third}}, before)
    assert [path.name for path in gone] == ["00000001.fgj", "00000002.fgj"]
    retire_segments(tmp_path, {"usage": {writer.epoch: end}}, before)
    assert segments_of(tmp_path, writer.epoch) == [8, 9, 10]
    age(tmp_path, writer.epoch, 500, 0)
    for segment in (8, 9, 10):
        os.utime(segment_path(tmp_path, writer.epoch, segment), ns=(1, 1))
    retire_segments(tmp_path, {"usage": {writer.epoch: end}}, before)
    assert segments_of(tmp_path, writer.epoch) == [10], "the writer has it open"
    writer.close()
    retire_segments(tmp_path, {"usage": {writer.epoch: end._replace(offset=end.offset - 1)}}, before)
    assert segments_of(tmp_path, writer.epoch) == [10], "not read to its end"
    retire_segments(tmp_path, {"usage": {writer.epoch: end}}, before)
    assert reader.epochs() == []
    with pytest.raises(ValueError, match="no consumer"):
        retire_segments(tmp_path, {}, before)


def test_housekeeping_forgets_epochs_that_are_gone(tmp_path: Path, table: UsageTable, new_writer: NewWriter) -> None:
    journal_dir = tmp_path / "journal"
    writers = [new_writer(journal_dir) for _ in range(3)]
    for writer in writers[:2]:
        write(writer, 1)
    for writer in writers:
        writer.close()
    ingestor = Ingestor(table, journal_dir, retention_days=400)
    ingestor.catch_up()
    age(journal_dir, writers[0].epoch, 401, 1)
    os.utime(journal_dir / writers[2].epoch, ns=(1, 1))
    ingestor.keep_house(NOW_NS)
    assert ingestor.feed.epochs() == [writers[1].epoch]
    assert set(table.positions()) == {writers[1].epoch}
    assert table.finished_epochs() == {writers[1].epoch}
    assert ingestor.catch_up() == 0


@pytest.mark.parametrize(("text", "rotten"), [(b"acme", b"\xffcme"), (b"11111111-2222", b"\xff1111111-2222")])
def test_a_record_whose_texts_are_none_is_told_and_passed_over(
    tmp_path: Path, table: UsageTable, text: bytes, rotten: bytes
) -> None:
    writer = JournalWriter.create(tmp_path / "journal")
    for n in range(1, 4):
        body = encode(record(call_id(writer.epoch, n)))
        writer.append(KIND_CALL, body.replace(text, rotten) if n == 2 else body)
    writer.close()
    ingestor = Ingestor(table, tmp_path / "journal")
    assert ingestor.catch_up() == 3
    assert table.count() == 2
    ((_, _, why),) = table.damages()
    assert "record 2 is no call that can be counted" in why
    assert ingestor.news() == []
