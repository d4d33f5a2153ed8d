"""The pump against a raw scripted peer: framing, streams, faults, deadlines, reuse. One table of what ends how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fastgate._core.credit import Credit
from fastgate._core.flight import FlightTable
from fastgate._core.meter import Meter
from fastgate._core.pump import BODY_BYTES_MAX, HEAD_BYTES_MAX, INFORMATIONAL_MAX, PING, Pump
from fastgate.journal import new_epoch

SECOND_NS = 1_000_000_000

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude-x",'
    b'"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
)
DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"hello"}}\n\n'
)
END = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":7}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
LAST = b"0\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Peer:
    """A server that plays `script` after each request it reads: bytes are written, numbers are pauses, "rst" and "fin"
    end the connection."""

    script: list[bytes | float | str]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                self.requests.append(head + await reader.readexactly(length))
                for step in self.script:
                    if isinstance(step, bytes):
                        writer.write(step)
                        await writer.drain()
                    elif step == "rst":
                        writer.transport.abort()
                        return
                    elif step == "fin":
                        writer.close()
                        return
                    else:
                        await asyncio.sleep(float(step))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()


@dataclass
class Exchange:
    pump: Pump
    meter: Meter
    out: list[bytes]

    @property
    def sent(self) -> bytes:
        return b"".join(self.out)


Run = Callable[..., Any]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """`await run(script, …)`: one exchange with a fresh peer; the pump's result."""
    epoch = new_epoch()
    flight = FlightTable.create(str(tmp_path / "f.flight"), epoch)
    servers: list[asyncio.Server] = []

    async def go(
        script: list[bytes | float | str],
        *,
        stream: bool = True,
        pump: Pump | None = None,
        first_byte_ns: int = 10 * SECOND_NS,
        idle_ns: int = 10 * SECOND_NS,
        ping_ns: int = 0,
        attach: bool = True,
        during: Callable[[Pump], None] | None = None,
        body: bytes = b"{}",
        peer: Peer | None = None,
        tap: Callable[[bytes], int] | None = None,
        credit: Credit | None = None,
    ) -> Exchange:
        loop = asyncio.get_running_loop()
        if pump is None:
            peer = peer or Peer(script)
            server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
            servers.append(server)
            port = server.sockets[0].getsockname()[1]
            _, pump = await loop.create_connection(lambda: Pump(loop), "127.0.0.1", port)
        meter = Meter.of(stream=stream)
        slot = flight.claim(1, 1, b"note")
        head = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        waiter = pump.start(head, body, meter, flight, slot, stream, first_byte_ns, idle_ns, ping_ns)
        ticking = asyncio.ensure_future(tick(pump))
        if during is not None:
            loop.call_later(0.05, during, pump)
        out: list[bytes] = []
        try:
            await asyncio.wait_for(waiter, 8)
            if attach and pump.streaming and pump.failure is None:
                credit = credit or Credit("192.0.2.1:1")

                def send(piece: bytes) -> int | None:
                    size = None if tap is None else tap(piece)
                    if size != 0:
                        out.append(piece)
                    return size

                await asyncio.wait_for(pump.attach(send, credit, lambda found: found()), 8)
        finally:
            ticking.cancel()
            flight.release(slot)
        return Exchange(pump, meter, out)

    yield go
    for server in servers:
        server.close()
    flight.close()


async def tick(pump: Pump) -> None:
    from time import monotonic_ns

    while True:
        await asyncio.sleep(0.01)
        pump.tick(monotonic_ns())


async def test_a_whole_answer_is_kept_and_the_connection_lives(run: Run) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nanthropic-A: b\r\nx-b: c\r\ncontent-length: 4\r\n\r\n"
    peer = Peer([head, 0.02, b"{}\r\n"])
    done = await run([], stream=False, peer=peer)
    assert (done.pump.status, done.pump.body, done.pump.failure) == (200, b"{}\r\n", None)
    assert done.pump.headers == [("content-type", "application/json"), ("anthropic-a", "b")]
    assert done.pump.usable
    again = await run([], stream=False, pump=done.pump, body=b"x" * 300_000)
    assert (again.pump.body, again.pump.exchanges) == (b"{}\r\n", 2)
    assert peer.requests[1].endswith(b"x" * 300_000)


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
async def test_a_stream_arrives_as_sent_however_it_is_cut(run: Run, size: int) -> None:
    events = START + DELTA * 5 + END
    wire = STREAM_HEAD + b"".join(chunk(events[i : i + 61]) for i in range(0, len(events), 61)) + LAST
    done = await run([piece for i in range(0, len(wire), size) for piece in (wire[i : i + size], 0.0)])
    assert done.sent == events
    assert done.pump.failure is None
    assert done.meter.stopped
    assert (done.meter.usage.input_tokens, done.meter.usage.output_tokens) == (10, 7)
    assert done.pump.bytes_out == len(events)
    assert done.pump.usable


async def test_a_stream_that_ends_before_it_is_attached(run: Run) -> None:
    done = await run([STREAM_HEAD + chunk(START + END) + LAST], attach=False)
    await asyncio.sleep(0.05)
    out: list[bytes] = []
    ended = done.pump.attach(out.append, Credit("192.0.2.1:1"), lambda found: found())
    assert ended.done()
    assert b"".join(out) == START + END
    assert done.pump.usable


