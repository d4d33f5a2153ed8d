"""Precedence: other threads go first while that is wanted, and are as they were afterwards."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgate.gateway import precedence
from fastgate.gateway.precedence import SLICE_NS, Precedence


@pytest.fixture
def other() -> Iterator[int]:
    """A batch thread beside this one."""
    ended, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        ended.wait()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    begun.wait()
    assert thread.native_id is not None
    os.sched_setscheduler(thread.native_id, os.SCHED_BATCH, os.sched_param(0))
    yield thread.native_id
    ended.set()
    thread.join()


def test_others_go_first_and_then_no_more(other: int) -> None:
    own, usual, order = os.sched_getscheduler(0), slice_ns(other), Precedence()
    nice = os.getpriority(os.PRIO_PROCESS, other)
    order.put(False)
    assert os.sched_getscheduler(other) == os.SCHED_BATCH
    order.put(True)
    order.put(True)
    assert os.sched_getscheduler(other) == os.SCHED_OTHER
    assert slice_ns(other) == (SLICE_NS if usual else None)
    order.put(False)
    assert os.sched_getscheduler(other) == os.SCHED_BATCH
    assert slice_ns(other) == usual
    assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, other)) == (own, nice)


def test_a_thread_that_ends_meanwhile_is_passed_over(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at who there is and the look at each."""
    threads = precedence._threads()
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    assert ended.native_id is not None
    monkeypatch.setattr(precedence, "_threads", lambda: [ended.native_id, *threads])
    order = Precedence()
    order.put(True)
    assert os.sched_getscheduler(other) == os.SCHED_OTHER
    order.put(False)
    assert os.sched_getscheduler(other) == os.SCHED_BATCH


def test_where_it_is_not_allowed_that_is_said_once(
    other: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(precedence, "_schedule", refuse)
    order = Precedence()
    for others_first in (True, False, True):
        order.put(others_first)
    assert [record.getMessage() for record in caplog.records] == [
        "a worker's threads keep their places in overload: Operation not permitted"
    ]


def slice_ns(tid: int) -> int | None:
    """Where this kernel tells it."""
    try:
        told = Path(f"/proc/self/task/{tid}/sched").read_text()
    except OSError:
        return None
    found = re.search(r"^se\.slice +: +(\d+)", told, re.MULTILINE)
    return int(found[1]) if found else None
