"""The log is an oracle: whole lines, the exact body, when the other side left, and what it had been told by then."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from fastgate import clock
from fastgate.sim.log import Ended, Log, Started, Unread, read_log
from fastgate.sim.server import Settings, Simulator
from tests.support.raw import exchange, post

BODY: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}


async def started(settings: Settings) -> Simulator:
    simulator = Simulator(settings)
    await simulator.start()
    return simulator


async def test_two_lines_a_call_in_the_file_and_in_memory(tmp_path: Path) -> None:
    sim = await started(Settings(log=tmp_path / "log", bodies=tmp_path / "bodies"))
    request = post(BODY, path="/v1/messages?beta=true", x_extra="yes")
    await exchange(sim.port, request)
    await sim.log.wait_ended(1)
    begin, end = read_log(tmp_path / "log")
    assert [begin, end] == list(sim.log.lines)
    assert isinstance(begin, Started) and isinstance(end, Ended) and begin.id == end.id
    body = request.partition(b"\r\n\r\n")[2]
    assert (begin.body_bytes, begin.body_sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert (tmp_path / "bodies" / f"{begin.id}.json").read_bytes() == body
    assert (begin.path, begin.model, begin.stream) == ("/v1/messages?beta=true", "m", True)
    assert ("x-extra", "yes") in begin.headers
    assert begin.usage == end.told and end.outcome == "complete" and end.gone_ns == 0
    assert begin.at_ns <= end.at_ns <= clock.mono_ns()
    await sim.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_leaves_is_seen_at_once_with_what_it_was_told(reset: bool) -> None:
    sim = await started(Settings())
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(post(BODY, x_sim="stall stall_at=6"))
    data = b""
    while data.count(b"event: content_block_delta") < 3:
        data += await reader.read(65536)
    if reset:
        plug = writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
    left_ns = clock.mono_ns()
    (end,) = await sim.log.wait_ended(1)
    assert end.outcome == "client_gone"
    assert end.sent_events == 6 == data.count(b"event: ")
    assert end.told.output_tokens == 12, "three deltas of 16 bytes, 4 bytes a token"
    assert end.told.input_tokens == sim.log.started[0].usage.input_tokens
    assert 0 <= end.gone_ns - left_ns < 200_000_000
    await sim.close()


async def test_a_client_that_reads_nothing_has_been_told_what_the_kernel_took() -> None:
    sim = await started(Settings())
    _, writer = await asyncio.open_connection("127.0.0.1", sim.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(post(BODY, x_sim="text tokens=12500000 delta_chars=4096"))
    await asyncio.sleep(0.5)
    writer.transport.abort()
    (end,) = await sim.log.wait_ended(1)
    assert end.outcome == "client_gone"
    assert 0 < end.sent_bytes < 20_000_000, "50 MB would mean that the simulator does not wait for its client"
    assert end.told.output_tokens < 5_000_000
    await sim.close()


async def test_requests_that_are_never_whole_are_noted() -> None:
    sim = await started(Settings())
    _, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(post(BODY)[:-5])
    await asyncio.sleep(0.05)
    writer.close()
    garbage = await exchange(sim.port, b"this is no HTTP\r\n\r\n")
    assert garbage.status == 400
    for _ in range(100):
        if len(sim.log.lines) >= 2:
            break
        await asyncio.sleep(0.01)
    assert all(isinstance(line, Unread) for line in sim.log.lines) and len(sim.log.lines) >= 2
    await sim.close()


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", memory=False)
    line = Unread(at_ns=1, received_bytes=2, reason="x")
    log.add(line)
    log.add(line)
    log.close()
    data = (tmp_path / "log").read_bytes()
    for size in range(len(data)):
        (tmp_path / "log").write_bytes(data[:size])
        assert read_log(tmp_path / "log") == [line] * data[:size].count(b"\n")


async def test_admin_routes() -> None:
    sim = await started(Settings())
    reply = await exchange(sim.port, post(b'{"do":{"status":529}}', path="/__sim/script"))
    assert reply.json() == {"queued": 1}
    assert (await exchange(sim.port, post(b'{"do":{"statsu":529}}', path="/__sim/script"))).status == 400
    assert (await exchange(sim.port, post(BODY))).status == 529
    assert (await exchange(sim.port, post(BODY))).status == 200
    await sim.log.wait_ended(2)
    dumped = await exchange(sim.port, b"GET /__sim/log HTTP/1.1\r\nhost: x\r\n\r\n")
    assert dumped.body.count(b"\n") == 4
    await exchange(sim.port, post(b"", path="/__sim/reset"))
    assert not sim.log.lines and not sim.script.steps
    assert (await exchange(sim.port, post(b"", path="/__sim/other"))).status == 404
    await sim.close()