FAULTS: list[tuple[str, list[bytes | float | str], bool, str | None, int]] = [
    ("closed before any byte", ["fin"], True, "reset", 0),
    ("reset before any byte", ["rst"], True, "reset", 0),
    ("reset inside the head", [b"HTTP/1.1 200 OK\r\ncontent-", 0.02, "rst"], True, "reset", 0),
    ("cut inside a chunk", [STREAM_HEAD + chunk(START + DELTA)[:-9], 0.02, "fin"], True, "truncated", 200),
    ("reset inside a stream", [STREAM_HEAD + chunk(START), 0.02, "rst"], True, "truncated", 200),
    ("short body", [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "fin"], False, "truncated", 200),
    ("garbage", [b"\x16\x03\x01 not http\r\n\r\n"], True, "bad_response", 0),
    ("upgrade", [b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"], True, "bad_response", 0),
    ("1xx flood", [b"HTTP/1.1 103 Early Hints\r\n\r\n" * (INFORMATIONAL_MAX + 1)], True, "bad_response", 0),
    ("a head without end", [b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * (HEAD_BYTES_MAX // 4)], True, "bad_response", 0),
    ("a value without end", [b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * (2 * HEAD_BYTES_MAX)], True, "bad_response", 0),
    ("broken chunk size", [STREAM_HEAD + b"zz\r\n"], True, "bad_response", 200),
    ("error as JSON", [b"HTTP/1.1 529 X\r\ncontent-length: 2\r\n\r\n{}"], True, None, 529),
    ("1xx, then the answer", [b"HTTP/1.1 103 X\r\na: b\r\n\r\n" + WHOLE], False, None, 200),
    ("close-delimited body", [b"HTTP/1.0 200 OK\r\n\r\n{}", 0.02, "fin"], False, None, 200),
    ("JSON to a stream request", [WHOLE], True, None, 200),
]


@pytest.mark.parametrize(("script", "stream", "failure", "status"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
async def test_every_fault_has_one_name(
    run: Run, script: list[bytes | float | str], stream: bool, failure: str | None, status: int
) -> None:
    done = await run(script, stream=stream)
    assert (done.pump.failure, done.pump.status) == (failure, status)
    assert done.pump.usable == (failure is None and script[-1] != "fin")


async def test_deadlines(run: Run) -> None:
    assert (await run([5.0], first_byte_ns=SECOND_NS // 10)).pump.failure == "first_byte_timeout"
    stalled = await run([STREAM_HEAD + chunk(START + DELTA), 5.0], idle_ns=SECOND_NS // 10)
    assert stalled.pump.failure == "idle_timeout"
    assert stalled.sent == START + DELTA
    assert stalled.meter.floor().output_tokens >= 3


async def test_pings_only_between_events(run: Run) -> None:
    pause = SECOND_NS // 20
    done = await run([STREAM_HEAD + chunk(START), 0.2, chunk(END) + LAST], ping_ns=pause)
    assert done.sent.count(PING) >= 2
    assert done.sent.replace(PING, b"") == START + END
    inside = await run([STREAM_HEAD + chunk(START + DELTA[:20]), 0.2, chunk(DELTA[20:] + END) + LAST], ping_ns=pause)
    assert inside.sent == START + DELTA + END


async def test_a_stream_that_a_tap_holds_back_is_covered_by_pings(run: Run) -> None:
    """The upstream is busy, the client hears nothing. What did not go out is nothing that the client owes."""
    script: list[bytes | float | str] = [STREAM_HEAD + chunk(START)]
    for _ in range(15):
        script += [0.02, chunk(DELTA)]
    done = await run(
        [*script, chunk(END) + LAST], ping_ns=SECOND_NS // 20, tap=lambda piece: 0 if piece == DELTA else len(piece)
    )
    assert done.sent.count(PING) >= 3
    assert done.sent.replace(PING, b"").replace(DELTA, b"") == START + END and done.pump.bytes_out == len(done.sent)
    busy = await run([*script, chunk(END) + LAST], ping_ns=SECOND_NS // 10)
    assert PING not in busy.sent


async def test_a_client_that_leaves_cancels_the_upstream_and_keeps_what_was_seen(run: Run) -> None:
    peer = Peer([STREAM_HEAD + chunk(START + DELTA), 30.0])
    done = await run([], peer=peer, during=lambda pump: pump.leave())
    await asyncio.sleep(0)
    assert done.pump.failure == "client_gone"
    assert not done.pump.usable
    assert done.meter.usage.input_tokens == 10


async def test_unasked_bytes_end_an_idle_connection(run: Run) -> None:
    done = await run([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 0.05, b"more"], stream=False)
    assert done.pump.usable
    await asyncio.sleep(0.15)
    assert not done.pump.usable


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("more", [WHOLE.replace(b"{}", b"[]"), WHOLE[:20], b"x"])
async def test_what_comes_behind_an_answer_is_nobodys(run: Run, stream: bool, more: bytes) -> None:
    """Whoever reads the head: a connection that says more than it was asked is not used again."""
    done = await run([WHOLE + more], stream=stream)
    assert (done.pump.body, done.pump.failure) == (b"{}", None)
    assert done.pump.headers == [("content-type", "application/json")]
    assert not done.pump.usable


async def test_an_answer_past_the_limit_is_refused(run: Run) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1)
    done = await run([head, *[b"x" * (1 << 20)] * 65], stream=False)
    assert done.pump.failure == "bad_response"


async def test_compressed_answers_are_marked(run: Run) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n"
    done = await run([head + b"zz"])
    assert done.pump.encoded
    assert not done.pump.streaming


async def test_only_an_idle_connection_takes_a_request(run: Run) -> None:
    done = await run(["fin"])
    with pytest.raises(RuntimeError):
        await run([], pump=done.pump)
