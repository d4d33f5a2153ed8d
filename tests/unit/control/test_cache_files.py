"""What commands do with the cache's files after workers have made them larger than they were when first asked for."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from fastgate.caching import disk as disks
from fastgate.caching.disk import Disk
from fastgate.caching.semantic import log_disk
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.note import pack
from fastgate.caching.semantic.settings import SemanticCache
from fastgate.caching.settings import CacheSettings
from fastgate.control.caching import Caching
from fastgate.control.errors import OperationError
from fastgate.control.shapes_cache import NewPurge
from fastgate.state import StateDir
from tests.unit.caching.semantic.test_notes import DIM, note
from tests.unit.caching.test_tiers import MIB, entry, find_of

SMALL = CacheSettings(disk_bytes=16 * MIB, semantic=SemanticCache(entries=16))
LARGE = CacheSettings(disk_bytes=64 * MIB, semantic=SemanticCache(entries=4000))


def fill(folder: Path, answers: int, questions: int) -> None:
    """A worker of the large cache: more than the small one's files hold."""
    disk = Disk(folder, LARGE.disk_bytes)
    disk.write([(find_of(n), entry(n, b"x" * 30_000)) for n in range(answers)], time.time_ns())
    disk.close()
    log = DiskLog(folder / "semantic", 8000, DIM)
    log.append([pack(note(n, text="x" * 900)) for n in range(questions)])
    log.close()


def grow(folder: Path, answers: int, questions: int) -> None:
    """In a process of its own: one process opens a file once."""
    process = multiprocessing.get_context("spawn").Process(target=fill, args=(folder, answers, questions))
    process.start()
    process.join(60)
    assert process.exitcode == 0


class NoTable:
    def spend(self, by: list[str]) -> list[Any]:
        return []


class House:
    def __init__(self, path: Path) -> None:
        self.state = StateDir(path)
        self.settings = SMALL
        table: Any = NoTable()
        self.caching = Caching(self.state, table, lambda: self.settings, lambda change, actor: None)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(disks, "HEADROOM", MIB)
    monkeypatch.setattr(log_disk, "HEADROOM", MIB)
    house = House(tmp_path)
    grow(house.state.cache_dir, 10, 5)
    assert held(house) == (10, 5)
    grow(house.state.cache_dir, 900, 2000)
    yield house
    house.caching.close()


def held(house: House) -> tuple[int, int]:
    stats = house.caching.stats()
    assert stats.store is not None
    assert sum(row.entries for row in stats.items) == stats.store.entries
    return stats.store.entries, sum(row.questions for row in stats.items)


@pytest.mark.parametrize("settings", [SMALL, LARGE], ids=["reloaded later", "reloaded"])
def test_a_cache_that_was_made_larger_is_told(house: House, settings: CacheSettings) -> None:
    house.settings = settings
    assert held(house) == (900, 2005)


@pytest.mark.parametrize("settings", [SMALL, LARGE], ids=["reloaded later", "reloaded"])
def test_a_cache_that_was_made_larger_forgets(house: House, settings: CacheSettings) -> None:
    house.settings = settings
    purged = house.caching.purge(NewPurge(all=True, before="2100-01-01"), "admin")
    assert (purged.entries, purged.questions) == (900, 2005)
    assert held(house) == (0, 0)


def test_sizes_follow_the_configuration(house: House) -> None:
    for settings in (LARGE, SMALL, LARGE):
        house.settings = settings
        assert held(house) == (900, 2005)
        assert house.caching._disk is not None
        assert house.caching._disk.limit == settings.disk_bytes


def test_a_file_that_cannot_be_read_is_a_clear_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise lmdb.CorruptedError("a page is no page")

    monkeypatch.setattr(Disk, "_counts", broken)
    with pytest.raises(OperationError, match="files cannot be used: a page is no page") as refused:
        house.caching.stats()
    assert refused.value.kind == "unusable"
    monkeypatch.undo()
    assert held(house) == (900, 2005), "the next question is answered"
