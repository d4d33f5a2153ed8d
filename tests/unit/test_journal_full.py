"""A full or broken disk: the error says so, the file stays readable, and writing goes on when the disk does."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastgate._core.segment import append
from fastgate.journal import JournalBroken, JournalFull, JournalReader
from fastgate.journal.format import segments_of
from tests.support.flights import NewWriter

FILE_LIMIT_BYTES = 32 * 128 + 60

WRITE_UNTIL_FULL = """
import resource, sys
from pathlib import Path
from fastgate.journal import JournalFull, JournalWriter

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
writer = JournalWriter.create(Path(sys.argv[1]))
failures = 0
for n in range(100):
    try:
        writer.append(1, b"%04d" % n + b"." * 96)
    except JournalFull as error:
        failures += 1
        assert error.filename and error.errno
writer.append(1, b"small enough for what is left")
print(writer.epoch, writer.sequence, failures)
"""


def test_a_file_size_limit_cuts_no_record(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITE_UNTIL_FULL, str(tmp_path), str(FILE_LIMIT_BYTES)],
        env={"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    epoch, written, failures = done.stdout.split()
    fits = FILE_LIMIT_BYTES // 128
    assert (int(written), int(failures)) == (fits + 1, 100 - fits)
    batch = JournalReader(tmp_path).read(epoch, closed=True)
    assert batch.damage == []
    assert [record.body[:4] for record in batch.records[:-1]] == [b"%04d" % n for n in range(fits)]
    assert batch.records[-1].body.startswith(b"small")


def test_a_descriptor_that_cannot_be_truncated_is_given_up(tmp_path: Path, new_writer: NewWriter) -> None:
    writer = new_writer(tmp_path)
    writer.append(1, b"before")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._fd)
    os.close(full)
    with pytest.raises(JournalBroken, match="No space left") as caught:
        writer.append(1, b"lost")
    assert caught.value.errno == errno.ENOSPC
    writer.append(1, b"after")
    assert segments_of(tmp_path, writer.epoch) == [1, 2]
    batch = JournalReader(tmp_path).read(writer.epoch)
    assert ([record.body for record in batch.records], batch.damage) == ([b"before", b"after"], [])


def test_a_failed_sync_leaves_the_segment_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    writer = new_writer(tmp_path, fsync="always")
    writer.append(1, b"a")

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        with pytest.raises(JournalBroken, match="sync failed"):
            writer.append(1, b"b")
    writer.append(1, b"b")
    batch = JournalReader(tmp_path).read(writer.epoch)
    assert [record.body for record in batch.records] == [b"a", b"b", b"b"], "written for sure, perhaps twice"
    assert batch.damage == []


def test_no_room_for_a_new_segment_is_told_and_the_open_one_serves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = new_writer(tmp_path, segment_bytes=40)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(JournalFull, match="no new journal segment"):
            writer.append(1, b"0123456789")
    writer.append(1, b"0123456789")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        writer.append(1, b"0123456789")
    assert writer.segment == 1
    writer.append(1, b"0123456789")
    assert writer.segment == 2
    assert len(list(JournalReader(tmp_path).records(writer.epoch))) == 3


def test_a_write_that_failed_is_written_again_whatever_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    """A network's file system may tell of an error when the file has grown: what is there cannot be known."""
    writer = new_writer(tmp_path)

    def late(*args: Any) -> int:
        append(*args)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("fastgate.journal.writer._write", late)
        with pytest.raises(JournalBroken, match="Input/output"):
            writer.extend(1, [b"a", b"b"])
    assert writer.extend(1, [b"a", b"b"]) == 2
    assert segments_of(tmp_path, writer.epoch) == [1, 2]
    batch = JournalReader(tmp_path).read(writer.epoch)
    assert ([record.body for record in batch.records], batch.damage) == ([b"a", b"b", b"a", b"b"], [])


def test_what_a_short_write_kept_is_on_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_writer: NewWriter
) -> None:
    writer = new_writer(tmp_path, fsync="always")
    synced: list[int] = []

    def short(fd: int, kind: int, node: int, epoch: int, sequence: int, bodies: list[bytes]) -> int:
        return append(fd, kind, node, epoch, sequence, bodies[:1]) + os.write(fd, b"torn")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("fastgate.journal.writer._write", short)
        patch.setattr(os, "ftruncate", refuse)
        patch.setattr(os, "fdatasync", synced.append)
        assert writer.extend(1, [b"a", b"b"]) == 1
    assert synced
