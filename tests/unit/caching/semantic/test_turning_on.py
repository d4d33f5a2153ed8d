"""The semantic cache turned on where calls are served: what it needs is loaded while the loop goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fastgate.caching import answers as tiers
from fastgate.caching.answers import Answers
from fastgate.caching.semantic import build
from fastgate.caching.semantic.embedder import StaticEmbedder
from fastgate.caching.semantic.model_folder import ModelError
from tests.support.plane import CACHE
from tests.support.semantic import CACHE_ON, cache_with
from tests.unit.caching.test_set_aside import until


def loading_while_the_loop_runs(monkeypatch: pytest.MonkeyPatch, gate: threading.Event | None = None) -> list[int]:
    """Threads that loaded. Each waits for a turn of the loop: one that blocked it would wait in vain."""
    loop, load, threads = asyncio.get_running_loop(), tiers.load_semantic, []

    def loaded(policy: Any) -> Any:
        threads.append(threading.get_ident())
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        assert turned.wait(20), "the loop stands still"
        assert gate is None or gate.wait(20)
        return load(policy)

    monkeypatch.setattr(tiers, "load_semantic", loaded)
    return threads


async def test_the_loop_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    threads = loading_while_the_loop_runs(monkeypatch, gate)
    before = Answers(CACHE, tmp_path, asyncio.get_running_loop())
    made = Answers(CACHE_ON, tmp_path, asyncio.get_running_loop(), before=before)
    for _ in range(20):
        made.listen()
        assert made.semantic is None, "calls are misses meanwhile"
        await asyncio.sleep(0.001)
    gate.set()
    await until(made, lambda: made.semantic is not None)
    assert threads and threading.get_ident() not in threads
    made.close()


async def test_turned_off_before_it_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And on again: what was loaded for nobody is given up, and the file has one owner."""
    gate = threading.Event()
    loading_while_the_loop_runs(monkeypatch, gate)
    loop = asyncio.get_running_loop()
    first = Answers(CACHE_ON, tmp_path, loop)
    off = Answers(CACHE, tmp_path, loop, before=first)
    again = Answers(cache_with(entries=50), tmp_path, loop, before=off)
    gate.set()
    await until(again, lambda: again.semantic is not None)
    assert first.semantic is None
    assert first.notes is None
    assert off.semantic is None
    assert again.notes is not None
    again.notes.append([b"row"])
    again.close()


async def test_what_cannot_be_loaded_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(policy: Any) -> Any:
        raise ModelError("there is no model.onnx")

    monkeypatch.setattr(tiers, "load_semantic", fails)
    made = Answers(CACHE_ON, tmp_path, asyncio.get_running_loop())
    await until(made, lambda: "there is no model.onnx" in caplog.text)
    assert "the semantic cache is off" in caplog.text
    assert made.semantic is None
    assert made.disk is not None
    made.close()


async def test_a_log_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fastgate.caching.reopening.PAUSE_MIN_S", 0.01)
    (tmp_path / "semantic").write_text("a file where the folder goes")
    made = Answers(CACHE_ON, tmp_path, asyncio.get_running_loop())
    end = time.monotonic() + 10
    while "tried again" not in caplog.text:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    assert made.semantic is None
    (tmp_path / "semantic").unlink()
    await until(made, lambda: made.semantic is not None)
    assert made.notes is not None
    made.close()


class Watched(StaticEmbedder):
    """Says whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Loads:
    """Stands in the way of loads, one gate each, and of the log that is opened in a thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gates = [threading.Event(), threading.Event()]
        self.made: list[Watched] = []
        self.log = threading.Event()
        self.opening: list[int] = []
        self._log_of = build.log_of
        monkeypatch.setattr(tiers, "load_semantic", self._load)
        monkeypatch.setattr(build, "log_of", self._open)

    def _load(self, policy: Any) -> build.Embedders:
        made, gate = Watched(), self.gates[len(self.made)]
        self.made.append(made)
        assert gate.wait(20)
        return build.Embedders(made, made)

    def _open(self, *args: Any) -> Any:
        self.opening.append(threading.get_ident())
        assert self.log.wait(20)
        return self._log_of(*args)


@pytest.mark.parametrize("late", [False, True])
async def test_a_log_that_is_gone_while_another_load_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """That load's result is given up, whether it comes before the log is open again or after the next load: one opens
    the file, one finds, and what is not used is closed."""
    loop = asyncio.get_running_loop()
    first = Answers(CACHE_ON, tmp_path, loop)
    await until(first, lambda: first.semantic is not None)
    loads = Loads(monkeypatch)
    made = Answers(cache_with(entries=50), tmp_path, loop, before=first)
    await until(made, lambda: len(loads.made) == 1)
    assert made.notes is not None
    made.notes._file.condemn("a test")
    await until(made, lambda: len(loads.opening) == 1)
    if not late:
        loads.gates[0].set()
        await until(made, lambda: loads.made[0].closed)
        assert made.semantic is None
    loads.log.set()
    loads.gates[1].set()
    await until(made, lambda: made.semantic is not None)
    found = made.semantic
    loads.gates[0].set()
    await until(made, lambda: loads.made[0].closed)
    assert made.semantic is found
    assert found is not None
    assert found.embedder is loads.made[1]
    assert len(loads.opening) == 1
    assert threading.get_ident() not in loads.opening
    made.close()
    assert loads.made[1].closed
