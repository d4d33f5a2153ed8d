"""Every row of the table of upstream failures, streamed and not: kind, retry, what the client sees, what is charged.

The upstream's own log is the oracle of the charge. A second, healthy endpoint shows whether the gateway tried again.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.load.ports import free_port
from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.record import CallRecord
from fastgate.sim.faultproxy import CLEAN, FaultProxy
from tests.support.failures import FAILURES, Failure, Outcome
from tests.support.plane import KEY, LIMITS, Answer, Plane, body, endpoint
from tests.support.sim import Call, SimProcess, running

BOOK = PriceBook(compile_prices(PriceSettings()))
SHORT = msgspec.structs.replace(LIMITS, connect_s=0.3, first_byte_s=0.4, idle_s=0.6, total_s=1.5)


class Proxy:
    """The fault proxy on a loop of its own, so that blocking clients can talk through it."""

    def __init__(self, target: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.proxy = FaultProxy(target)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.run(self.proxy.start())

    def run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)  # type: ignore[arg-type]

    def close(self) -> None:
        self.run(self.proxy.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@dataclass
class Stage:
    """The gateway, its upstream behind a proxy, and the spare."""

    plane: Plane
    upstream: SimProcess
    spare: SimProcess
    proxy: Proxy
    silent: socket.socket

    def url(self, row: Failure) -> str:
        if row.address == "closed":
            return f"http://127.0.0.1:{free_port()}"
        if row.address == "silent":
            return f"http://127.0.0.1:{self.silent.getsockname()[1]}"
        return f"http://127.0.0.1:{self.proxy.proxy.port}"

    def aim(self, row: Failure) -> None:
        """Put the row's upstream first and its faults in place."""
        first = endpoint(self.url(row))
        if self.plane.endpoints[0] != first:
            self.plane.endpoints = (first, self.plane.endpoints[1])
            self.plane.publish()
            self.plane.wait_adopted()
        self.proxy.run(self.proxy.proxy.cut())
        self.proxy.proxy.down = row.down or CLEAN
        self.upstream.unscript()
        self.upstream.script(row.do)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("failures")
    with ExitStack() as stack:
        upstream = stack.enter_context(running(folder / "sim"))
        spare = stack.enter_context(running(folder / "spare"))
        proxy = Proxy(upstream.port)
        stack.callback(proxy.close)
        # A full backlog: the kernel leaves further connections without an answer.
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            stack.callback(client.close)
            client.setblocking(False)
            client.connect_ex(silent.getsockname())
        endpoints = (endpoint(f"http://127.0.0.1:{proxy.proxy.port}"), endpoint(spare.url, "spare"))
        plane = Plane(folder, endpoints, limits=SHORT).start()
        stack.callback(plane.stop)
        yield Stage(plane, upstream, spare, proxy, silent)


@dataclass
class Seen:
    """What the client got: an answer, or the part of one that came before the connection broke."""

    answer: Answer
    cut: bool


def call(plane: Plane, stream: bool) -> Seen:
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
    try:
        connection.request("POST", "/v1/messages", json.dumps(body(stream=stream)), {"x-api-key": KEY})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        try:
            return Seen(Answer(response.status, headers, response.read()), cut=False)
        except http.client.IncompleteRead as error:
            return Seen(Answer(response.status, headers, error.partial), cut=True)
        except ConnectionError:
            return Seen(Answer(response.status, headers, b""), cut=True)
    finally:
        connection.close()


def check_client(seen: Seen, wanted: Outcome, row: Failure, stream: bool) -> None:
    """The column `client`."""
    answer, data = seen.answer, seen.answer.body
    assert seen.cut == (wanted.client == "cut")
    closing, stopped = b": fastgate {" in data, b"event: message_stop" in data
    match wanted.client:
        case "529" | "502":
            assert answer.status == int(wanted.client)
            assert answer.json()["error"]["type"] == {"529": "overloaded_error", "502": "api_error"}[wanted.client]
            assert answer.json()["request_id"] == answer.headers["x-fastgate-call-id"]
            assert (answer.headers.get("x-should-retry") == "false") == (row.retry == "never")
        case "as it came":
            assert answer.status == row.do.status
            assert answer.headers.get("retry-after", "") == row.do.retry_after
            assert (b"Simulated" in data) == (answer.status >= 400)
            assert not closing
        case "whole" | "next endpoint":
            assert answer.status == 200
            assert (closing and stopped) if stream else answer.json()["type"] == "message"
        case "cut":
            assert answer.status == 200
            assert not closing
        case "ends early":
            assert closing and not stopped
        case "error event":
            assert closing and not stopped and b"event: error" in data


def check_charge(record: CallRecord, upstream: Call, wanted: Outcome, lost: bool) -> None:
    """The column `charge`, against what the upstream says it told and meant to bill. `lost`: what it told is not what
    arrived."""
    row = BOOK.row("anthropic", record.model_asked)
    assert upstream.ended is not None
    billed, told = upstream.started.usage, upstream.ended.told
    match wanted.charge:
        case "nothing":
            assert (record.cost_nano, record.usage_state) == (0, "none")
        case "stated":
            assert record.usage_state == "exact"
            assert record.cost_nano == row.cost(as_usage(billed)) > 0
        case "seen":
            assert record.usage_state == "partial"
            assert lost or record.usage.output_tokens >= told.output_tokens
            assert lost or record.usage.input_tokens >= told.input_tokens
            assert record.cost_nano == row.cost(as_usage(record.usage)) > 0
        case "estimate":
            assert record.usage_state == "missing"
            assert record.cost_nano == row.cost(as_usage(record.usage)) > 0


def as_usage(used: Any) -> Usage:
    """The usage of a record or of the upstream's log, as prices take it."""
    return Usage.of(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_write_5m_tokens=used.cache_write_5m_tokens,
        cache_write_1h_tokens=used.cache_write_1h_tokens,
        cache_read_tokens=used.cache_read_tokens,
    )


CASES = [
    pytest.param(row, stream, id=f"{row.what}-{'stream' if stream else 'whole'}", marks=[pytest.mark.slow] * row.slow)
    for row in FAILURES
    for stream in (True, False)
    if (row.stream if stream else row.whole) is not None
]


@pytest.mark.faults
@pytest.mark.promise("P-06", bound="every row of docs/reference/failures.md")
@pytest.mark.parametrize(("row", "stream"), CASES)
def test_one_defined_outcome(stage: Stage, row: Failure, stream: bool) -> None:
    wanted = row.stream if stream else row.whole
    assert wanted is not None
    stage.aim(row)
    stage.plane.forget_failures()
    records, calls, spare = stage.plane.recorded(), len(stage.upstream.calls()), len(stage.spare.calls())
    seen = call(stage.plane, stream)
    (record,) = stage.plane.settled(records + 1)[records:]
    stage.plane.wait_idle()
    check_client(seen, wanted, row, stream)
    attempts = [attempt.error for attempt in record.attempts]
    if row.retry == "elsewhere":
        assert (attempts, record.endpoint, record.outcome) == ([wanted.kind, ""], "spare", "ok")
        assert len(stage.spare.calls()) == spare + 1
        return
    assert record.error == wanted.kind
    assert record.outcome == ("upstream_error" if wanted.kind else "ok")
    assert len(attempts) == 1 and len(stage.spare.calls()) == spare
    (upstream,) = stage.upstream.settled(calls + 1)[calls:]
    check_charge(record, upstream, wanted, lost=row.down is not None)
