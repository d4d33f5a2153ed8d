"""Clients that vanish: nothing tells the gateway but time."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from tests.support.far import far
from tests.support.plane import KEY, LIMITS, Plane, body, endpoint
from tests.support.raw import post
from tests.support.sim import SimProcess

IDLE_S = 3.0
KERNEL_S = 2.0
"""Its timers are coarse: a connection is given up at the first retransmission or probe after the time is over."""

GAPS_MS = (20, 200, 1_000)
"""Between the events of a stream."""

CLIENTS = 9


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("P-05", bound="clients that vanish without a packet: let go within limits.idle_s, and charged")
def test_a_client_that_vanishes_cancels_the_upstream_and_is_charged(tmp_path: Path, upstream: SimProcess) -> None:
    upstream.fresh()
    limits = msgspec.structs.replace(LIMITS, idle_s=IDLE_S, ping_s=30.0)
    with far() as there, ExitStack() as kept:
        plane = Plane(tmp_path, (endpoint(upstream.url),), limits=limits, host=there.here).start()
        try:
            time.sleep(1.5)  # a worker tells its socket within a second
            clients = [kept.enter_context(there.connect(plane.port)) for _ in range(CLIENTS)]
            for n, client in enumerate(clients):
                asked = f"[[sim:text tokens=2000 gap_ms={GAPS_MS[n % len(GAPS_MS)]}]]"
                client.sendall(post(body(asked, stream=True), x_api_key=KEY))
            for client in clients:
                client.settimeout(10)
                seen = b""
                while seen.count(b"\nevent: content_block_delta") < 1:
                    seen += client.recv(65_536)
            begun_ns = time.monotonic_ns()
            there.vanish()
            calls = upstream.settled(CLIENTS, IDLE_S + KERNEL_S + 3)
            late_s = [(call.ended.gone_ns - begun_ns) / 1e9 for call in calls if call.ended is not None]
            print(f"let go after {min(late_s):.1f} to {max(late_s):.1f} s")
            assert all(call.ended and call.ended.outcome == "client_gone" for call in calls)
            assert max(late_s) <= IDLE_S + KERNEL_S
            plane.wait_idle()
            records = plane.records()
            assert [record.outcome for record in records] == ["client_gone"] * CLIENTS
            assert all(record.cost_nano > 0 for record in records)
        finally:
            plane.stop()
