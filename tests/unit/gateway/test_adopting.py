"""A worker takes a new snapshot over while its loop goes on: nothing that takes long is done there."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fastgate.gateway.worker import Worker
from fastgate.guards import screen
from fastgate.snapshot import GuardRow
from tests.support.plane import Plane, endpoint

BUILD_S = 0.4
"""What making new rules ready takes on a busy machine."""
BLOCKED_S = BUILD_S / 2
"""Were it done on the loop, nothing else would run for longer than this."""


@pytest.mark.promise("P-30", bound="a worker that loads new rules goes on with its calls meanwhile")
def test_the_loop_goes_on_while_new_rules_are_made_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = Plane(tmp_path, (endpoint("http://127.0.0.1:9"),))
    threads: list[int] = []
    build = screen.build

    def slow(*arguments: Any, **named: Any) -> Any:
        threads.append(threading.get_ident())
        time.sleep(BUILD_S)
        return build(*arguments, **named)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        worker = Worker(plane.state, loop)
        try:
            before = worker.snapshot.generation
            monkeypatch.setattr(screen, "build", slow)
            plane.guards = (GuardRow("secrets", "redact"),)
            plane.publish()
            longest, last, deadline = 0.0, loop.time(), loop.time() + 20
            while worker.snapshot.generation == before:
                await asyncio.sleep(0.005)
                longest, last = max(longest, loop.time() - last), loop.time()
                assert last < deadline, "the new snapshot is never in force"
            assert worker.snapshot.guards is not None
            return longest
        finally:
            worker.close()

    thresholds = gc.get_threshold()
    try:
        longest_s = asyncio.run(run())
    finally:  # a worker has its process to itself
        gc.unfreeze()
        gc.set_threshold(*thresholds)
    assert threads and threading.get_ident() not in threads
    assert longest_s < BLOCKED_S
