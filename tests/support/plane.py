"""The data plane alone, as its own processes: a snapshot made by hand, a state directory, Granian and its workers.

For tests of the rooms and the relay. `tests/support/gateway.py` runs the whole of `fastgate serve`.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.load.ports import free_port
from fastgate import snapshot as snapshots
from fastgate.board import Board
from fastgate.journal import KIND_CALL, START, JournalReader
from fastgate.journal.flight import peek
from fastgate.keys import digest, ensure_pepper
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.record import CallRecord
from fastgate.routing.health import FIELDS
from fastgate.snapshot import (
    Endpoint,
    GuardRow,
    HeaderNames,
    KeyRow,
    Limits,
    PauseRow,
    RateRow,
    RoutingRow,
    SnapshotData,
)
from fastgate.snapshot_cache import CachePolicy, PromptPolicy
from fastgate.state import StateDir
from tests.support.tls import Certificate

KEY = "sk-test-alice-0123456789abcdef0123456789"
OTHER_KEY = "sk-test-bob-0123456789abcdef0123456789ab"

LIMITS = Limits(
    body_bytes=32 * 1024 * 1024,
    body_s=30.0,
    connect_s=5.0,
    first_byte_s=30.0,
    idle_s=30.0,
    ping_s=15.0,
    drain_s=10.0,
    keepalive_s=55.0,
    unknown_usage="seen",
    attempts=1,
)

CACHE = CachePolicy(
    ttl_ns=3600 * 1_000_000_000,
    width="team",
    in_flight=True,
    count_tokens=True,
    entry_bytes=4 * 1024 * 1024,
    temperature=0.0,
    overrides=True,
    store="embedded",
    memory_bytes=64 * 1024 * 1024,
    disk_bytes=256 * 1024 * 1024,
)

START_S = 20.0
"""A worker starts in under a second; a busy machine gets twenty."""

REST_S = 0.02
"""A record follows its answer within a millisecond or two; so long without one, and there is none to come."""


def endpoint(url: str, name: str = "up", **changes: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "name": name,
        "kind": "anthropic",
        "base_url": url,
        "api_key": "provider-key",
        "auth": "x-api-key",
        "anthropic_version": "2023-06-01",
        "pin_version": False,
        "ca_file": "",
    }
    return Endpoint(**fields | changes)


def key_row(pepper: bytes, secret: str, key: str = "alice-laptop", user: str = "alice", **changes: Any) -> KeyRow:
    row = KeyRow(
        digest=digest(pepper, secret),
        key=key,
        user=user,
        team="platform",
        org="acme",
        cost_center="CC-1001",
        tags={"project": "checkout"},
        models=(),
        not_after_ns=0,
    )
    return msgspec.structs.replace(row, **changes)


@dataclass
class Plane:
    """One running data plane. `publish` swaps its snapshot; `records` reads what its workers wrote."""

    directory: Path
    endpoints: tuple[Endpoint, ...]
    workers: int = 1
    pin: bool = False
    limits: Limits = LIMITS
    also: tuple[str, ...] = ("x-agentcc",)
    cache: CachePolicy | None = None
    tls: Certificate | None = None
    process: subprocess.Popen[bytes] | None = None
    guards: tuple[GuardRow, ...] = ()
    prompt: PromptPolicy | None = None
    pauses: tuple[PauseRow, ...] = ()
    rates: tuple[RateRow, ...] = ()
    routing: RoutingRow = field(default_factory=RoutingRow)
    prices: PriceSettings = field(default_factory=PriceSettings)
    ladder: dict[str, Any] = field(default_factory=dict)
    """rules, throttled, opt_out of the snapshot."""
    python_path: str = "src"
    host: str = "127.0.0.1"
    generation: int = 0
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.state = StateDir(self.directory / "state")
        self.state.create()
        self.pepper = ensure_pepper(self.state.pepper)
        self.keys = [
            key_row(self.pepper, KEY),
            key_row(self.pepper, OTHER_KEY, key="bob-laptop", user="bob", models=("claude-haiku-*",)),
        ]
        self.board = Board.open(self.state.board)
        self.publish()

    def publish(self) -> None:
        """Write a new snapshot of the present fields and tell the workers."""
        self.generation += 1
        data = SnapshotData(
            generation=self.generation,
            version=hashlib.sha256(str(self.generation).encode()).hexdigest()[:12],
            headers=HeaderNames(also=self.also),
            limits=self.limits,
            endpoints=self.endpoints,
            keys=self.keys,
            prices=compile_prices(self.prices),
            pauses=self.pauses,
            guards=self.guards,
            prompt=self.prompt,
            rates=self.rates,
            cache=self.cache,
            routing=self.routing,
            **self.ladder,
        )
        temporary = self.state.snapshot.with_suffix(".new")
        temporary.write_bytes(snapshots.encode(data))
        os.replace(temporary, self.state.snapshot)
        self.board.generation = self.generation

    def wait_adopted(self, within_s: float = 5.0) -> None:
        """Until every worker has taken the present snapshot up: its flight table says under which it works."""
        deadline = time.monotonic() + within_s
        while any(peek(path).generation != self.generation for path in self.state.flight_dir.glob("*.flight")):
            assert time.monotonic() < deadline, "the snapshot was not taken up"
            time.sleep(0.005)

    def start(self) -> Plane:
        """Begin to serve, also again after `stop`."""
        if self.process is not None:
            self.board = Board.open(self.state.board)
        command = [sys.executable, "-m", "fastgate.gateway.serve", "--host", self.host, "--port", str(self.port)]
        command += ["--workers", str(self.workers), "--state", str(self.state.path)]
        command += ["--pin"] * self.pin
        if self.tls is not None:
            command += ["--tls-cert", str(self.tls.cert), "--tls-key", str(self.tls.key)]
        env = {**os.environ, "PYTHONPATH": self.python_path}
        self.log = open(self.directory / "plane.log", "wb")  # noqa: SIM115
        self.process = subprocess.Popen(command, env=env, stdout=self.log, stderr=self.log)
        self.wait_answers()
        return self

    def wait_answers(self) -> None:
        """Until a worker is ready."""
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                if self.request("GET", "/readyz").status == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, self.log_text()
            time.sleep(0.05)
        raise AssertionError(f"the data plane did not start: {self.log_text()}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        self.board.close()

    def log_text(self) -> str:
        return (self.directory / "plane.log").read_text(errors="replace")[-4000:]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def request(self, method: str, path: str, body: bytes | dict[str, Any] | None = None, **headers: str) -> Answer:
        """One request on its own connection; header names with `_` for `-`. A dict body is sent as JSON."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        connection = self.connection()
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """A new connection, over TLS where the plane has a certificate."""
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=30)
        return http.client.HTTPSConnection(self.host, self.port, timeout=30, context=self.tls_context())

    def tls_context(self) -> ssl.SSLContext:
        assert self.tls is not None
        return ssl.create_default_context(cafile=str(self.tls.cert))

    def message(self, text: str = "hello", key: str = KEY, stream: bool = False, **changes: Any) -> Answer:
        """One Messages call with `text` as its last user message."""
        headers = changes.pop("headers", {})
        return self.request("POST", "/v1/messages", body(text, stream, **changes), x_api_key=key, **headers)

    def forget_failures(self) -> None:
        """Close every endpoint's breaker; their names keep their places."""
        cells = bytearray(self.state.health.read_bytes())
        for at in range(0, len(cells), FIELDS * 8):
            cells[at + 8 : at + FIELDS * 8] = bytes(FIELDS * 8 - 8)
        with self.state.health.open("r+b") as file:
            file.write(cells)

    def wait_idle(self, within_s: float = 5.0) -> None:
        """Until no call is in flight: an answer is out a moment before its record is."""
        deadline = time.monotonic() + within_s
        while any(peek(path).in_flight for path in self.state.flight_dir.glob("*.flight")):
            assert time.monotonic() < deadline, "a call is still in flight"
            time.sleep(0.005)
        time.sleep(0.01)

    def records(self) -> list[CallRecord]:
        """Every record in the journals, in order of arrival."""
        decode = msgspec.msgpack.Decoder(CallRecord).decode
        return sorted((decode(body) for body in self.bodies()), key=lambda record: record.at_ns)

    def bodies(self) -> list[bytes]:
        """The same, undecoded, in the order of the journals."""
        reader = JournalReader(self.state.journal_dir)
        return [
            record.body
            for epoch in reader.epochs()
            for record in reader.records(epoch, START)
            if record.kind == KIND_CALL
        ]

    def recorded(self) -> int:
        """How many records there are once no more come: a call's own follows its answer."""
        seen = -1
        while seen != (count := len(self.records())):
            seen = count
            time.sleep(REST_S)
        return count

    def settled(self, count: int, within_s: float = 5.0) -> list[CallRecord]:
        """The records, once there are `count` of them."""
        deadline = time.monotonic() + within_s
        while len(found := self.records()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(found) >= count, f"{len(found)} of {count} records: {self.log_text()}"
        return found


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def body(text: str = "hello", stream: bool = False, **changes: Any) -> dict[str, Any]:
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    } | changes
