"""Nothing leaks: calls in every outcome, and then the worker has the descriptors and the memory that it had before."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path

import psutil
import pytest

from tests.support.plane import KEY, Plane, body, endpoint
from tests.support.sim import running

PROMPTS = [
    ("hello", False), ("hello", True), ("[[sim:error status=529]]", False), ("[[sim:error status=500]]", True),
    ("[[sim:sse-error error_at=3 tokens=20]]", True), ("[[sim:cut cut=rst cut_bytes=0]]", False),
    ("[[sim:usage usage_form=missing]]", True), ("[[sim:garbage]]", True),
]  # fmt: skip
BROKEN = [b"{", b'{"model":"a","model":"b"}', b'{"model":"' + b"m" * 300 + b'"}']
WARM_CALLS = 3_000
SLACK_BYTES = 4 << 20
"""Allocators keep some; a leak of one object a call is more within the shortest form."""


def one(plane: Plane, number: int) -> None:
    """A call of the next kind, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=20)
    kind = number % (len(PROMPTS) + len(BROKEN))
    if kind < len(PROMPTS):
        prompt, stream = PROMPTS[kind]
        data = json.dumps(body(prompt, stream)).encode()
    else:
        data = BROKEN[kind - len(PROMPTS)]
    try:
        connection.request("POST", "/v1/messages", data, {"x-api-key": KEY if number % 13 else "nobody"})
        connection.getresponse().read()
    except (http.client.HTTPException, ConnectionError):
        pass
    finally:
        connection.close()


def run(tmp_path: Path, calls: int) -> None:
    with running(tmp_path / "sim", "--no-memory-log") as simulator:
        plane = Plane(tmp_path, (endpoint(simulator.url),)).start()
        try:
            assert plane.process is not None
            (worker,) = psutil.Process(plane.process.pid).children()
            for number in range(WARM_CALLS):
                one(plane, number)
            plane.wait_idle()
            fds, resident = worker.num_fds(), worker.memory_info().rss
            for number in range(calls):
                one(plane, number)
            plane.wait_idle()
            grown = worker.memory_info().rss - resident
            print(f"{calls} calls: {grown / 1024:.0f} KiB more, {worker.num_fds() - fds} descriptors more")
            assert abs(worker.num_fds() - fds) <= 4  # idle connections to the upstream, a new journal segment
            assert grown <= SLACK_BYTES + calls  # one byte a call
        finally:
            plane.stop()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("P-29", bound="10,000 calls in all outcomes: at most 4 MiB and 4 descriptors more")
def test_ten_thousand_calls_leave_nothing_behind(tmp_path: Path) -> None:
    run(tmp_path, 10_000)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.promise("P-29", bound="a million calls: at most 1 KiB more for a thousand")
def test_a_million_calls_leave_nothing_behind(tmp_path: Path) -> None:
    run(tmp_path, int(os.environ.get("FASTGATE_SOAK_CALLS", "1000000")))
