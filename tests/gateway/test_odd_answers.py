"""Answers that a provider should not give, byte by byte: what the client sees, what is charged, and who gets the
connection next. What the upstream was sent, and what it said that it used, is the oracle."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from fastgate._core.usage import Usage
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.record import CallRecord
from fastgate.sim.behaviour import Behaviour
from tests.support.plane import LIMITS, Plane, endpoint
from tests.support.sim import SimProcess, running

ROW = PriceBook(compile_prices(PriceSettings())).row("anthropic", "claude-sonnet-5-5")
ONCE = msgspec.structs.replace(LIMITS, attempts=1, first_byte_s=3.0, idle_s=3.0)
KEPT = 6
"""Connections that are kept to the upstream."""

STATED = Usage.of(input_tokens=11, output_tokens=2_000)
TEXT = "word " * STATED.output_tokens
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": STATED.input_tokens, "output_tokens": STATED.output_tokens},
}
WHOLE = json.dumps(MESSAGE).encode()
EVENTS = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "usage": {"input_tokens": 11, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": STATED.output_tokens}},
    {"type": "message_stop"},
]
STREAM = b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in EVENTS)
LARGE = "x" * 20_000_000
"""More than sockets hold at both ends."""


def answer(status: int, kind: str, content: bytes, sent: int | None = None) -> bytes:
    """With a content-length, of which `sent` bytes follow."""
    head = f"HTTP/1.1 {status} Odd\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content[:sent]


class Scripted:
    """An upstream that gives each request `reply`, once it has read it; `early`: before it reads the body."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.reply = b""
        self.early = self.closes = False
        self.requests = 0
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _head(file: BinaryIO) -> int | None:
        """The length of the body that follows; None at the connection's end."""
        length = None
        for line in iter(file.readline, b""):
            if line == b"\r\n":
                return length
            if line.startswith(b"content-length:"):
                length = int(line.split()[1])
        return None

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as file:
            while (length := self._head(file)) is not None:
                self.requests += 1
                if self.early:
                    connection.sendall(self.reply)
                    self.over.wait(10)  # and reads no further
                    return
                file.read(length)
                connection.sendall(self.reply)
                if self.closes:
                    return


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def plane(tmp_path: Path, upstream: Scripted) -> Iterator[Plane]:
    plane = Plane(tmp_path, (endpoint(upstream.url),), limits=ONCE).start()
    yield plane
    plane.stop()


def the_record(plane: Plane) -> CallRecord:
    return plane.settled(1)[-1]


ODD = {
    "a stream, its type in other letters": (answer(200, "Text/Event-Stream", STREAM), True, 200),
    "a stream with another 2xx": (answer(206, "text/event-stream", STREAM), True, 206),
    "a whole answer with another 2xx": (answer(201, "application/json", WHOLE), False, 201),
    "a stream that nobody asked for": (answer(200, "text/event-stream", STREAM), False, 529),
}


@pytest.mark.promise("P-06", bound="what an odd answer says that it used is charged")
@pytest.mark.parametrize("name", ODD)
def test_what_an_odd_answer_used_is_charged(plane: Plane, upstream: Scripted, name: str) -> None:
    upstream.reply, stream, status = ODD[name]
    assert plane.message(stream=stream).status == status
    record = the_record(plane)
    assert record.usage is not None
    assert (record.usage.input_tokens, record.usage.output_tokens) == (STATED.input_tokens, STATED.output_tokens)
    assert (record.usage_state, record.cost_nano) == ("exact", ROW.cost(STATED))
    assert upstream.requests == 1


def test_a_whole_answer_that_is_cut_costs_what_was_written(plane: Plane, upstream: Scripted) -> None:
    """Its usage stood behind the cut."""
    upstream.reply, upstream.closes = answer(200, "application/json", WHOLE, len(WHOLE) - 200), True
    assert plane.message().status == 529
    record = the_record(plane)
    assert record.usage_state == "missing"
    assert record.usage is not None
    assert STATED.output_tokens <= record.usage.output_tokens < 3 * STATED.output_tokens


def test_a_connection_that_did_not_take_all_of_a_request_serves_no_other(plane: Plane, upstream: Scripted) -> None:
    refusal = b'{"type":"error","error":{"type":"rate_limit_error","message":"early"}}'
    upstream.reply, upstream.early = answer(429, "application/json", refusal), True
    assert plane.message(LARGE).status == 429
    upstream.reply, upstream.early = answer(200, "application/json", WHOLE), False
    assert plane.message().status == 200
    assert upstream.requests == 2


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimProcess]:
    with running(tmp_path / "sim") as process:
        yield process


@pytest.mark.promise("P-06", bound="an attempt is sent twice at most, and only where a kept connection had closed")
@pytest.mark.parametrize(("after_s", "sent"), [(0.1, 2), (1.5, 1)], ids=["at once", "later"])
def test_one_attempt_does_not_use_up_the_kept_connections(
    tmp_path: Path, sim: SimProcess, after_s: float, sent: int
) -> None:
    """The upstream takes each request whole, and closes without an answer."""
    plane = Plane(tmp_path, (endpoint(sim.url),), limits=ONCE).start()
    try:
        for _ in range(KEPT):
            sim.script(Behaviour(stall_head_s=0.5))
        together = [threading.Thread(target=plane.message) for _ in range(KEPT)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert len({record.status for record in plane.settled(KEPT)}) == 1
        sim.unscript()
        before = len(sim.calls())
        for _ in range(KEPT + 2):
            sim.script(Behaviour(stall_head_s=after_s, cut="fin", cut_bytes=0))
        assert plane.message().status == 529
        assert plane.settled(KEPT + 1)[-1].error == "reset"
        assert len(sim.calls()) - before == sent
    finally:
        plane.stop()
