"""With as many workers as processors, a busy worker keeps to one of its own, each to another, and idle ones to none."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastgate.journal.flight import peek
from tests.support.plane import KEY, Plane, endpoint

BODY = b'{"model": "' + b"x" * 4_000_000 + b'"}'
"""Read to its end before it is refused: milliseconds of work that are next to none for who sends it."""

CORES = os.sched_getaffinity(0)
WITHIN_S = 60.0


def places(plane: Plane) -> dict[int, list[int]]:
    """Where each worker may run."""
    pids = [peek(path).pid for path in plane.state.flight_dir.glob("*.flight")]
    return {pid: sorted(os.sched_getaffinity(pid)) for pid in pids}


def until(found: Callable[[], object], wanted: object) -> None:
    deadline = time.monotonic() + WITHIN_S
    while (now := found()) != wanted:
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.skipif(not 2 <= len(CORES) <= 8, reason="one processor is everybody's, and many take much load")
def test_a_busy_worker_keeps_to_a_core_of_its_own(tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint("http://127.0.0.1:1"),), workers=len(CORES), pin=True).start()
    try:
        each_to_its_own(plane)
    finally:
        plane.stop()


def each_to_its_own(plane: Plane) -> None:
    anywhere = dict.fromkeys(places(plane), sorted(CORES))
    until(lambda: places(plane), anywhere)
    enough = threading.Event()
    own: dict[int, list[int]] = {}
    """The last single core of each worker: on a machine with other work they are not all busy at one time."""

    def seen() -> list[list[int]]:
        own.update({pid: cores for pid, cores in places(plane).items() if len(cores) == 1})
        return sorted(own.values())

    def press() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=WITHIN_S)
        while not enough.is_set():
            connection.request("POST", "/v1/messages", BODY, {"x-api-key": KEY})
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (400, True)
            connection.close()  # else those that one worker took at first are all its own to the end

    # More than there are workers: the kernel gives a connection to whichever is quicker to take it.
    threads = [threading.Thread(target=press) for _ in range(4 * len(CORES))]
    for thread in threads:
        thread.start()
    try:
        until(seen, [[core] for core in sorted(CORES)])
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    until(lambda: places(plane), anywhere)
