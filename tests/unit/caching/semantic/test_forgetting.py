"""What is purged is in no file of saved graphs either, and saving them harms nobody where it fails."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastgate.caching.semantic import build, graphs, replay
from fastgate.caching.semantic import shelf as shelves
from fastgate.caching.semantic.folder import MANIFEST
from fastgate.caching.semantic.graphs import Graphs
from fastgate.caching.semantic.log_disk import DiskLog
from fastgate.caching.semantic.log_redis import RedisLogAdmin, RedisReader
from fastgate.caching.semantic.note import pack
from fastgate.caching.semantic.settings import SemanticCache
from fastgate.caching.settings import CacheSettings
from fastgate.control import background
from fastgate.control.background import GRAPHS_RETRY_S, Dispensable, _repeat
from fastgate.control.caching import Caching
from fastgate.control.errors import OperationError
from fastgate.control.shapes_cache import NewPurge
from fastgate.state import StateDir
from tests.support.redis import redis_server
from tests.unit.caching.semantic.test_graphs import held, never, read
from tests.unit.caching.semantic.test_notes import DIM, note, notes
from tests.unit.caching.test_tiers import MIB, blocking

ROWS = 40

WAIT_S = 20.0
"""What another thread may take on a busy machine."""


@pytest.fixture(autouse=True)
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "FLAT_MAX", 8)
    monkeypatch.setattr(replay, "SAVED_ROWS", ROWS)
    monkeypatch.setattr(build, "notes_of", lambda policy: notes())


def settings(mode: Any) -> CacheSettings:
    return CacheSettings(disk_bytes=16 * MIB, semantic=SemanticCache(mode=mode, entries=1000))


class House:
    """A control plane's cache of one state directory, with the questions of two tenants."""

    def __init__(self, path: Path) -> None:
        self.state = StateDir(path)
        self.folder = self.state.cache_dir / "semantic" / "graphs"
        self.settings = settings("on")
        table: Any = None
        self.caching = Caching(self.state, table, lambda: self.settings, lambda change, actor: None)
        log = DiskLog(self.state.cache_dir / "semantic", 2000, DIM)
        log.append([pack(note(n, org="acme" if n % 2 else "other", started_ns=1)) for n in range(ROWS)])
        log.close()

    def files(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.iterdir())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.caching.close()


ACME, NOBODY = NewPurge(org="acme"), NewPurge(org="nobody")


@pytest.mark.parametrize("purge", [ACME, NOBODY], ids=["some", "none any more"])
@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_purge_leaves_no_graph(house: House, mode: str, purge: NewPurge) -> None:
    assert house.caching.save_graphs(never)
    assert b"acme" in house.files()
    house.settings = settings(mode)
    house.caching.purge(purge, "admin")
    assert list(house.folder.iterdir()) == []
    house.settings = settings("on")
    assert house.caching.save_graphs(never) == (purge is NOBODY), "what is left is saved when there is enough"


