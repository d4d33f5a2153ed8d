"""Streams on the plain way of a call and on the task's: the same bytes, records and ends."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from bench.load import payloads
from bench.micro import call as micro
from fastgate._core.credit import locate_all
from tests.support.ways import CLOSED, OK, PLAIN, House, Streaming, answer, both, seen

STREAM = payloads.body("small", True)


def stream(events: bytes, *lines: str) -> bytes:
    """An answer in events, whose connection lives on."""
    return answer("200 OK", events, "content-type: text/event-stream", *lines)


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


USAGE = {"input_tokens": 12, "output_tokens": 1}
STARTED = event("message_start", message={"id": "msg_1", "model": "claude-sonnet-4-5", "usage": USAGE})
CONTENT = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
SAID = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"})
ENDED = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7})
    + event("message_stop")
)
ERROR = event("error", error={"type": "overloaded_error", "message": "x"})
WHOLE = stream(STARTED + CONTENT + SAID + ENDED)
UNSIZED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def cut_up(raw: bytes, *ends: bytes) -> list[bytes | None]:
    """`raw` in pieces, each up to one of `ends`."""
    pieces: list[bytes | None] = []
    for end in ends:
        at = raw.index(end) + len(end)
        pieces.append(raw[:at])
        raw = raw[at:]
    return [*pieces, raw]


STREAMS: dict[str, list[bytes | None]] = {
    "in one piece": [WHOLE],
    "in pieces": cut_up(WHOLE, STARTED, CONTENT, SAID),
    "in pieces within events": cut_up(WHOLE, b"HTTP/1.1 2", STARTED[:30], CONTENT[:-1], SAID[:50]),
    "and the connection ends": [UNSIZED, STARTED + CONTENT, SAID + ENDED, CLOSED],
    "and the connection ends, in one piece": [UNSIZED + STARTED + CONTENT + SAID + ENDED, CLOSED],
    "cut short after its content": [*cut_up(WHOLE, CONTENT, SAID)[:-1], CLOSED],
    "an end where there should be more": [stream(STARTED + CONTENT + SAID)],
    "an error after its content": [stream(STARTED + CONTENT + SAID + ERROR)],
    "no HTTP after its content": [UNSIZED.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n")
                                 + b"%x\r\n%b\r\n" % (len(STARTED + CONTENT), STARTED + CONTENT), b"zz\r\n"],
    "an error before its content": [stream(STARTED + ERROR), WHOLE],
    "an error first, always": [stream(ERROR)] * 9,
    "cut short before its content": [WHOLE[: WHOLE.index(CONTENT)], CLOSED, WHOLE],
    "an end before its content": [stream(STARTED), WHOLE],
    "overloaded, then streamed": [answer("529 X", b"{}", "retry-after: 0"), WHOLE],
    "a message instead": [OK],
    "a kept connection closed": [CLOSED, WHOLE],
}  # fmt: skip
STREAMED_BY_A_TASK = {
    "an error before its content",
    "an error first, always",
    "cut short before its content",
    "an end before its content",
    "overloaded, then streamed",
    "a kept connection closed",
}
CUT = {"cut short after its content", "no HTTP after its content"}


class Connection:
    """A client's connection, which the server holds the other end of."""

    def __enter__(self) -> Connection:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.theirs = socket.create_connection(listener.getsockname())
            self.ours, (host, port) = listener.accept()
        self.name = f"{host}:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.theirs.close()
        self.ours.close()

    def cut(self) -> bool:
        """Whether it was shut down: its client reads an end."""
        self.theirs.setblocking(False)  # of the standard library
        try:
            return self.theirs.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.mark.parametrize(
    ("name", "found"), [*((name, True) for name in STREAMS), *((name, False) for name in sorted(CUT))]
)
def test_both_ways_stream_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: bool) -> None:
    """`found`: where the client's connection is, is known before a stream that broke off has to be cut."""

    async def go(of: House, way: str) -> Any:
        server = Streaming(STREAM)
        locate_all()
        with Connection() as connection:
            monkeypatch.setattr(micro.Scope, "client", connection.name)
            if found:
                locate_all()
            ended, client = of.begin(way, server, STREAMS[name], STREAM)
            await asyncio.wait_for(ended, 5)
            assert connection.cut() == (name in CUT)
        if way == PLAIN:
            assert (client.task is not None) == (name in STREAMED_BY_A_TASK)
        del ended, client
        await asyncio.sleep(0)
        assert server.ended == (server.pieces > 0)
        (pool,) = of.worker.upstreams._pools.values()
        return seen(server), server.pieces, list(of.script), len(pool._idle)

    task, plain = both(tmp_path, monkeypatch, go)
    assert plain == task
    assert len(plain[1]) == 2
    assert plain[2] == (0, 0)
