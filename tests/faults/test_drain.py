"""A stop drains: what is open ends whole, what waits is told, and a deadline is one."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from bench.load.ports import free_port
from tests.support.admin import all_up, ask, message, status, until
from tests.support.gateway import Gateway, serving
from tests.support.raw import Reply, post, read_reply
from tests.support.sim import SimProcess

pytestmark = pytest.mark.faults

DRAINS = [
    pytest.param(24, "tokens=60 gap_ms=60", id="24-streams"),
    pytest.param(500, "tokens=600 gap_ms=100", marks=pytest.mark.slow, id="500-streams"),
]
"""Open streams of a drain, and how long each goes on."""


async def open_stream(gateway: Gateway, directive: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose head has come, so that it is in flight."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4096,
        "stream": True,
        "messages": [{"role": "user", "content": directive}],
    }
    writer.write(post(body, x_api_key=gateway.key))
    await writer.drain()
    return reader, writer


async def to_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float = 60.0) -> Reply:
    try:
        return await read_reply(reader, timeout_s)
    finally:
        writer.close()


async def in_flight(gateway: Gateway, count: int) -> None:
    end = time.monotonic() + 20
    while (now := (await asyncio.to_thread(status, gateway))["in_flight"]) != count:
        assert time.monotonic() < end, f"{now} of {count} calls in flight"
        await asyncio.sleep(0.05)


@pytest.mark.promise("P-15", bound="500 open streams of 20 s and a SIGTERM: all end whole")
@pytest.mark.parametrize(("count", "text"), DRAINS)
async def test_a_drain_loses_no_stream(tmp_path: Path, upstream: SimProcess, count: int, text: str) -> None:
    upstream.fresh()
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        streams = [await open_stream(gateway, f"[[sim:text {text}]]") for _ in range(count)]
        await in_flight(gateway, count)
        gateway.process.send_signal(signal.SIGTERM)
        waiting = asyncio.gather(*(to_the_end(*stream) for stream in streams))
        await asyncio.sleep(0.3)

        ready = await asyncio.to_thread(ask, gateway.url, "GET", "/readyz")
        assert ready[0] == 503
        refused = await asyncio.to_thread(message, gateway)
        assert refused[0] == 503
        assert refused[1]["connection"] == "close"
        assert json.loads(refused[2])["error"]["type"] == "overloaded_error"
        assert gateway.process.poll() is None, "it must wait for the open streams"

        for reply in await waiting:
            assert reply.status == 200
            assert reply.events()[-1][0] == "message_stop"
            assert b"\n: fastgate {" in reply.body, "the closing line with the cost"
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        shown = gateway.cli("calls", "list", "--json", "--limit", str(2 * count)).json["items"]
        billed = {call.started.id for call in upstream.calls()}
        assert len(billed) == count, "no refused call reached the provider"
        assert [call["outcome"] for call in shown if call["outcome"] != "refused"] == ["ok"] * count


@pytest.mark.promise("P-15", bound="bodies that are still coming at a SIGTERM are waited for, and their calls served")
async def test_a_drain_waits_for_bodies(tmp_path: Path, upstream: SimProcess) -> None:
    with serving(tmp_path, upstream.url, workers=1) as gateway:
        uploads = [await slow_upload(gateway, chunked) for chunked in (False, True)]
        await in_flight(gateway, 2)
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(1.2)
        assert gateway.process.poll() is None, "it must wait for the bodies"
        for (reader, writer), end in zip(uploads, (b"", b"\r\n0\r\n\r\n"), strict=True):
            writer.write(b"." * SLOW_HALF + b'"}]}' + end)
            reply = await to_the_end(reader, writer)
            assert reply.status == 200, reply.body
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        assert [call["outcome"] for call in gateway.cli("calls", "list", "--json").json["items"]] == ["ok"] * 2


SLOW_HALF = 4_096


async def slow_upload(gateway: Gateway, chunked: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The head and half of a body; the rest is for whoever waits for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    said = b'{"model": "claude-sonnet-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "'
    size = len(said) + 2 * SLOW_HALF + len(b'"}]}')
    framing = f"transfer-encoding: chunked\r\n\r\n{size:x}" if chunked else f"content-length: {size}\r\n"
    head = f"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {gateway.key}\r\n{framing}\r\n"
    writer.write(head.encode() + said + b"." * SLOW_HALF)
    await writer.drain()
    return reader, writer


async def test_a_drain_ends_at_its_deadline(tmp_path: Path, upstream: SimProcess) -> None:
    """A stream that would take two minutes is broken off, is recorded, and does not hold the exit up; nor does a body
    that never comes, whose client is told."""
    with serving(tmp_path, upstream.url, workers=1, more="limits: {drain_s: 1}\n") as gateway:
        stream = await open_stream(gateway, "[[sim:text tokens=2000 gap_ms=60]]")
        upload = await slow_upload(gateway, chunked=False)
        await in_flight(gateway, 2)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        reply = await to_the_end(*stream)
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        took_s = time.monotonic() - began
        assert 1.0 <= took_s < 30.0
        assert reply.ended in ("fin", "rst"), "a broken stream, never one that looks whole"
        assert "message_stop" not in [name for name, _ in reply.events()]
        told = await to_the_end(*upload)
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert json.loads(told.body)["error"]["type"] == "overloaded_error"
        calls = {call["outcome"]: call for call in gateway.cli("calls", "list", "--json").json["items"]}
        assert set(calls) == {"cancelled", "refused"}
        assert calls["cancelled"]["usage"]["output_tokens"] > 0, "what was seen is charged"


SHORT_OF_MONEY = """\
budgets:
  - {id: cap, level: team, of: platform, period: total, usd: 0.1, stages: [{at: 1.0, do: pause}]}