def test_graphs_that_were_being_saved_are_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that saves has read every row when the purge comes."""
    read_all = replay.replay
    purging = threading.Thread(target=house.caching.purge, args=(ACME, "admin"))

    def read_and_wait(reader: Any, like: Any, graphs: Any, stopping: Callable[[], bool]) -> Any:
        found = read_all(reader, like, graphs, stopping)
        purging.start()
        until = time.monotonic() + WAIT_S
        while not stopping() and time.monotonic() < until:
            time.sleep(0.001)
        assert stopping(), "it is not worked on for nothing"
        assert purging.is_alive(), "it waits for this thread, and clears what it may have written"
        return found

    monkeypatch.setattr(replay, "replay", read_and_wait)
    assert not house.caching.save_graphs(never)
    purging.join(WAIT_S)
    assert not purging.is_alive()
    assert not house.folder.exists() or b"acme" not in house.files()


def test_what_cannot_be_cleared_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert house.caching.save_graphs(never)

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", broken)
        with pytest.raises(OperationError, match=r"still in .*/graphs, which cannot be cleared: .*Read-only"):
            house.caching.purge(ACME, "admin")
    house.caching.purge(ACME, "admin")
    assert list(house.folder.iterdir()) == []


def test_graphs_are_cleared_after_a_purge_of_another_gateway(tmp_path: Path) -> None:
    """Or of a process that died before it came to them: the log says so."""
    with redis_server(tmp_path) as server:
        connection = blocking(server)
        log, admin, kept = RedisReader(connection), RedisLogAdmin(connection), Graphs(tmp_path / "graphs")
        for n in range(ROWS):
            connection.ask("XADD", "fgc:notes", "*", "r", pack(note(n)))
        assert replay.save_where_due(log, notes(), kept, never)
        assert not replay.save_where_due(log, notes(), kept, never)
        assert (kept.directory / MANIFEST).exists()
        assert admin.drop(lambda row: row.find == (7).to_bytes(16, "big")) == 1
        assert not replay.save_where_due(log, notes(), kept, never), "there are too few rows"
        assert list(kept.directory.iterdir()) == []
        connection.ask("XADD", "fgc:notes", "*", "r", pack(note(ROWS)))

        def purged_meanwhile() -> bool:
            if not purged:
                purged.append(admin.drop(lambda row: row.find == (8).to_bytes(16, "big")))
            return False

        purged: list[int] = []
        assert not replay.save_where_due(log, notes(), kept, purged_meanwhile)
        assert purged == [1]
        assert list(kept.directory.iterdir()) == [], "what it read is of before"
        connection.close()


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def cut(save: Callable[..., int]) -> Callable[..., int]:
    """A disk that fills while hnswlib writes, which does not look."""

    def write(shelf: Any, path: str) -> int:
        size = save(shelf, path)
        os.truncate(path, size // 2)
        return size

    return write


@pytest.mark.parametrize("where", ["manifest", "mode", "sync", "graph"])
def test_a_save_that_fails_leaves_the_folder_as_it_was(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, kept = DiskLog(tmp_path / "log", 1000, DIM), Graphs(tmp_path / "graphs")
    log.append([pack(note(n)) for n in range(ROWS)])
    assert replay.save_where_due(log, notes(), kept, never)
    before = {path: path.read_bytes() for path in kept.directory.iterdir()}
    log.append([pack(note(n)) for n in range(ROWS, 3 * ROWS)])
    with monkeypatch.context() as patch:
        if where == "manifest":
            patch.setattr(graphs, "write_whole", full)
        elif where == "graph":
            patch.setattr(shelves.Shelf, "write_graph", cut(shelves.Shelf.write_graph))
        else:
            patch.setattr(os, {"mode": "chmod", "sync": "fsync"}[where], full)
        with pytest.raises(OSError, match=r"No space left|not be written whole"):
            replay.save_where_due(log, notes(), kept, never)
    assert {path: path.read_bytes() for path in kept.directory.iterdir()} == before
    assert replay.save_where_due(log, notes(), kept, never)
    assert held(read(log, kept)) == held(read(log, None))
    log.close()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("index"), MemoryError()], ids=repr)
def test_a_failure_ends_nothing_and_is_left_alone_for_long(
    error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()
    attempts: list[int] = []

    def step() -> None:
        attempts.append(1)
        tried.set()
        raise error

    patient = Dispensable(step, "it cannot be saved", GRAPHS_RETRY_S)

    async def repeated() -> None:
        task = asyncio.create_task(_repeat(patient, 0.0))
        await asyncio.to_thread(tried.wait, WAIT_S)
        await asyncio.wait([task], timeout=0.1)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(repeated())
    assert len(attempts) == 1
    assert caplog.text.count("it cannot be saved") == 1
    later_ns = background.mono_ns() + int(GRAPHS_RETRY_S * 1e9)
    monkeypatch.setattr(background, "mono_ns", lambda: later_ns)
    patient()
    assert len(attempts) == 2
