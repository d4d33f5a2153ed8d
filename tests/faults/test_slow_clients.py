"""A client that stops reading costs a bounded amount of memory, and pauses only its own upstream."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.support.plane import KEY, Plane, body, endpoint
from tests.support.sim import running
from tests.support.tls import certificate

STREAM_BYTES = 50 << 20
PER_CLIENT_BYTES = 256 << 10
"""One read of upstream's; what was sent and not acknowledged is the kernel's. 40 to 80 KiB when this was written."""

SLACK_BYTES = 20 << 20
"""What the worker's own heap grows by under any hundred connections."""


def begin(plane: Plane) -> socket.socket:
    """Ask for a stream of STREAM_BYTES, read its first bytes, then never read again."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", plane.port))
    if plane.tls is not None:
        client = plane.tls_context().wrap_socket(client, server_hostname="localhost")
    prompt = f"[[sim:text tokens={STREAM_BYTES // 4} delta_chars=4096]]"
    data = json.dumps(body(prompt, stream=True)).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(data)}\r\n\r\n"
    client.sendall(head.encode() + data)
    assert client.recv(64).startswith(b"HTTP/1.1 200")
    return client


def resident_bytes(plane: Plane) -> int:
    assert plane.process is not None
    return sum(child.memory_info().rss for child in psutil.Process(plane.process.pid).children(recursive=True))


@pytest.mark.faults
@pytest.mark.promise("P-11", bound="200 clients: 256 KiB each and 20 MiB for all")
@pytest.mark.parametrize(
    ("stalled", "tls"),
    [
        pytest.param(50, False, id="plain"),
        pytest.param(200, False, id="200-plain", marks=pytest.mark.slow),
        pytest.param(200, True, id="200-tls", marks=pytest.mark.slow),
    ],
)
def test_memory_per_stalled_client_is_bounded(tmp_path: Path, stalled: int, tls: bool) -> None:
    with running(tmp_path / "sim", "--no-memory-log") as simulator:
        plane = Plane(tmp_path, (endpoint(simulator.url),), tls=certificate(tmp_path) if tls else None).start()
        try:
            plane.message("warm up", stream=True)
            before = resident_bytes(plane)
            clients = [begin(plane) for _ in range(stalled)]
            peak, still = 0, 0
            deadline = time.monotonic() + 30
            while still < 10 and time.monotonic() < deadline:  # a second without growth: every upstream is paused
                now = resident_bytes(plane)
                still = still + 1 if now <= peak else 0
                peak = max(peak, now)
                time.sleep(0.1)
            assert still >= 10, "memory was still growing after 30 s"
            assert peak - before <= stalled * PER_CLIENT_BYTES + SLACK_BYTES
            assert plane.message("healthy").status == 200
            assert plane.message("healthy", stream=True).status == 200
            for client in clients:
                client.close()
            records = plane.settled(stalled + 3, within_s=20)
            assert sum(record.outcome == "client_gone" for record in records) == stalled
            assert all(record.cost_nano > 0 for record in records)
        finally:
            plane.stop()
        print(f"per stalled client: {(peak - before) / stalled / 1024:.0f} KiB")


@pytest.mark.faults
def test_a_stalled_client_pauses_an_upstream_connection_that_served_another(tmp_path: Path) -> None:
    """The client before it on that connection was looked for and found; this one has to be looked for too."""
    with running(tmp_path / "sim", "--no-memory-log") as simulator:
        plane = Plane(tmp_path, (endpoint(simulator.url),)).start()
        try:
            plane.message("[[sim:text tokens=250000 delta_chars=4096]]", stream=True)
            before = resident_bytes(plane)
            client = begin(plane)
            peak, still = 0, 0
            while still < 10 and peak < before + STREAM_BYTES // 2:  # a second without growth: it is paused
                now = resident_bytes(plane)
                still = still + 1 if now <= peak else 0
                peak = max(peak, now)
                time.sleep(0.1)
            client.close()
            assert peak - before < STREAM_BYTES // 4
        finally:
            plane.stop()


@pytest.mark.faults
def test_a_slow_reader_gets_every_byte(tmp_path: Path) -> None:
    size = 4 << 20
    with running(tmp_path / "sim") as simulator:
        plane = Plane(tmp_path, (endpoint(simulator.url),)).start()
        try:
            client = begin_sized(plane.port, size)
            data = bytearray()
            client.settimeout(20)
            while not data.endswith(b"0\r\n\r\n"):
                piece = client.recv(65536)
                assert piece, "cut"
                data += piece
                if len(data) < 1 << 20:
                    time.sleep(0.02)
            client.close()
            assert data.count(b"content_block_delta") > 100
            assert b"message_stop" in data[-2000:]
            (record,) = plane.settled(1)
            assert (record.outcome, record.usage.output_tokens) == ("ok", size // 4)
        finally:
            plane.stop()


def begin_sized(port: int, size: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    data = json.dumps(body(f"[[sim:text tokens={size // 4} delta_chars=4096]]", stream=True)).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(data)}\r\n\r\n"
    client.sendall(head.encode() + data)
    return client
