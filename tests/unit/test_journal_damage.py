"""Damaged journals: a tail that is not whole is waited for, anything else is named with file and offset, and as much
as can be trusted is read."""

from pathlib import Path

import pytest

from fastgate.journal import START, JournalReader, JournalWriter
from fastgate.journal.format import FRAME_BYTES, segment_path
from tests.support.flights import NewWriter


@pytest.fixture
def writer(tmp_path: Path, new_writer: NewWriter) -> JournalWriter:
    """Six records of 10 bytes, three a segment."""
    writer = new_writer(tmp_path, segment_bytes=3 * (FRAME_BYTES + 10))
    for n in range(1, 7):
        writer.append(1, b"%010d" % n)
    return writer


def spoil(writer: JournalWriter, segment: int, offset: int, replacement: bytes) -> Path:
    path = segment_path(writer.journal_dir, writer.epoch, segment)
    data = bytearray(path.read_bytes())
    data[offset : offset + len(replacement)] = replacement
    path.write_bytes(data)
    return path


def read(writer: JournalWriter, *, closed: bool = False) -> tuple[list[int], list[tuple[int, int, str]]]:
    batch = JournalReader(writer.journal_dir).read(writer.epoch, START, closed=closed)
    return [int(r.body) for r in batch.records], [(d.segment, d.offset, d.reason) for d in batch.damage]


def test_a_wrong_byte_in_a_body_loses_that_record_alone(writer: JournalWriter) -> None:
    path = spoil(writer, 1, 38 + FRAME_BYTES, b"X")
    records, damage = read(writer)
    assert records == [1, 3, 4, 5, 6]
    assert damage == [(1, 38, "record 2 has a wrong checksum; it is lost")]
    named = JournalReader(writer.journal_dir).read(writer.epoch).damage[0]
    assert str(named) == f"{path} at byte 38: record 2 has a wrong checksum; it is lost"


def test_a_wrong_length_loses_the_rest_of_its_segment(writer: JournalWriter) -> None:
    spoil(writer, 1, 38, b"\x29")
    records, damage = read(writer)
    assert records == [1, 4, 5, 6]
    assert [(segment, offset) for segment, offset, _ in damage] == [(1, 38), (1, 38)]
    assert "rest of the segment" in damage[0][2]
    assert damage[1][2] == "record 4 follows record 1"


def test_the_last_record_of_a_sealed_segment_is_damaged(writer: JournalWriter) -> None:
    spoil(writer, 1, 2 * 38 + FRAME_BYTES, b"X")
    records, damage = read(writer)
    assert records == [1, 2, 4, 5, 6]
    assert {(segment, offset) for segment, offset, _ in damage} == {(1, 76)}


@pytest.mark.parametrize("kept", [0, 1, 4, 20, 28, 37])
def test_a_cut_tail_of_a_sealed_segment_is_named(writer: JournalWriter, kept: int) -> None:
    path = segment_path(writer.journal_dir, writer.epoch, 1)
    path.write_bytes(path.read_bytes()[: 76 + kept])
    records, damage = read(writer)
    assert records == [1, 2, 4, 5, 6]
    assert damage == [(1, 76, "record 4 follows record 2")]


@pytest.mark.parametrize("kept", [0, 1, 4, 20, 28, 37])
def test_a_cut_tail_of_the_newest_segment_is_waited_for(writer: JournalWriter, kept: int) -> None:
    path = segment_path(writer.journal_dir, writer.epoch, 2)
    whole = path.read_bytes()
    path.write_bytes(whole[: 76 + kept])
    reader = JournalReader(writer.journal_dir)
    batch = reader.read(writer.epoch)
    assert ([int(r.body) for r in batch.records], batch.damage) == ([1, 2, 3, 4, 5], [])
    assert reader.read(writer.epoch, batch.position) == ([], batch.position, [], False)
    path.write_bytes(whole)
    assert [int(r.body) for r in reader.read(writer.epoch, batch.position).records] == [6]


def test_zeros_at_the_end_are_a_cut_tail(writer: JournalWriter) -> None:
    spoil(writer, 2, 76, bytes(38))
    assert read(writer, closed=True) == ([1, 2, 3, 4, 5], [])


def test_a_wrong_length_in_the_newest_segment_is_found_once_it_is_closed(writer: JournalWriter) -> None:
    spoil(writer, 2, 0, b"\xff\xff")
    assert read(writer) == ([1, 2, 3], []), "it looks like a tail that is being written"
    records, damage = read(writer, closed=True)
    assert records == [1, 2, 3]
    assert damage == [(2, 0, "record 4 hides whole records behind it; the rest cannot be read")]


def test_another_epochs_bytes_are_no_records(writer: JournalWriter, tmp_path: Path, new_writer: NewWriter) -> None:
    other = new_writer(tmp_path / "other")
    other.append(1, b"0000000099")
    segment_path(writer.journal_dir, writer.epoch, 2).write_bytes(
        segment_path(other.journal_dir, other.epoch, 1).read_bytes()
    )
    records, damage = read(writer)
    assert records == [1, 2, 3]
    assert damage == [(2, 0, "no record after number 3; the rest of the segment cannot be read")]


def test_a_record_that_was_cut_and_written_again_in_the_next_segment_is_no_damage(writer: JournalWriter) -> None:
    path = segment_path(writer.journal_dir, writer.epoch, 1)
    with path.open("ab") as file:
        file.write(b"\x20\x00\x00")
    assert read(writer) == ([1, 2, 3, 4, 5, 6], [])


def test_reading_goes_on_behind_a_broken_record_at_the_edge_of_a_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    monkeypatch.setattr("fastgate.journal.reader.READ_BYTES", 100)
    writer = new_writer(tmp_path)
    for n in range(1, 30):
        writer.append(1, b"%010d" % n)
    for broken in (3, 9, 28):
        spoil(writer, 1, (broken - 1) * 38 + FRAME_BYTES, b"X")
    records, damage = read(writer)
    assert records == [n for n in range(1, 30) if n not in (3, 9, 28)]
    assert len(damage) == 3
