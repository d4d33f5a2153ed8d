"""The fast door answers like the general one, whatever way the bytes arrive, and steps aside where it has to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.sim.conversation import Brief
from fastgate.sim.plain import PlainAnswers
from fastgate.sim.plainwire import BUFFER_BYTES, PlainConnection
from fastgate.sim.server import Settings, Simulator
from fastgate.sim.traffic import conversation
from fastgate.sim.usage import tokens_of
from tests.support.raw import Reply, exchange, post, read_reply


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    simulator = Simulator(Settings(scenario="plain", memory_log=False))
    await simulator.start()
    yield simulator
    await simulator.close()


def body(stream: bool, size: int = 0) -> bytes:
    messages = [{"role": "user", "content": "x" * size}]
    return json.dumps({"model": "claude-opus-5-5", "messages": messages, "max_tokens": 9, "stream": stream}).encode()


class Recorder(asyncio.Transport):
    """A transport that keeps what is written and what protocol it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.general: list[bytes] | None = None

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.general = []


class General(asyncio.Protocol):
    """Stands for connection.py: keeps what the fast door hands over."""

    def __init__(self) -> None:
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data


def fed(pieces: list[bytes]) -> tuple[list[tuple[Brief, int]], General, Recorder]:
    """What a fast door answered to bytes that came in these pieces, and what it handed over."""
    seen: list[tuple[Brief, int]] = []
    general, transport = General(), Recorder()

    def answer(brief: Brief, size: int) -> bytes:
        seen.append((brief, size))
        return b"answer"

    door = PlainConnection(answer, lambda: general, set())
    door.connection_made(transport)
    for piece in pieces:
        while piece and transport.general is None:
            buffer = door.get_buffer(-1)
            taken = min(len(buffer), len(piece))
            buffer[:taken] = piece[:taken]
            door.buffer_updated(taken)
            piece = piece[taken:]
        if transport.general is not None and piece:
            general.data_received(piece)
    return seen, general, transport


SIZES = [0, 5000, BUFFER_BYTES - 2000, BUFFER_BYTES + 1, 3 * BUFFER_BYTES]


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(SIZES)), min_size=1, max_size=4),
    st.lists(st.integers(1, 400_000), max_size=6),
)
def test_any_split_of_the_bytes_gives_the_same_answers(calls: list[tuple[bool, int]], splits: list[int]) -> None:
    bodies = [body(stream, size) for stream, size in calls]
    data = b"".join(post(each) for each in bodies)
    pieces, at = [], 0
    for size in splits:
        pieces.append(data[at : at + size])
        at += size
    seen, general, transport = fed([*pieces, data[at:]])
    assert [(brief.model, brief.stream, size) for brief, size in seen] == [
        ("claude-opus-5-5", stream, len(each)) for (stream, _), each in zip(calls, bodies, strict=True)
    ]
    assert transport.written == [b"answer"] * len(calls)
    assert general.received == b"" and transport.general is None


@given(st.integers(1, 400))
def test_other_requests_are_handed_over_whole(split: int) -> None:
    plain, other = post(body(False)), post(b"{}", path="/__sim/script")
    seen, general, _ = fed([(plain + other)[:split], (plain + other)[split:]])
    assert len(seen) == 1 and general.received == other


@pytest.mark.parametrize("header", [{"transfer_encoding": "chunked"}, {"expect": "100-continue"}, {"x_sim": "text"}])
def test_unusual_heads_are_handed_over(header: dict[str, str]) -> None:
    request = post(body(False), **header)
    seen, general, _ = fed([request])
    assert not seen and general.received == request


async def test_both_forms_on_a_socket(sim: Simulator) -> None:
    data = body(False)
    message = (await exchange(sim.port, post(data))).json()
    assert message["model"] == "claude-opus-5-5" and message["stop_reason"] == "end_turn"
    assert message["usage"]["input_tokens"] == tokens_of(len(data))
    assert message["usage"]["output_tokens"] == tokens_of(len(message["content"][0]["text"]))
    data = body(True)
    events = (await exchange(sim.port, post(data))).events()
    assert events[0][1]["message"]["usage"]["input_tokens"] == tokens_of(len(data))
    text = "".join(fields["delta"]["text"] for kind, fields in events if kind == "content_block_delta")
    assert text == message["content"][0]["text"]
    assert events[-2][1]["usage"]["output_tokens"] == PlainAnswers.TOKENS and events[-1][0] == "message_stop"


async def test_large_conversations_on_one_connection_then_the_script(sim: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)

    async def ask(data: bytes) -> Reply:
        writer.write(post(data))
        return await read_reply(reader)

    for stream in (True, False, True):
        data = conversation(730, stream=stream)
        reply = await ask(data)
        usage = reply.events()[0][1]["message"]["usage"] if stream else reply.json()["usage"]
        assert usage["input_tokens"] == tokens_of(len(data))
    assert (await exchange(sim.port, post(b'{"do":{"status":529},"n":1}', path="/__sim/script"))).status == 200
    assert (await ask(conversation(40))).status == 529
    assert (await ask(conversation(40))).status == 200
    writer.close()


async def test_with_a_log_the_plain_answer_is_logged() -> None:
    sim = Simulator(Settings(scenario="plain"))
    await sim.start()
    data = body(True)
    await exchange(sim.port, post(data))
    (end,) = await sim.log.wait_ended(1)
    assert sim.log.started[0].usage == end.told
    assert (end.told.input_tokens, end.told.output_tokens) == (tokens_of(len(data)), PlainAnswers.TOKENS)
    await sim.close()
