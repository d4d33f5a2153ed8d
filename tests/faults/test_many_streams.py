"""Many streams open at once, each idle as a model that thinks: all begin, new calls are served, memory is bounded."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.faults.test_slow_clients import resident_bytes
from tests.support.plane import Plane, endpoint
from tests.support.sim import running
from tests.support.streams import Holder

STREAM_BYTES = 64 << 10
"""Resident, for each open stream, both sides and the call's state."""

PER_PROCESS = 7_000
"""Streams of one worker or client: two descriptors each in a worker, and 20,000 are common as the hard limit."""


NEW_CALLS = 300
"""Come while all are open, one after another, each on a connection of its own."""

NEW_CALL_MS = 50
"""What the slowest hundredth of these may take: the register's figure."""


def new_call_ms(plane: Plane) -> float:
    begun = time.monotonic()
    assert plane.message("new").status == 200
    return (time.monotonic() - begun) * 1e3


def hold_open(tmp_path: Path, total: int, processes: int) -> None:
    """`total` streams from `processes` clients through as many workers."""
    with running(tmp_path / "sim", "--no-memory-log", "--workers", str(processes)) as simulator:
        plane = Plane(tmp_path, (endpoint(simulator.url),), workers=processes).start()
        holders: list[Holder] = []
        try:
            for _ in range(20):
                assert plane.message("warm up", stream=True).status == 200
            before = resident_bytes(plane)
            share = total // processes
            holders += [Holder(plane.port, share, f"127.0.0.{number + 2}") for number in range(processes)]
            for holder in holders:
                holder.wait()
                assert holder.told.get("statuses") == {"200": share}, holder.told
            each = (resident_bytes(plane) - before) / (share * processes)
            took_ms = sorted(new_call_ms(plane) for _ in range(NEW_CALLS))
            p99_ms = took_ms[int(NEW_CALLS * 0.99)]
            print(
                f"{share * processes} streams: {each / 1024:.1f} KiB each; a new call takes "
                f"{took_ms[NEW_CALLS // 2]:.1f} ms, p99 {p99_ms:.1f}"
            )
            assert each <= STREAM_BYTES
            assert p99_ms < NEW_CALL_MS
            for holder in holders:
                holder.release()
            plane.wait_idle(within_s=120)
            assert plane.message("after").status == 200
        finally:
            for holder in holders:
                holder.process.kill()
                holder.process.communicate()
            plane.stop()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise(
    "P-14",
    bound=f"8,000 streams in one worker: none refused, 64 KiB resident each, a new call's p99 under {NEW_CALL_MS} ms",
)
def test_eight_thousand_streams(tmp_path: Path) -> None:
    hold_open(tmp_path, 8_000, 1)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.promise("P-14", bound=f"100,000 streams in 15 workers; a new call's p99 under {NEW_CALL_MS} ms")
def test_a_hundred_thousand_streams(tmp_path: Path) -> None:
    total = int(os.environ.get("FASTGATE_SOAK_STREAMS", "100000"))
    hold_open(tmp_path, total, -(-total // PER_PROCESS))
