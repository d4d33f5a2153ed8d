"""A shared file that cannot be read: set aside, counted, begun anew, and noticed by all who have it open."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import lmdb
import msgspec
import pytest

from fastgate.caching import file as files
from fastgate.caching import mark as marks
from fastgate.caching import reopening
from fastgate.caching.answers import Answers
from fastgate.caching.disk import Disk
from fastgate.caching.file import File
from fastgate.caching.mark import ASIDE, OPENING, boot_id, started
from tests.support.plane import CACHE
from tests.unit.caching.test_tiers import MIB, entry, find_of

WAIT_S = 10.0
"""What is waited for comes within milliseconds, or never."""


def filled(path: Path) -> bytes:
    """A file with some entries; its bytes."""
    disk = Disk(path, 16 * MIB)
    disk.write([(find_of(n), entry(n, os.urandom(9000))) for n in range(100)], time.time_ns())
    disk.close()
    return (path / "data.mdb").read_bytes()


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def overwritten(data: bytes) -> bytes:
    return os.urandom(len(data))


def without_its_middle(data: bytes) -> bytes:
    """All pages but the two that describe the file."""
    return data[:8192] + bytes(len(data) - 8192)


def a_few_bytes(_: bytes) -> bytes:
    return b"no database"


@pytest.mark.parametrize("damage", [truncated, overwritten, without_its_middle, a_few_bytes])
def test_a_file_that_cannot_be_read_is_set_aside_and_begun_anew(
    tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    for times in (1, 2):
        damaged = damage(filled(tmp_path))
        (tmp_path / "data.mdb").write_bytes(damaged)
        disk = Disk(tmp_path, 16 * MIB)
        try:
            assert disk.get(find_of(5)) is None
            disk.write([(find_of(7), entry(7))], time.time_ns())
            assert disk.get(find_of(7)) is not None
            assert disk.facts()["set_aside"] == times
        finally:
            disk.close()
        (kept,) = tmp_path.glob(f"{ASIDE}.*")
        assert (kept.name, kept.read_bytes()) == (f"{ASIDE}.{times}", damaged), "one is kept"
    assert caplog.text.count("set aside") == 2


def test_a_file_that_kills_who_opens_it_is_set_aside_by_the_next(tmp_path: Path) -> None:
    """No error of LMDB tells of every damage: what kills a process would kill every one that follows."""
    filled(tmp_path)
    boot = boot_id() + b"\n17\n"
    dead = 2**22 + 5  # above any process id
    (tmp_path / f"open.{dead}").write_bytes(boot)
    disk = Disk(tmp_path, 16 * MIB)
    assert disk.get(find_of(5)) is not None, "it had opened the file, and died of something else"
    disk.close()
    (tmp_path / f"open.{dead}").write_bytes(boot + OPENING)
    disk = Disk(tmp_path, 16 * MIB)
    assert (disk.get(find_of(5)), disk.facts()["set_aside"]) == (None, 1)
    disk.close()


def test_a_number_that_another_process_had_is_no_life(tmp_path: Path) -> None:
    """A container's first process is number 1 again and again: its mark tells the one from the other by its start."""
    filled(tmp_path)
    mark = tmp_path / f"open.{os.getpid()}"
    mark.write_bytes(boot_id() + b"\n" + started(os.getpid()) + b"\n" + OPENING)
    disk = Disk(tmp_path, 16 * MIB)
    assert disk.get(find_of(5)) is not None, "this one lives, and has tried before"
    disk.close()
    mark.write_bytes(boot_id() + b"\n1\n" + OPENING)
    disk = Disk(tmp_path, 16 * MIB)
    assert disk.get(find_of(5)) is None
    disk.close()


