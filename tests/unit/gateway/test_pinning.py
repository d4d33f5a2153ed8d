"""Pinning: a busy process has a core of its own, with all its threads, and lets go of it when there is little to do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from fastgate.gateway import pinning
from fastgate.gateway.pinning import CORE_ENV, Pinning, cores

ANYWHERE = os.sched_getaffinity(0)
CORE = max(ANYWHERE)

pytestmark = pytest.mark.skipif(len(ANYWHERE) < 2, reason="one core is everybody's")


@pytest.fixture
def other() -> Iterator[int]:
    """A thread beside this one."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, daemon=True)
    thread.start()
    assert thread.native_id is not None
    yield thread.native_id
    ended.set()
    thread.join()
    for tid in os.listdir("/proc/self/task"):
        pinning._put(int(tid), ANYWHERE)


class Clocks:
    """Time, and the processor time that was used of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = self.used_ns = 0
        monkeypatch.setattr(pinning, "mono_ns", lambda: self.now_ns)
        monkeypatch.setattr(time, "process_time_ns", lambda: self.used_ns)

    def go(self, pin: Pinning, share: float) -> None:
        self.now_ns += 100_000_000
        self.used_ns += int(share * 100_000_000)
        pin.look()


def places(other: int) -> list[set[int]]:
    return [os.sched_getaffinity(0), os.sched_getaffinity(other)]


def test_a_busy_process_takes_its_core_and_an_idle_one_gives_it_up(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks, pin = Clocks(monkeypatch), Pinning(CORE)
    for share, pinned in [(0.4, False), (0.6, True), (0.9, True), (0.3, True), (0.2, False), (0.4, False), (0.6, True)]:
        clocks.go(pin, share)
        assert (pin.busy, pin.pinned) == (pinned, pinned)
        assert places(other) == [{CORE} if pinned else ANYWHERE] * 2


def test_without_a_core_nothing_moves(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    monkeypatch.delenv(CORE_ENV, raising=False)
    pin = Pinning.from_environ()
    clocks.go(pin, 1.0)
    assert pin.busy
    assert places(other) == [ANYWHERE] * 2


def test_where_it_is_not_allowed_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setenv(CORE_ENV, str(CORE))
    clocks, pin = Clocks(monkeypatch), Pinning.from_environ()
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    clocks.go(pin, 1.0)
    clocks.go(pin, 0.0)
    clocks.go(pin, 1.0)
    assert [record.message for record in caplog.records] == [
        "a busy worker keeps to no core of its own: Operation not permitted"
    ]


def test_what_was_moved_is_moved_back(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    put, moved = os.sched_setaffinity, []

    def refuse_the_second(tid: int, where: set[int]) -> None:
        if where == {CORE}:
            moved.append(tid)
            if len(moved) == 2:
                raise OSError(22, "Invalid argument")
        put(tid, where)

    clocks, pin = Clocks(monkeypatch), Pinning(CORE)
    monkeypatch.setattr(os, "sched_setaffinity", refuse_the_second)
    clocks.go(pin, 1.0)
    clocks.go(pin, 1.0)
    assert len(moved) == 2
    assert places(other) == [ANYWHERE] * 2
    assert not pin.pinned


@pytest.mark.parametrize("quota", [0.0, 1.5])
def test_cores_are_given_where_there_is_one_for_each_worker(quota: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 7})
    monkeypatch.setattr(pinning, "usable_cpus", lambda: 2 if quota else 3)
    assert cores(3) == (() if quota else (1, 3, 7))
    assert cores(2) == cores(4) == ()
