"""kill -9 of workers under load: the server keeps serving, and what the provider billed is recorded once, never twice.

The oracles are the upstream's own log, for what was billed, and the clients, for what must have been seen: text that a
client received has passed the worker's meter. A call is told apart by its session id.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from fastgate.journal import KIND_CALL, START, JournalReader
from fastgate.record import CallRecord
from tests.support.gateway import KEY, Gateway, serving
from tests.support.sim import Call, running

KILLS = 20
SENDERS = 12
PAUSE_S = (0.15, 0.5)
"""Between kills, uniform. A worker starts in about half a second, so some are killed while they start."""

RECOVERED_WITHIN_S = 20.0

TEXT = re.compile(rb'"text":\s?"([^"]*)"')


class Load:
    """Senders that call until told to stop, streams and whole answers in turn; refused connections are tried again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.stopped = threading.Event()
        self.answers: Counter[str] = Counter()
        self.received: dict[str, int] = {}
        self._number = iter(range(1_000_000))
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._send, args=(index,)) for index in range(SENDERS)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _send(self, index: int) -> None:
        while not self.stopped.is_set():
            with self._lock:
                number = next(self._number)
            session = f"call-{number}"
            received = bytearray()
            try:
                self.answers[str(self._call(session, number % 2 == 0, received))] += 1
            except (OSError, http.client.HTTPException) as exc:
                self.answers[type(exc).__name__] += 1
                time.sleep(0.02)
            self.received[session] = sum(len(text) for text in TEXT.findall(received)) // 4

    def _call(self, session: str, stream: bool, received: bytearray) -> int:
        text = f"[[sim:text tokens={random.randint(5, 400)} gap_ms={random.choice((0, 2, 10))}]]"
        body = {
            "model": "claude-sonnet-5-5",
            "max_tokens": 500,
            "messages": [{"role": "user", "content": text}],
            "stream": stream,
            "metadata": {"user_id": json.dumps({"session_id": session})},
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": KEY})
            answer = connection.getresponse()
            while piece := answer.read1(65536):
                received += piece
            return answer.status
        finally:
            connection.close()


def workers_of(gateway: Gateway) -> list[psutil.Process]:
    everyone = psutil.Process(gateway.process.pid).children(recursive=True)
    return [process for process in everyone if process.name().startswith("worker:")]


def records_of(journal: Path) -> list[CallRecord]:
    decode = msgspec.msgpack.Decoder(CallRecord).decode
    reader = JournalReader(journal)
    return [
        decode(record.body)
        for epoch in reader.epochs()
        for record in reader.records(epoch, START)
        if record.kind == KIND_CALL
    ]


def table_of(gateway: Gateway) -> list[dict[str, Any]]:
    """Every call that `fastgate calls list` shows."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        more = ("--cursor", cursor) if cursor else ()
        page = json.loads(gateway.cli("calls", "list", "--json", "--limit", "500", *more).out)
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            return found


@pytest.mark.faults
@pytest.mark.promise("P-01", bound=f"{KILLS} kills: every billed call once, at least at what was seen")
@pytest.mark.timeout(240)
def test_every_billed_call_is_recorded_once(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"FASTGATE_SEED={seed}")
    random.seed(seed)
    upstream = running(tmp_path / "sim", "--no-memory-log")
    with upstream as simulator, serving(tmp_path / "gw", simulator.url, 2) as gateway:
        with Load(int(gateway.url.rpartition(":")[2])) as load:
            killed = 0
            while killed < KILLS:
                time.sleep(random.uniform(*PAUSE_S))
                if workers := workers_of(gateway):
                    random.choice(workers).kill()
                    killed += 1
                assert gateway.process.poll() is None, gateway.log_text()
            time.sleep(2)
            before = load.answers["200"]
            time.sleep(1)
            assert load.answers["200"] > before, f"it stopped serving: {gateway.log_text()}"
        calls = [call for call in simulator.settled(1, within_s=10) if call.started.status == 200]
        journal = tmp_path / "gw" / "fastgate-data" / "journal"
        flights = tmp_path / "gw" / "fastgate-data" / "flight"
        deadline = time.monotonic() + RECOVERED_WITHIN_S
        while len(list(flights.glob("*.flight"))) > len(workers_of(gateway)) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.0)  # a finished call is visible to every reader within a second
        records = records_of(journal)
        listed = table_of(gateway)
        print(f"{len(calls)} billed calls, {len(records)} records, answers {dict(load.answers)}")
        assert load.answers["200"] > 50
        check(calls, records, load.received)
        assert Counter(item["id"] for item in listed) == Counter(record.id for record in records)


def check(calls: list[Call], records: list[CallRecord], received: dict[str, int]) -> None:
    """Each billed call has one record: exact where it was finished, at least what its client had where it was not."""
    assert max(Counter(record.id for record in records).values()) == 1, "one call, two records"
    assert any(record.outcome == "recovered" for record in records), "no kill hit a call in flight"
    by_session = {record.session: record for record in records}
    assert len(by_session) == len(records)
    for call in calls:
        record = by_session.get(call.started.session)
        assert record is not None, f"billed and not recorded: {call}"
        assert record.cost_nano > 0, record
        if record.outcome == "ok":
            billed = call.started.usage
            seen = record.usage
            assert (seen.input_tokens, seen.output_tokens) == (billed.input_tokens, billed.output_tokens)
        assert record.usage.output_tokens >= received.get(record.session, 0), (record, received[record.session])