@pytest.mark.parametrize("what", ["write", "flush", "open", "stat"])
def test_an_opening_that_fails_costs_nobody_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A full disk or too many open files are no death and no other boot."""
    filled(tmp_path)

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        if what == "write":
            patch.setattr(Path, "write_bytes", full)
        elif what == "flush":
            patch.setattr(marks, "flush", full)
        elif what == "open":
            patch.setattr(files.lmdb, "open", full)
        else:
            patch.setattr(File, "_open", full)
        with pytest.raises(OSError, match="too many"):
            Disk(tmp_path, 16 * MIB)
    assert not list(tmp_path.glob("open.*")) and not list(tmp_path.glob(".open.*"))
    (tmp_path / "open.1").write_bytes(b"half a ma")
    disk = Disk(tmp_path, 16 * MIB)
    assert (disk.get(find_of(5)) is not None, disk.facts()["set_aside"]) == (True, 0)
    disk.close()


async def until(answers: Answers, condition: Callable[[], bool]) -> None:
    """As the worker's watch listens, ten times a second."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        answers.listen()
        await asyncio.sleep(0.01)


async def test_a_worker_goes_on_with_the_file_that_others_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One finds the damage while it reads, and everybody begins anew within a tenth of a second."""
    monkeypatch.setattr(reopening, "PAUSE_MIN_S", 0.1)
    answers = Answers(CACHE, tmp_path, asyncio.get_running_loop())
    try:
        await answers.keep(find_of(1), entry(1))  # type: ignore[misc]  # it has a writer, so a future
        first = answers.disk
        assert first is not None
        first.failed(lmdb.MapFullError())
        answers.listen()
        assert answers.disk is first, "no damage"
        first.failed(lmdb.CorruptedError())
        await until(answers, lambda: answers.disk not in (None, first))
        assert answers.disk is not None
        assert answers.disk.facts()["set_aside"] == 1
        assert len(answers.memory) == 0, "what a purge might have forgotten meanwhile is not known"
        await answers.keep(find_of(2), entry(2))  # type: ignore[misc]
        assert answers.disk.get(find_of(2)) is not None
        answers.disk.failed(lmdb.CorruptedError())
        (tmp_path / "data.mdb").mkdir()
        await until(answers, lambda: answers.disk is None)
        await asyncio.sleep(0.5)
        for _ in range(20):
            answers.listen()
        assert caplog.text.count("cannot be opened anew") == 1, "a change is told, not every attempt"
        assert answers.keep(find_of(3), entry(3)) is None
        assert answers.memory.get(find_of(3)) is not None, "memory is all there is"
        (tmp_path / "data.mdb").rmdir()
        await until(answers, lambda: answers.disk is not None)
    finally:
        answers.close()


async def test_the_loop_goes_on_while_a_file_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(CACHE, tmp_path, asyncio.get_running_loop())
    try:
        first = answers.disk
        assert first is not None
        close = Disk.close
        looked = threading.Event()
        waited: list[bool] = []

        def slow(disk: Disk) -> None:
            waited.append(looked.wait(WAIT_S))
            close(disk)

        monkeypatch.setattr(Disk, "close", slow)
        first.failed(lmdb.CorruptedError())
        answers.listen()
        assert answers.look(Ask(1), time.time_ns(), 0) is None  # type: ignore[arg-type]
        looked.set()
        await until(answers, lambda: answers.disk not in (None, first))
        assert waited == [True], "the old file was closed by who asks, or never"
        monkeypatch.undo()
    finally:
        answers.close()


class Ask:
    def __init__(self, number: int) -> None:
        self.find, self.proof = find_of(number), number.to_bytes(32, "big")


async def test_the_log_of_questions_too(tmp_path: Path) -> None:
    pytest.importorskip("hnswlib")
    from tests.support.semantic import policy_of

    policy = msgspec.structs.replace(CACHE, semantic=policy_of())
    answers = Answers(policy, tmp_path, asyncio.get_running_loop())
    try:
        await until(answers, lambda: answers.semantic is not None)
        before, notes = answers.semantic, answers.notes
        assert notes is not None
        notes.failed(lmdb.PageNotFoundError())
        await until(answers, lambda: answers.notes not in (None, notes))
        assert answers.notes is not None
        await until(answers, lambda: answers.semantic not in (None, before))
        answers.notes.append([b"row"])
        assert answers.notes.last() == 1
    finally:
        answers.close()
