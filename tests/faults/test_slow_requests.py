"""Slow requests end on time and slow nobody else: heads, bodies and readers, by hand and by slowhttptest."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgate.gateway.deadlines import BODY_GRACE_S
from fastgate.gateway.serve import HEADER_READ_MS
from tests.support.plane import KEY, Plane, endpoint
from tests.support.sim import running

SLACK_S = 8.0
"""Ticks of the watch, and a busy machine."""

LONGEST_S = 60.0
"""What is kept longer was not ended: its test fails instead of waiting for ever."""

ATTACKS = {
    "heads": ["-H", "-i", "5"],
    "bodies": ["-B", "-i", "5", "-s", "8192", "-t", "POST"],
    "readers": ["-X", "-w", "1", "-y", "16", "-n", "5", "-z", "1", "-k", "1"],
}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    with running(tmp_path / "sim") as simulator:
        made = Plane(tmp_path, (endpoint(simulator.url),)).start()
        yield made
        made.stop()


async def lives(port: int, begin: bytes, drip: bytes) -> tuple[float, bytes]:
    """How long a connection is kept that begins so and then sends a little a second, and what it was told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun, told = time.monotonic(), b""
    writer.write(begin)
    try:
        while time.monotonic() - begun < LONGEST_S:
            try:
                async with asyncio.timeout(1.0):
                    data = await reader.read(4096)
                if not data:
                    break
                told += data
            except TimeoutError:
                writer.write(drip)
    except ConnectionError:
        pass
    writer.close()
    return time.monotonic() - begun, told


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("P-12", bound="a head within 10 s; a body within 10 s and 1 KiB/s")
async def test_what_trickles_is_ended_on_time(plane: Plane) -> None:
    start = f"POST /v1/messages HTTP/1.1\r\nhost: t\r\nx-api-key: {KEY}\r\n"
    head, body, chunked, silent = await asyncio.gather(
        lives(plane.port, start.encode(), b"x-a: b\r\n"),
        lives(plane.port, f"{start}content-length: 4096\r\n\r\n".encode(), b"{"),
        lives(plane.port, f"{start}transfer-encoding: chunked\r\n\r\n".encode(), b"1\r\n{\r\n"),
        lives(plane.port, b"", b""),
    )
    assert head[0] <= HEADER_READ_MS / 1000 + SLACK_S
    assert silent[0] <= HEADER_READ_MS / 1000 + SLACK_S
    assert BODY_GRACE_S <= body[0] <= BODY_GRACE_S + 4 + SLACK_S
    assert BODY_GRACE_S <= chunked[0] <= BODY_GRACE_S + 4 + SLACK_S
    for _, told in (body, chunked):
        assert told.startswith(b"HTTP/1.1 408")
    assert plane.message().status == 200


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise("P-12", bound="1,000 slow connections: every other call is served")
@pytest.mark.parametrize("attack", ATTACKS)
def test_slow_connections_slow_nobody_else(plane: Plane, attack: str) -> None:
    tool = shutil.which("slowhttptest")
    if tool is None:
        pytest.skip("slowhttptest is not installed (make peers)")
    alone = [healthy(plane) for _ in range(60)]
    url = f"{plane.url}/v1/messages"
    command = [tool, *ATTACKS[attack], "-c", "1000", "-r", "400", "-l", "12", "-p", "3", "-u", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        beside = []
        while process.poll() is None:
            beside.append(healthy(plane))
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    p95 = {name: sorted(times)[int(0.95 * len(times))] * 1e3 for name, times in (("alone", alone), ("beside", beside))}
    print(f"{attack}: a healthy call takes {p95['alone']:.1f} ms alone and {p95['beside']:.1f} ms beside (p95)")
    assert len(beside) > 40


def healthy(plane: Plane) -> float:
    """Seconds that one good call takes."""
    begun = time.monotonic()
    assert plane.message().status == 200
    return time.monotonic() - begun
