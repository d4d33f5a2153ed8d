"""The journal's writer and reader: what is appended is read, in order, from any position, across segments."""

import os
from pathlib import Path

import pytest

from fastgate.journal import START, JournalReader, JournalWriter, Position, call_id, new_epoch
from fastgate.journal.format import (
    FRAME_BYTES,
    MAX_BODY_BYTES,
    epoch_number,
    epoch_text,
    is_epoch,
    segment_path,
    segments_of,
)
from tests.support.flights import NewWriter


def bodies(reader: JournalReader, epoch: str) -> list[bytes]:
    return [record.body for record in reader.records(epoch)]


def test_what_is_appended_is_read_in_order(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path, node=7)
    places = [writer.append(kind, body) for kind, body in ((1, b"first"), (9, b""), (1, b"x" * 5000))]
    assert places == [(1, 0), (1, FRAME_BYTES + 5), (1, 2 * FRAME_BYTES + 5)]
    records = list(JournalReader(tmp_path).records(writer.epoch))
    assert [(r.kind, r.node, r.sequence, len(r.body)) for r in records] == [(1, 7, 1, 5), (9, 7, 2, 0), (1, 7, 3, 5000)]


def test_segments_rotate_and_reading_goes_on_from_a_position(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path, segment_bytes=200)
    written = [b"%04d" % n + b"." * 50 for n in range(20)]
    for body in written:
        writer.append(1, body)
    assert len(segments_of(tmp_path, writer.epoch)) > 5
    assert all(p.stat().st_size <= 200 for p in (tmp_path / writer.epoch).iterdir())
    reader, position, seen = JournalReader(tmp_path), START, []
    while True:
        batch = reader.read(writer.epoch, position, max_records=3)
        assert not batch.damage
        assert len(batch.records) <= 3
        seen += [record.body for record in batch.records]
        position = batch.position
        if not batch.more:
            break
    assert seen == written
    writer.append(1, b"later")
    batch = reader.read(writer.epoch, position)
    assert [record.body for record in batch.records] == [b"later"]
    assert batch.position.sequence == 21


def test_a_record_larger_than_a_segment_has_one_of_its_own(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path, segment_bytes=100)
    for body in (b"a", b"b" * 1000, b"c"):
        writer.append(1, body)
    assert [len(body) for body in bodies(JournalReader(tmp_path), writer.epoch)] == [1, 1000, 1]
    assert segments_of(tmp_path, writer.epoch) == [1, 2, 3]


def test_a_body_over_the_limit_is_refused_and_the_largest_is_read(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path)
    with pytest.raises(ValueError, match="takes up to"):
        writer.append(1, b"x" * (MAX_BODY_BYTES + 1))
    largest = os.urandom(MAX_BODY_BYTES)
    for _ in range(5):
        writer.append(1, largest)
    assert bodies(JournalReader(tmp_path), writer.epoch) == [largest] * 5


def test_an_epoch_belongs_to_one_writer_and_is_known_to_be_open(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path)
    reader = JournalReader(tmp_path)
    with pytest.raises(FileExistsError):
        JournalWriter(tmp_path, writer.epoch)
    assert reader.is_open(writer.epoch)
    writer.close()
    assert not reader.is_open(writer.epoch)
    with pytest.raises(ValueError, match="closed"):
        writer.append(1, b"late")


def test_epochs_sort_by_time_and_round_trip() -> None:
    epochs = [new_epoch() for _ in range(200)]
    assert all(is_epoch(epoch) and epoch_text(epoch_number(epoch)) == epoch for epoch in epochs)
    milliseconds = [epoch_number(epoch) >> 12 for epoch in epochs]
    assert milliseconds == sorted(milliseconds)
    assert epoch_text(0) == "0" * 12
    assert epoch_text((1 << 60) - 1) == "z" * 12
    assert call_id(epochs[0], 12) == f"fg-{epochs[0]}-12"
    for wrong in ("", "0" * 11, "0" * 13, "00000000000i", "00000000000L", "00000000000U"):
        assert not is_epoch(wrong)
        with pytest.raises(ValueError, match="not an epoch"):
            epoch_number(wrong)


def test_fsync_always_reaches_the_disk_for_every_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    writer = new_writer(tmp_path, fsync="always")
    for _ in range(3):
        writer.append(1, b"x")
    assert len(synced) == 3
    new_writer(tmp_path).append(1, b"x")
    assert len(synced) == 3


def test_a_missing_journal_or_epoch_is_an_empty_one(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path / "absent")
    assert reader.epochs() == []
    assert reader.read("0" * 12).records == []
    assert not reader.is_open("0" * 12)


def test_a_new_consumer_does_not_miss_what_was_deleted_before_its_time(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path, segment_bytes=FRAME_BYTES + 1)
    for n in range(4):
        writer.append(1, b"%d" % n)
    reader = JournalReader(tmp_path)
    halfway = reader.read(writer.epoch, max_records=1).position
    for segment in (1, 2):
        segment_path(tmp_path, writer.epoch, segment).unlink()
    fresh = reader.read(writer.epoch)
    assert [record.body for record in fresh.records] == [b"2", b"3"]
    assert fresh.damage == []
    resumed = reader.read(writer.epoch, halfway)
    assert [record.body for record in resumed.records] == [b"2", b"3"]
    assert [damage.reason for damage in resumed.damage] == ["record 3 follows record 1"]
    assert reader.read(writer.epoch, Position(9, 0, 9)) == ([], Position(9, 0, 9), [], False)
