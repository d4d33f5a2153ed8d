"""Precedence: other threads go first while that is wanted, and are as they were afterwards."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    own, usual, precedence = os.sched_getscheduler(0), slice_ns(other), Precedence()
    nice = os.getpriority(os.PRIO_PROCESS, other)
    precedence.put(False)
    assert os.sched_getscheduler(other) == os.SCHED_BATCH
    precedence.put(True)
    precedence.put(True)
    assert os.sched_getscheduler(other) == os.SCHED_OTHER
    assert slice_ns(other) == (SLICE_NS if usual else None)
    precedence.put(False)
    assert os.sched_getscheduler(other) == os.SCHED_BATCH
    assert slice_ns(other) == usual
    assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, other)) == (own, nice)


def slice_ns(tid: int) -> int | None:
    """Where this kernel tells it."""
    try:
        told = Path(f"/proc/self/task/{tid}/sched").read_text()
    except OSError:
        return None
    found = re.search(r"^se\.slice +: +(\d+)", told, re.MULTILINE)
    return int(found[1]) if found else None
