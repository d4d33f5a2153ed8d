"""Overload sheds and does not collapse: an open loop at half to four times what the gateway may carry."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.openloop import at_rate
from tests.support.plane import KEY, LIMITS, Plane, body, endpoint
from tests.support.sim import SimProcess, running

THINK_S = 0.25
CARRIED = 25
CAPACITY = CARRIED / THINK_S
"""Calls a second: so many in flight, each as long as the provider thinks."""

PHASE_S = 4.0


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimProcess]:
    with running(tmp_path / "sim", "--no-memory-log") as process:
        yield process


def limited(tmp_path: Path, simulator: SimProcess, calls: int) -> Plane:
    limits = msgspec.structs.replace(LIMITS, calls_in_flight=calls)
    return Plane(tmp_path, (endpoint(simulator.url),), limits=limits).start()


def test_calls_beyond_the_limit_are_refused_and_near_it_connections_close(
    tmp_path: Path, simulator: SimProcess
) -> None:
    plane = limited(tmp_path, simulator, 10)
    data = json.dumps(body("[[sim:stall stall_at=4 stall_s=30 tokens=40]]", stream=True)).encode()
    held = []
    try:
        closes = []
        for _ in range(10):
            connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)
            connection.request("POST", "/v1/messages", data, {"x-api-key": KEY})
            answer = connection.getresponse()
            assert answer.status == 200
            closes.append(answer.getheader("connection") == "close")
            held.append((connection, answer))
        assert closes == [False] * 9 + [True]
        refused = plane.message()
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert refused.json()["error"]["type"] == "overloaded_error"
        assert 1 <= int(refused.headers["retry-after"]) <= 4
        assert plane.request("GET", "/healthz").status == 200
        for connection, answer in held:
            answer.close()
            connection.close()
        end = time.monotonic() + 10
        while plane.message().status != 200:
            assert time.monotonic() < end, "not taken again after the others left"
            time.sleep(0.05)
    finally:
        plane.stop()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("P-13", bound="at 4 times capacity at least 80 % of the goodput at capacity; calm within 2 s")
async def test_goodput_holds_at_four_times_capacity(tmp_path: Path, simulator: SimProcess) -> None:
    plane = limited(tmp_path, simulator, CARRIED)
    data = json.dumps(body(f"[[sim:fault stall_head_s={THINK_S}]]")).encode()
    try:
        goodput, shed = {}, {}
        for times in (0.5, 1.0, 2.0, 4.0):
            found = await at_rate(plane.port, data, times * CAPACITY, PHASE_S)
            goodput[times], shed[times] = found.count(200) / PHASE_S, found.count(503)
            assert set(found.seconds) <= {200, 503}, {status: found.count(status) for status in found.seconds}
            assert found.retry_after == found.count(503)
            said = f"{times} x capacity: {goodput[times]:.0f} calls/s good, {shed[times]} shed"
            if shed[times]:
                said += f", shed in {found.quantile(503, 0.5) * 1e3:.1f} ms (median)"
            print(f"{said}, admitted p99 {found.quantile(200, 0.99) * 1e3:.0f} ms")
            if times == 1.0:
                p99_s = found.quantile(200, 0.99)
            if times == 4.0:
                assert found.quantile(200, 0.99) <= 2 * max(p99_s, 2 * THINK_S)
                # A refusal waits for no provider: it is over long before an answer could be.
                assert found.quantile(503, 0.5) < THINK_S / 2
        assert shed[4.0] > 0
        assert goodput[4.0] >= 0.8 * goodput[1.0]
        await at_rate(plane.port, data, 1, 2.0)  # two seconds to recover
        calm = await at_rate(plane.port, data, 0.5 * CAPACITY, PHASE_S)
        assert set(calm.seconds) == {200}
    finally:
        plane.stop()
