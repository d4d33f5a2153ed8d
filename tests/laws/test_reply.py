"""A plain head is read as llhttp and h11 read it, and what an exchange comes to does not depend on who read it.

A head that comes in two pieces is llhttp's: each drawn answer goes through a pump whole, and again cut in its status
line.
"""

from __future__ import annotations

from typing import Any

import h11
import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate._core.reply import LINES_MAX, plain_head
from tests.fuzz.targets import exchange

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NAMES = st.sampled_from(
    [
        "Content-Type",
        "content-type",
        "request-id",
        "Retry-After",
        "anthropic-version",
        "anthropic-ratelimit-x",
        "CF-RAY",
        "Content-Encoding",
        "Date",
        "Connection",
        "Transfer-Encoding",
        "Proxy-Connection",
        "Upgrade",
        "Trailer",
    ]
) | st.text(TOKEN, min_size=1, max_size=70)
VALUES = st.sampled_from(
    [
        "application/json",
        "text/event-stream",
        "identity",
        "gzip",
        "keep-alive",
        "Keep-Alive",
        "close",
        "chunked",
        "upgrade",
        "keep-alive, x",
        "",
        " x",
        "x ",
        "x\ty",
        "\u00e9",
        "a\x00b",
        "a: b",
        "req_1",
        "a\nb",
        "a\rb",
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
LENGTHS = st.sampled_from(["Content-Length: %d", "content-length:%d", "CONTENT-LENGTH: 0%d", "Content-Length:  %d"])
ODD = st.sampled_from(
    [
        "Content-Length: +2",
        "Content-Length: 2, 2",
        "Content-Length: ",
        "Content-Length : 2",
        "Content-Length: 0x2",
        "Content-Length: 99999999999999999999",
        "Content-Length: -1",
        " folded",
        "no colon",
        ": x",
        "Content-Length: 2",
    ]
)
STATUS = st.sampled_from(
    [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 529 Overloaded for now",
        "HTTP/1.1 200 ",
        "HTTP/1.1 200",
        "HTTP/1.0 200 OK",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 304 N",
        "HTTP/1.1 101 S",
        "HTTP/1.1 099 X",
        "HTTP/1.1 600 X",
        "HTTP/1.1  200 OK",
        "HTTP/2.0 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 200 \u00e9",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 X",
    ]
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Heads that are plain, or nearly, with bodies that are as long as stated, or not."""
    body = draw(st.binary(max_size=20))
    plain = draw(st.booleans())
    lines = [f"{draw(NAMES)}:{draw(st.sampled_from([' ', '']))}{draw(VALUES)}" for _ in range(draw(st.integers(0, 5)))]
    lines.append(draw(LENGTHS) % len(body))
    lines += [] if plain else draw(st.lists(ODD, max_size=2))
    status = "HTTP/1.1 200 OK" if plain else draw(STATUS)
    end = "\r\n" if plain else draw(st.sampled_from(["\r\n", "\n"]))
    head = end.join([status, *draw(st.permutations(lines)), "", ""]).encode("latin-1")
    return head + draw(st.sampled_from([body, body[:-1], body + b"x", body + head + body]))


class Told:
    """What llhttp says of an answer."""

    def __init__(self, data: bytes) -> None:
        self.lines: list[tuple[bytes, bytes]] = []
        self.bodies: list[bytes] = []
        self.over = self.kept = self.there = False
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.lines.append((name, value))

    def on_headers_complete(self) -> None:
        self.there, self.kept = True, self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.bodies.append(body)

    def on_message_complete(self) -> None:
        self.over = True


def by_h11(head: bytes, size: int) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, lines and body of an answer to a request, of which `size` zeros follow the head."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head + bytes(size))
    found: Any = client.next_event()
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return found.status_code, [(bytes(name), bytes(value)) for name, value in found.headers], body


@given(answers())
@example(b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 000000000000002\r\n\r\n{}")
def test_a_plain_head_is_read_as_others_read_it(data: bytes) -> None:
    found = plain_head(data)
    if found is None:
        return
    status, length, begun, lines = found
    told = Told(data[:begun] + bytes(min(length, 64)))
    assert (told.parser.get_status_code(), told.lines, told.there, told.kept) == (status, lines, True, True)
    assert told.over == (length <= 64)
    assert len(b"".join(told.bodies)) == min(length, 64)
    if length <= 64:
        lower = [(name.lower(), value) for name, value in lines]
        framed = [(name, str(length).encode() if name == b"content-length" else value) for name, value in lower]
        asked, seen, body = by_h11(data[:begun], length)
        as_number = [(n, str(int(v)).encode() if n == b"content-length" else v) for n, v in seen]
        assert (asked, as_number, body) == (status, framed, bytes(length))


@given(answers())
def test_an_exchange_is_the_same_whoever_reads_its_head(data: bytes) -> None:
    assert exchange([data], stream=False) == exchange([data[:3], data[3:]], stream=False)


@given(answers(), st.integers(0, 200))
def test_a_body_may_come_in_pieces(data: bytes, at: int) -> None:
    assert exchange([data[:at], data[at:]], stream=False) == exchange([data[:3], data[3:]], stream=False)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 529 Over loaded\r\ncontent-length:2\r\nConnection: Keep-Alive\r\nretry-after: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-y: z\r\n" * (LINES_MAX - 1) + b"Content-Length: 2\r\n\r\n",
    ],
)
def test_what_providers_send_is_plain(head: bytes) -> None:
    found = plain_head(head + b"{}")
    assert found is not None
    assert found[1:3] == (2, len(head))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-y: z\r\n" * LINES_MAX + b"Content-Length: 2\r\n\r\n",
    ],
)
def test_what_is_left_to_llhttp(head: bytes) -> None:
    assert plain_head(head + b"{}") is None
