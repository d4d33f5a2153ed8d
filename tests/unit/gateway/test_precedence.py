"""Precedence: which of a process's threads goes first is what was asked for last."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fastgate.gateway import precedence
from fastgate.gateway.precedence import BUSY, EASY, PRESSED, SLICE_NS, Precedence


@pytest.fixture
def other() -> Iterator[int]:
    """A thread beside this one, both ordinary tasks, as in the end."""
    ordinary()  # a worker that was tested in this process may have left them otherwise
    ended, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        ended.wait()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    begun.wait()
    assert thread.native_id is not None
    yield thread.native_id
    ended.set()
    thread.join()
    ordinary()


def ordinary() -> None:
    for tid in precedence._threads():
        with suppress(ProcessLookupError):
            precedence._schedule(tid, os.SCHED_OTHER, 0)


def policies(other: int) -> tuple[int, int]:
    return os.sched_getscheduler(0), os.sched_getscheduler(other)


ORDERS = {
    EASY: (os.SCHED_OTHER, os.SCHED_OTHER),
    BUSY: (os.SCHED_BATCH, os.SCHED_BATCH),
    PRESSED: (os.SCHED_BATCH, os.SCHED_OTHER),
}


def test_threads_go_in_each_order_after_each(other: int) -> None:
    order, usual = Precedence(), slice_ns(other)
    nice = os.getpriority(os.PRIO_PROCESS, other)
    for before, wanted in itertools.product(ORDERS, repeat=2):
        order.put(before)
        order.put(wanted)
        assert policies(other) == ORDERS[wanted]
        assert slice_ns(other) == (SLICE_NS if usual and wanted == PRESSED else usual)
    assert os.getpriority(os.PRIO_PROCESS, other) == nice


def test_a_thread_that_came_meanwhile_goes_with_the_rest(other: int) -> None:
    order = Precedence()
    order.put(BUSY)
    precedence._schedule(other, os.SCHED_OTHER, 0)
    order.put(PRESSED)
    order.put(BUSY)
    assert policies(other) == ORDERS[BUSY]


def test_a_thread_that_ends_meanwhile_is_passed_over(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at who there is and the look at each."""
    threads = precedence._threads()
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    assert ended.native_id is not None
    monkeypatch.setattr(precedence, "_threads", lambda: [ended.native_id, *threads])
    order = Precedence()
    order.put(BUSY)
    assert policies(other) == ORDERS[BUSY]
    order.put(EASY)
    assert policies(other) == ORDERS[EASY]


def test_where_it_is_not_allowed_that_is_said_once(
    other: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(precedence, "_schedule", refuse)
        order = Precedence()
        for wanted in (BUSY, EASY, PRESSED):
            order.put(wanted)
    assert [record.getMessage() for record in caplog.records] == [
        "a worker's threads keep their order: Operation not permitted"
    ]


def slice_ns(tid: int) -> int | None:
    """Where this kernel tells it."""
    try:
        told = Path(f"/proc/self/task/{tid}/sched").read_text()
    except OSError:
        return None
    found = re.search(r"^se\.slice +: +(\d+)", told, re.MULTILINE)
    return int(found[1]) if found else None
