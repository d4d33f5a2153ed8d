"""Every fault does what its name says, at the byte or event that was asked for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.faults import Piece, plan_stream, plan_whole
from fastgate.sim.render import Event, sse
from fastgate.sim.server import Simulator
from tests.support.raw import Reply, dechunk, exchange, post

EVENTS = [Event(sse("message_start", {"message": {}})), *(Event(sse("x", {"n": n}), 4 * n) for n in range(1, 6))]


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    simulator = Simulator()
    await simulator.start()
    yield simulator
    await simulator.close()


async def ask(sim: Simulator, fault: str, *, stream: bool = True, timeout_s: float = 5.0) -> Reply:
    body: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return await exchange(sim.port, post(body | {"stream": stream}, x_sim=fault), timeout_s)


def wire(behaviour: Behaviour, *, whole: bool = False) -> list[Piece]:
    events: Iterator[Event] = iter(EVENTS)
    plan = plan_whole(b'{"a":1}', behaviour, "req") if whole else plan_stream(events, behaviour, "req")
    return list(plan.pieces)


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces)


@given(st.integers(0, 3000), st.booleans(), st.sampled_from(["rst", "fin"]))
def test_a_cut_is_a_prefix_and_never_says_more_than_it_sent(size: int, whole: bool, cut: Any) -> None:
    full = joined(wire(Behaviour(), whole=whole))
    pieces = wire(Behaviour(cut=cut, cut_bytes=size), whole=whole)
    sent = joined(pieces)
    assert sent == full[:size]
    rest = sent.partition(b"\r\n\r\n")[2]
    told = rest.count(b"\n\r\n") if not whole else int(rest == b'{"a":1}')
    assert pieces[-1].events <= told + 1
    if not whole and sent:
        assert pieces[-1].events == len([event for event in EVENTS if chunked(event.data) in sent])


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@given(st.integers(1, 100_000))
def test_a_trickle_changes_no_byte(bytes_per_s: int) -> None:
    pieces = wire(Behaviour(bytes_per_s=bytes_per_s))
    assert joined(pieces) == joined(wire(Behaviour()))
    duration_s = sum(piece.delay_s for piece in pieces)
    assert duration_s >= len(joined(pieces)) / bytes_per_s * 0.99


@pytest.mark.parametrize("cut_event", range(7))
def test_cut_after_so_many_events(cut_event: int) -> None:
    pieces = wire(Behaviour(cut="fin", cut_event=cut_event))
    payload = b"".join(event.data for event in EVENTS[:cut_event])
    assert dechunk(joined(pieces).partition(b"\r\n\r\n")[2]) == payload
    assert not joined(pieces).endswith(b"0\r\n\r\n")


def test_a_clean_cut_ends_its_framing() -> None:
    for behaviour, payload in [
        (Behaviour(cut="clean", cut_event=2), b"".join(event.data for event in EVENTS[:2])),
        (Behaviour(cut="clean", cut_bytes=30), b"".join(event.data for event in EVENTS)[:30]),
    ]:
        sent = joined(wire(behaviour)).partition(b"\r\n\r\n")[2]
        assert dechunk(sent) == payload and sent.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("cut", "ended"), [("rst", "rst"), ("fin", "fin")])
async def test_cuts_on_a_real_socket(sim: Simulator, cut: str, ended: str) -> None:
    nothing = await ask(sim, f"cut cut={cut}")
    assert (nothing.data, nothing.ended) == (b"", ended)
    some = await ask(sim, f"cut cut={cut} cut_event=4")
    assert [kind for kind, _ in some.events()][:1] == ["message_start"]
    assert (len(some.events()), some.ended) == (4, ended)
    ends = await sim.log.wait_ended(2)
    assert [line.outcome for line in ends] == ["cut", "cut"]
    assert ends[0].told.input_tokens == 0 < ends[1].told.input_tokens
    assert ends[1].told.output_tokens == 4


async def test_error_status_with_headers(sim: Simulator) -> None:
    reply = await ask(sim, 'error status=429 retry_after=7 should_retry=false message="slow down" header.x-more=1')
    assert reply.status == 429
    assert reply.json()["error"] == {"type": "rate_limit_error", "message": "slow down"}
    assert (reply.headers["retry-after"], reply.headers["x-should-retry"], reply.headers["x-more"]) == (
        "7",
        "false",
        "1",
    )
    for status in (400, 401, 403, 413, 500, 529):
        assert (await ask(sim, f"error status={status}")).status == status
    html = await ask(sim, "error status=502 body=<h1>no</h1> content_type=text/html")
    assert (html.body, html.headers["content-type"]) == (b"<h1>no</h1>", "text/html")


async def test_error_event(sim: Simulator) -> None:
    for at in (0, 1, 5):
        events = (await ask(sim, f"sse-error error_at={at} error_type=overloaded_error message=busy")).events()
        assert len(events) == at + 1
        assert events[-1][0] == "error" and events[-1][1]["error"] == {"type": "overloaded_error", "message": "busy"}


async def test_stalls_and_gaps(sim: Simulator) -> None:
    silent = await ask(sim, "fault stall_head_s=60", timeout_s=0.2)
    assert (silent.data, silent.ended) == (b"", "timeout")
    headed = await ask(sim, "fault stall_first_s=60", timeout_s=0.2)
    assert headed.status == 200 and headed.body == b""
    stuck = await ask(sim, "stall stall_at=3", timeout_s=0.2)
    assert len(stuck.events()) == 3 and stuck.ended == "timeout"
    late = await ask(sim, "stall stall_at=3 stall_s=0.1")
    assert late.ended == "open"
    ends = await sim.log.wait_ended(4)
    assert [line.outcome for line in ends] == ["client_gone"] * 3 + ["complete"]
    assert all(line.gone_ns for line in ends[:3])


async def test_framings(sim: Simulator) -> None:
    usual = (await ask(sim, "answer")).body
    by_length = await ask(sim, "answer framing=length")
    assert int(by_length.headers["content-length"]) == len(by_length.body)
    closed = await ask(sim, "answer framing=close")
    old = await ask(sim, "answer http=1.0")
    assert closed.ended == old.ended == "fin" and old.data.startswith(b"HTTP/1.0 200")
    after = await ask(sim, "answer close=true")
    assert after.headers["connection"] == "close"
    for reply in (by_length, closed, old, after):
        assert len(reply.body) == len(usual)
    whole = await ask(sim, "answer framing=chunked", stream=False)
    assert whole.headers["transfer-encoding"] == "chunked" and whole.json()["type"] == "message"


async def test_oddities_of_the_head(sim: Simulator) -> None:
    hinted = await ask(sim, "answer interim=3", stream=False)
    assert hinted.data.count(b"HTTP/1.1 103") == 3 and hinted.status == 200 and hinted.json()["type"] == "message"
    trailed = await ask(sim, "answer trailers=true")
    assert trailed.data.endswith(b"0\r\nx-sim-trailer: yes\r\n\r\n")
    moved = await ask(sim, "error status=307 location=http://127.0.0.1:1/v1/messages")
    assert (moved.status, moved.headers["location"]) == (307, "http://127.0.0.1:1/v1/messages")


async def test_unasked_gzip(sim: Simulator) -> None:
    stream = await ask(sim, "answer gzip=true")
    assert b"message_stop" in gzip.decompress(stream.body)
    partial = await ask(sim, "cut gzip=true cut=fin cut_event=3")
    assert zlib.decompressobj(wbits=31).decompress(partial.body).count(b"event: ") == 3
    whole = await ask(sim, "answer gzip=true", stream=False)
    assert b'"type":"message"' in gzip.decompress(whole.body)


@pytest.mark.parametrize("kind", ["binary", "text", "utf8", "json", "unterminated", "html", "chunk", "comments"])
async def test_garbage(sim: Simulator, kind: str) -> None:
    reply = await ask(sim, f"garbage garbage={kind} garbage_at=2", timeout_s=0.5)
    assert reply.status == 200
    expected = {
        "binary": bytes(range(256)),
        "text": b"no event",
        "utf8": b"\xff\xfe",
        "json": b'"delta":{"type"\n\n',
        "html": b"<h1>",
        "chunk": b"zz\r\n",
        "comments": b": still here\n\n\r\n",
        "unterminated": b'"text":""}}\r\n0\r\n\r\n',
    }
    assert expected[kind] in reply.data
    assert (b"message_stop" in reply.data) == (kind in ("binary", "text", "utf8", "json"))
    if kind != "comments":
        assert (await ask(sim, f"garbage garbage={kind}", stream=False)).status == 200


async def test_forms_of_usage(sim: Simulator) -> None:
    def stated(reply: Reply) -> list[Any]:
        found = [data.get("message", data).get("usage", "none") for kind, data in reply.events() if "message_" in kind]
        return [usage if usage == "none" else usage.get("output_tokens") for usage in found[:-1]]

    dictated = "usage usage=output:20"
    assert stated(await ask(sim, dictated)) == [1, 20]
    assert stated(await ask(sim, f"{dictated} usage_form=missing")) == ["none", "none"]
    assert stated(await ask(sim, f"{dictated} usage_form=start-only")) == [1, "none"]
    assert stated(await ask(sim, f"{dictated} usage_form=delta-only")) == ["none", 20]
    assert stated(await ask(sim, f"{dictated} usage_form=twice")) == [1, 10, 20]
    assert stated(await ask(sim, f"{dictated} usage_form=decreasing")) == [40, 20]
    assert stated(await ask(sim, f"{dictated} usage_form=falling")) == [1, 20, 10]
    raw = await ask(sim, """usage 'usage_raw={"output_tokens":1e30,"input_tokens":-5}'""")
    assert b'"usage":{"output_tokens":1e30,"input_tokens":-5}' in raw.data
    whole = await ask(sim, """usage 'usage_raw="lots"'""", stream=False)
    assert whole.json()["usage"] == "lots"


async def test_huge_event_and_long_text(sim: Simulator) -> None:
    huge = await ask(sim, "huge huge_bytes=3000000")
    deltas = [data["delta"]["text"] for kind, data in huge.events() if kind == "content_block_delta"]
    assert len(deltas[0]) == 3_000_000
    long = await ask(sim, "text tokens=5000 delta_chars=1000")
    text = "".join(data["delta"]["text"] for kind, data in long.events() if kind == "content_block_delta")
    assert len(text) == 20_000
    await sim.log.wait_ended(2)
    assert sim.log.started[1].usage.output_tokens == 5000
