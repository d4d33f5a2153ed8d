"""The same bytes to nginx, HAProxy, h11, httptools and the gateway: nobody who takes the first request as valid may
disagree with us on where it ends.

Each reader is asked two things of a payload with a canary behind: the body of the first request it accepts, None if
it accepts none; and whether it then sees the canary as a request of its own. Servers that close after the first are
not asked the second: nothing that follows can be taken for another request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h11
import httptools
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.edge.test_table import answers, speak
from tests.gateway.conftest import World
from tests.support.proxies import Proxy, proxy
from tests.support.rows import BODY, CANARY, LENGTH, ROWS, TE, request

SIZE = str(len(BODY))
LINES = [
    LENGTH, TE, f"Content-Length:{SIZE}\r\n", f"content-length:\t{SIZE} \r\n", f"content-length: 0{SIZE}\r\n",
    f"content-length: {SIZE}\n", f"content-length : {SIZE}\r\n", "content-length: 0\r\n", "content-length: 4\r\n",
    "TRANSFER-ENCODING:chunked\r\n", "transfer-encoding:\tchunked \r\n", "transfer-encoding: chunked\n",
    "transfer-encoding: identity\r\n", "transfer-encoding: \x0cchunked\r\n", "transfer-encoding: chunked,\r\n",
    "x: transfer-encoding: chunked\r\n", "x:\r\n", " x: folded\r\n", "x: y\n", "x: \xa0\r\n", "host: u\r\n", "x\r\n",
    "connection: transfer-encoding\r\n", "connection: content-length\r\n", "connection: keep-alive\r\n",
    "expect: 100-continue\r\n", "te: trailers\r\n", "trailer: content-length\r\n", "content-encoding: identity\r\n",
]  # fmt: skip
"""Header lines that framing hangs on, spelled in every way that someone might read otherwise."""

SIZES = st.sampled_from(
    ["%x", "%X", "0%x", "000000%x", "%x;a=b", "%x ", "%x\t;a", '%x;a="b;c"', "0x%x", "+%x", "%x;\xff"]
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""])
LASTS = st.sampled_from(
    [b"0\r\n\r\n", b"0\r\n\r\n", b"000\r\n\r\n", b"0;a\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"0\n\n", b"", b"0\r\n"]
)


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """The body in one to three chunks, nearly always framed right."""
    cuts = [0, *sorted(draw(st.lists(st.integers(1, len(BODY) - 1), max_size=2, unique=True))), len(BODY)]
    framed = b""
    for start, end in pairwise(cuts):
        size = draw(SIZES) if draw(st.integers(0, 4)) == 0 else "%x"
        after = draw(ENDS) if draw(st.integers(0, 9)) == 0 else b"\r\n"
        framed += (size % (end - start)).encode("latin-1") + b"\r\n" + BODY[start:end] + after
    return framed + (draw(LASTS) if draw(st.integers(0, 2)) == 0 else b"0\r\n\r\n")


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A request whose framing is right, but for what is drawn to go wrong."""
    chunked = draw(st.booleans())
    lines = draw(st.lists(st.sampled_from(LINES), max_size=2))
    right = draw(st.sampled_from([line for line in LINES if ("chunked" if chunked else SIZE) in line]))
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from([right, TE if chunked else LENGTH])))
    return request("".join(lines), draw(chunks()) if chunked else BODY)


@dataclass(frozen=True)
class Seen:
    """What one reader made of the bytes. `canary`: seen as a request; None where the connection was closed first."""

    body: bytes | None
    canary: bool | None


def by_h11(data: bytes) -> Seen:
    connection = h11.Connection(h11.SERVER)
    body, found = b"", 0
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                found += 1
                if found == 2:
                    return Seen(body, event.target == b"/canary")
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                if connection.their_state is h11.MUST_CLOSE:
                    return Seen(body, None)
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            else:
                return Seen(body if found else None, False)
    except h11.ProtocolError:
        done = found and connection.their_state is not h11.ERROR
        return Seen(body if done else None, False)


class Sink:
    """What httptools reports."""

    def __init__(self) -> None:
        self.urls: list[bytes] = []
        self.bodies: list[bytes] = []
        self.done = 0

    def on_message_begin(self) -> None:
        self.urls.append(b"")
        self.bodies.append(b"")

    def on_url(self, url: bytes) -> None:
        self.urls[-1] += url

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.done += 1


def by_httptools(data: bytes) -> Seen:
    sink = Sink()
    parser = httptools.HttpRequestParser(sink)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return Seen(None, False)  # left to the application, which would have to read on by itself
    except httptools.HttpParserError:
        pass
    if not sink.done:
        return Seen(None, False)
    return Seen(sink.bodies[0], None if sink.done == 1 and len(sink.urls) == 1 else b"/canary" in sink.urls[1:])


def by_proxy(peer: Proxy) -> Callable[[bytes], Seen]:
    def ask(data: bytes) -> Seen:
        before = len(peer.recorder.bodies)
        statuses = answers(speak(peer.port, data))
        accepted = peer.recorder.bodies[before:]
        if statuses[:1] != (200,) or not accepted:
            return Seen(None, False)
        return Seen(accepted[0], None if len(statuses) == 1 else statuses[1] == 200)

    return ask


def by_us(world: World, data: bytes) -> Seen:
    seen = len(world.simulator.calls())
    statuses = answers(speak(world.plane.port, data))
    calls = world.simulator.settled(seen)[seen:]
    for call in calls:  # whatever reaches an upstream is framed by us
        assert call.header("transfer-encoding") == ""
        assert call.header("content-length") == str(len(world.simulator.body(call)))
    if statuses[:1] != (200,) or not calls:
        return Seen(None, False)
    return Seen(world.simulator.body(calls[0]), None if len(statuses) == 1 else statuses[1] == 404)


Peers = dict[str, Callable[[bytes], Seen]]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    folder: Path = tmp_path_factory.mktemp("proxies")
    with proxy("nginx", folder / "nginx") as nginx, proxy("haproxy", folder / "haproxy") as haproxy:
        yield {"h11": by_h11, "httptools": by_httptools, "nginx": by_proxy(nginx), "haproxy": by_proxy(haproxy)}


def agree(world: World, peers: Peers, data: bytes) -> Seen:
    ours = by_us(world, data)
    if ours.body is None:
        return ours  # refused: nothing was sent on
    for name, ask in peers.items():
        theirs = ask(data)
        if theirs.body is None:
            continue  # stricter than we are: nothing passes there that could pass us
        assert theirs.body == ours.body, (name, data)
        assert None in (theirs.canary, ours.canary) or theirs.canary == ours.canary, (name, data)
    return ours


@pytest.mark.faults
@pytest.mark.promise("P-18", bound="no disagreement with nginx, HAProxy, h11 and httptools on where a request ends")
def test_the_table_is_read_alike(world: World, peers: Peers) -> None:
    plain = next(row for row in ROWS if row.name == "plain")
    assert {ask(plain.data + CANARY) for ask in peers.values()} == {Seen(BODY, True)}
    for row in ROWS:
        agree(world, peers, row.data + CANARY)


@pytest.mark.faults
@pytest.mark.promise("P-18")
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(messages())
def test_requests_of_every_framing_are_read_alike(world: World, peers: Peers, data: bytes) -> None:
    ours = agree(world, peers, data + CANARY)
    event("refused" if ours.body is None else "accepted")