"""
"""A call of `open_stream` holds six cents."""


@pytest.mark.promise("P-15", bound="calls that wait for money when a drain has to end are told to come again")
async def test_a_drain_tells_those_who_wait_for_money(tmp_path: Path, upstream: SimProcess) -> None:
    """They waited for what another call held; the money is there when that is cut, and buys nothing any more."""
    upstream.fresh()
    more = "limits: {drain_s: 1, budget_wait_ms: 60000}\n"
    with serving(tmp_path, upstream.url, workers=1, more=more, budgets=SHORT_OF_MONEY) as gateway:
        stream = await open_stream(gateway, "[[sim:text tokens=2000 gap_ms=60]]")
        await in_flight(gateway, 1)
        waiting = [await open_stream(gateway, "[[sim:text tokens=10]]") for _ in range(3)]
        await in_flight(gateway, 4)
        gateway.process.send_signal(signal.SIGTERM)
        for reply in await asyncio.gather(*(to_the_end(*each) for each in waiting)):
            assert (reply.status, reply.headers["retry-after"]) == (503, "1"), reply.body
            assert json.loads(reply.body)["error"]["type"] == "overloaded_error"
        assert (await to_the_end(*stream)).ended in ("fin", "rst")
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        outcomes = [call["outcome"] for call in gateway.cli("calls", "list", "--json").json["items"]]
        assert sorted(outcomes) == ["cancelled", "refused", "refused", "refused"]
        assert len(upstream.calls()) == 1


async def test_asking_twice_hastens(tmp_path: Path, upstream: SimProcess) -> None:
    with serving(tmp_path, upstream.url, workers=2) as gateway:
        all_up(gateway)
        stream = await open_stream(gateway, "[[sim:text tokens=2000 gap_ms=60]]")
        await in_flight(gateway, 1)
        gateway.process.send_signal(signal.SIGINT)
        await asyncio.sleep(1.0)
        assert gateway.process.poll() is None
        gateway.process.send_signal(signal.SIGINT)
        reply = await to_the_end(*stream, timeout_s=15.0)
        assert reply.ended in ("fin", "rst")
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0


async def test_a_stop_in_the_middle_of_a_start_drains_too(tmp_path: Path, upstream: SimProcess) -> None:
    """The data plane takes calls a moment before its supervisor knows."""
    gateway = Gateway(tmp_path, upstream.url, listen=free_port(), control=free_port(), workers=2)
    try:
        await asyncio.to_thread(until, lambda: message_or_none(gateway) == 200, 30, "the first call is answered")
        stream = await open_stream(gateway, "[[sim:text tokens=40 gap_ms=50]]")
        gateway.process.send_signal(signal.SIGTERM)
        reply = await to_the_end(*stream)
        assert reply.status == 503 or reply.events()[-1][0] == "message_stop", "refused, or finished"
    finally:
        assert await asyncio.to_thread(gateway.stop) == 0


def message_or_none(gateway: Gateway) -> int | None:
    try:
        return message(gateway)[0]
    except OSError:
        return None
