"""A worker takes a new snapshot over while its loop goes on: nothing that takes long is done there."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fastgate.gateway.worker import BOARD_POLL_S, Worker
from fastgate.guards import screen
from fastgate.snapshot import GuardRow
from tests.support.plane import CACHE, Plane, endpoint
from tests.support.semantic import policy_of
from tests.unit.caching.test_tiers import entry, find_of

BUILD_S = 0.4
"""What making new rules ready takes longer here, so that it is told apart from all else that a loop does."""

WAIT_S = 60.0
"""Compiling takes a second of the processor, which a busy machine has not to give at once."""


def alone(run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """A worker has its process to itself: what it did to the collector is undone."""
    thresholds = gc.get_threshold()
    try:
        return asyncio.run(run())
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


@pytest.mark.promise("P-30", bound="a worker that loads new rules goes on with its calls meanwhile")
def test_the_loop_goes_on_while_new_rules_are_made_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = Plane(tmp_path, (endpoint("http://127.0.0.1:9"),))
    threads: list[int] = []
    took_s: list[float] = []
    build = screen.build

    def slow(*arguments: Any, **named: Any) -> Any:
        begun = time.monotonic()
        threads.append(threading.get_ident())
        time.sleep(BUILD_S)
        made = build(*arguments, **named)
        took_s.append(time.monotonic() - begun)
        return made

    async def run() -> float:
        loop = asyncio.get_running_loop()
        worker = Worker(plane.state, loop)
        try:
            before = worker.snapshot.generation
            monkeypatch.setattr(screen, "build", slow)
            plane.guards = (GuardRow("secrets", "redact"),)
            plane.publish()
            longest, last, deadline = 0.0, loop.time(), loop.time() + WAIT_S
            while worker.snapshot.generation == before:
                await asyncio.sleep(0.005)
                longest, last = max(longest, loop.time() - last), loop.time()
                assert last < deadline, "the new snapshot is never in force"
            assert worker.snapshot.guards is not None
            return longest
        finally:
            worker.close()

    longest_s = alone(run)
    assert threads and threading.get_ident() not in threads
    assert (
        longest_s < took_s[0] / 2
    )  # were it done on the loop, or with the interpreter's lock held, it would be all of it


class Ask:
    """The key of an answer of test_tiers."""

    def __init__(self, number: int) -> None:
        self.find, self.proof = find_of(number), number.to_bytes(32, "big")


@pytest.mark.parametrize("bad", ["variable", "file"])
def test_a_cache_that_cannot_be_opened_leaves_the_one_in_force(tmp_path: Path, bad: str) -> None:
    first = CACHE if bad == "variable" else msgspec.structs.replace(CACHE, store="redis://127.0.0.1:9/0")
    plane = Plane(tmp_path, (endpoint("http://127.0.0.1:9"),), cache=first)

    async def run() -> None:
        worker = Worker(plane.state, asyncio.get_running_loop())
        try:
            before, answers = worker.snapshot, worker.cached
            if bad == "variable":
                plane.cache = msgspec.structs.replace(CACHE, store="${NO_SUCH_VARIABLE}")
            else:
                (plane.state.cache_dir / "data.mdb").mkdir(parents=True)
                plane.cache = CACHE
            plane.endpoints = (endpoint("http://127.0.0.1:10"),)
            plane.publish()
            with pytest.raises((OSError, ValueError)):
                worker.adopt(worker.load())
            assert worker.snapshot is before
            assert worker.cached is answers
            assert worker.upstreams.pool(before.endpoints[0], before.limits).port == 9
            if answers.disk is not None:
                await answers.keep(find_of(1), entry(1))  # type: ignore[misc]  # it has a writer, so a future
                answers.memory.drop(find_of(1))
                assert answers.look(Ask(1), time.time_ns(), 0) is not None  # type: ignore[arg-type]
        finally:
            worker.close()

    alone(run)


def test_a_refused_snapshot_is_tried_again_now_and_then_and_a_newer_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plane = Plane(tmp_path, (endpoint("http://127.0.0.1:9"),))

    async def run() -> None:
        worker = Worker(plane.state, asyncio.get_running_loop())

        async def adopted() -> None:
            deadline = time.monotonic() + 2  # sooner than a refused one is tried again
            while worker.snapshot.generation != plane.generation:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

        try:
            plane.cache = msgspec.structs.replace(CACHE, store="${CACHE_OF_THIS_TEST}")
            plane.publish()
            await asyncio.sleep(12 * BOARD_POLL_S)
            assert ["cannot be read" in message for message in caplog.messages] == [True]
            plane.cache = None
            plane.publish()
            await adopted()
            monkeypatch.setattr("fastgate.gateway.worker.REFUSED_S", 0.2)
            plane.cache = msgspec.structs.replace(CACHE, store="${CACHE_OF_THIS_TEST}")
            plane.publish()
            await asyncio.sleep(4 * BOARD_POLL_S)
            monkeypatch.setenv("CACHE_OF_THIS_TEST", "redis://127.0.0.1:9/0")
            await adopted()
        finally:
            worker.close()

    alone(run)


def test_other_sizes_keep_what_is_there(tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint("http://127.0.0.1:9"),), cache=CACHE)

    async def run() -> None:
        worker = Worker(plane.state, asyncio.get_running_loop())
        try:
            await worker.cached.keep(find_of(1), entry(1))  # type: ignore[misc]  # as above
            smaller = CACHE.disk_bytes // 2
            for disk_bytes, entries in ((smaller, None), (2 * smaller, 1000), (smaller, 3000), (smaller, None)):
                semantic = None if entries is None else policy_of(entries=entries)
                plane.cache = msgspec.structs.replace(CACHE, disk_bytes=disk_bytes, semantic=semantic)
                plane.publish()
                worker.adopt(worker.load())
                answers = worker.cached
                assert answers.disk is not None and answers.disk.limit == disk_bytes
                deadline = time.monotonic() + 10  # what it needs is loaded beside the loop
                while entries is not None and answers.semantic is None:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)
                assert entries is not None or answers.semantic is None
                assert answers.look(Ask(1), time.time_ns(), 0) is not None  # type: ignore[arg-type]
                await answers.keep(find_of(2), entry(2))  # type: ignore[misc]
        finally:
            worker.close()

    alone(run)
