"""The talk of neighbours by itself: however its bytes are cut, followers get what was said, and its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.caching import lender as lenders
from fastgate.caching.answers import Answers
from fastgate.caching.claims import Claims, offset
from fastgate.caching.entry import Entry
from fastgate.caching.flights import Flight, Stage
from fastgate.caching.lender import WAITING_BYTES, Lender
from fastgate.caching.neighbours import FRAME_BYTES_MAX, Mirror, Neighbours
from fastgate.gateway.rooms import cache
from tests.support.plane import CACHE
from tests.unit.caching.test_tiers import entry, find_of


class Key:
    def __init__(self, number: int) -> None:
        self.find, self.proof = find_of(number), number.to_bytes(32, "big")


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def writelines(self, pieces: tuple[bytes, ...]) -> None:
        self.sent += b"".join(pieces)

    def close(self) -> None:
        self.closed = True

    abort = close

    def set_write_buffer_limits(self, high: int) -> None: ...


class Pump:
    """What a leader's connection is to its flight."""

    def __init__(self) -> None:
        self.tape: list[bytes] | None = []
        self.shared: Callable[[], object] | None = None

    def share(self, listener: Callable[[], object]) -> None:
        self.shared = listener

    def unshare(self) -> None:
        self.shared = None


class Nowhere:
    """Neighbours without a socket."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.flights: dict[bytes, Flight] = {}

    def opened(self, transport: Any) -> None: ...
    def closed(self, transport: Any) -> None: ...

    def is_afar(self, flight: Flight) -> bool:
        return False


def follower(here: Any, key: Any) -> tuple[Mirror, Wire]:
    mirror, wire = Mirror(here, key, 1), Wire()
    assert mirror.flight.join(key.proof)
    mirror.connection_made(wire)  # type: ignore[arg-type]
    return mirror, wire


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    st.lists(st.integers(0, 400), max_size=12),
    st.sampled_from(["whole", "stream", "broken", "nothing"]),
)
def test_followers_get_what_was_said_however_it_is_cut(chunks: list[bytes], cuts: list[int], end: str) -> None:
    async def run() -> None:
        here, pump, key = Nowhere(), Pump(), Key(7)
        flight = here.flights[key.find] = Flight(key.proof, "fg-x-1", lambda: pump)
        lender, there = Lender(here), Wire()  # type: ignore[arg-type]
        lender.connection_made(there)  # type: ignore[arg-type]
        mirror, wire = follower(here, key)
        for at in range(0, len(wire.sent), 7):
            lender.data_received(wire.sent[at : at + 7])
        made: Entry | None = entry(7, b"".join(chunks)) if end in ("whole", "stream") else None
        if end in ("stream", "broken"):
            flight.stream_begins(("m", "up", "anthropic"))
            for chunk in chunks:
                assert pump.tape is not None
                pump.tape.append(chunk)
                flight.wake()
                await asyncio.sleep(0)
        flight.end(made, 42, "truncated" if end == "broken" else "", broken=end == "broken")
        await asyncio.sleep(0)
        said, places = there.sent, sorted({0, *(min(cut, len(there.sent)) for cut in cuts), len(there.sent)})
        for start, stop in pairwise(places):
            mirror.data_received(said[start:stop])
        told = mirror.flight
        assert (told.entry, told.cost_nano, told.broken) == (made, 42, end == "broken")
        assert told.stage is (Stage.DONE if made is not None else Stage.FAILED)
        if end in ("stream", "broken"):
            assert told.tape == chunks
            assert told.origin == ("m", "up", "anthropic")
        assert (flight.followers, there.closed, wire.closed) == (0, True, True)
        lender.connection_lost(None)
        mirror.connection_lost(None)
        assert told.entry == made, "the end is the end"

    asyncio.run(run())


CHUNKS = [number.to_bytes(2, "big") * 32 * 1024 for number in range(800)]
"""A stream of 50 MB."""


@pytest.mark.parametrize("again", [True, False])
async def test_a_neighbour_that_stops_reading_holds_no_more_than_a_bound(
    again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the rest when it reads again in time; else it is given up, and whoever followed there falls back."""
    monkeypatch.setattr(lenders, "SILENT_S", 5 if again else 0.1)
    here, pump, key = Neighbours(tmp_path, asyncio.get_running_loop()), Pump(), Key(7)
    lent: list[Lender] = []

    def met(lender: Lender) -> None:
        lent.append(lender)

    monkeypatch.setattr(Lender, "_beat", met)
    flight = here.lead(key, "fg-x-1", lambda: pump)  # type: ignore[arg-type]
    mirror = Mirror(Nowhere(), key, os.getpid())  # type: ignore[arg-type]
    mirror._watching.cancel()
    assert mirror.flight.join(key.proof)
    try:
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
            await mirror.dial(here._path(os.getpid()))
            while not lent:
                await asyncio.sleep(0)
            mirror._transport.pause_reading()
            flight.stream_begins(("m", "up", "anthropic"))
            assert pump.tape is not None
            for chunk in CHUNKS:
                pump.tape.append(chunk)
                flight.wake()
                await asyncio.sleep(0)
                assert lent[0]._transport.get_write_buffer_size() <= WAITING_BYTES + len(chunk)
            flight.end(None, 42, "", broken=False)
            while flight.followers and not again:
                await asyncio.sleep(0.01)
            mirror._transport.resume_reading()
            while mirror.flight.stage is not Stage.FAILED:
                await asyncio.sleep(0.001)
            assert (mirror.flight.broken, mirror.tape == CHUNKS) == (not again, again)
            assert flight.followers == 0
    finally:
        here.close()


async def test_who_asks_for_another_question_or_too_late_is_refused() -> None:
    here, key = Nowhere(), Key(7)
    flight = here.flights[key.find] = Flight(key.proof, "fg-x-1", Pump)
    other = Key(7)
    other.proof = b"forged".ljust(32)
    for asked in (Key(8), other):
        lender, wire = Lender(here), Wire()  # type: ignore[arg-type]
        lender.connection_made(wire)  # type: ignore[arg-type]
        lender.data_received(asked.find + asked.proof)
        assert wire.closed
        mirror, mine = follower(here, asked)
        mirror.data_received(wire.sent)
        assert (mirror.flight.stage, mine.closed) == (Stage.FAILED, True)
    assert flight.followers == 0


async def test_a_frame_that_is_too_long_ends_it() -> None:
    mirror, wire = follower(Nowhere(), Key(7))
    mirror.data_received(b"c" + (FRAME_BYTES_MAX + 1).to_bytes(4, "little"))
    assert wire.closed
    mirror.connection_lost(None)
    assert mirror.flight.stage is Stage.FAILED


HOLDER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from fastgate.caching.answers import Answers
from fastgate.caching.claims import Claims
claims = Claims(Path(sys.argv[1]))
print([claims.take(bytes.fromhex(find)) for find in sys.argv[2:]], flush=True)
sys.stdin.readline()
"""


def test_a_claim_is_one_process_s_and_ends_with_it(tmp_path: Path) -> None:
    finds = [os.urandom(16) for _ in range(3)]
    command = [sys.executable, "-c", HOLDER, str(tmp_path), *(find.hex() for find in finds[:2])]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    claims = Claims(tmp_path)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"[0, 0]\n"
        assert [claims.take(find) for find in finds] == [holder.pid, holder.pid, 0]
        claims.give(finds[0])  # not ours: nothing happens
        assert claims.take(finds[0]) == holder.pid
        holder.kill()
        holder.wait()
        assert [claims.take(find) for find in finds] == [0, 0, 0]
    finally:
        holder.kill()
        holder.communicate()
        claims.close()


@given(st.binary(min_size=16, max_size=16))
def test_every_question_has_a_byte_that_can_be_locked(find: bytes) -> None:
    assert 0 <= offset(find) < 2**62


async def test_sockets_of_the_dead_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "4194309").touch()  # above any process id
    (tmp_path / str(os.getppid())).touch()
    here = Neighbours(tmp_path / ".", asyncio.get_running_loop())
    await asyncio.sleep(0.01)
    assert sockets(tmp_path) == {str(os.getpid()), str(os.getppid())}
    here.close()
    assert sockets(tmp_path) == {str(os.getppid())}


def sockets(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith("claims.")}


async def test_a_state_directory_may_have_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    here = Neighbours(folder, asyncio.get_running_loop())
    try:
        await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(here._path(os.getpid()))
        writer.write(bytes(48))
        assert await reader.read() == b"r\0\0\0\0"
        writer.close()
        await writer.wait_closed()
    finally:
        here.close()


async def test_where_no_socket_can_be_made_a_worker_shares_with_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(self: Neighbours, pid: int) -> str:
        raise PermissionError("no sockets here")

    monkeypatch.setattr(Neighbours, "_path", refused)
    answers = Answers(CACHE, tmp_path, asyncio.get_running_loop())
    try:
        here, key = answers.neighbours, Key(1)
        assert (here.connected, "no sockets here" in caplog.text) == (False, True)
        assert here.ahead(key) is None  # type: ignore[arg-type]
        flight = here.lead(key, "fg-x-1", lambda: None)  # type: ignore[arg-type]
        assert here.ahead(key) is flight  # type: ignore[arg-type]
        here.land(key.find, flight)
        assert here.ahead(key) is None  # type: ignore[arg-type]
    finally:
        answers.close()


async def test_who_shares_nothing_under_way_makes_no_socket(tmp_path: Path) -> None:
    alone = Answers(msgspec.structs.replace(CACHE, in_flight=False), tmp_path, asyncio.get_running_loop())
    assert not (tmp_path / "flights").exists()
    both = Answers(CACHE, tmp_path, asyncio.get_running_loop(), before=alone)
    assert both.neighbours.connected
    again = Answers(CACHE, tmp_path, asyncio.get_running_loop(), before=both)
    assert again.neighbours is both.neighbours
    again.close()


async def test_an_answer_that_cannot_be_shared_frees_its_claim_at_once(tmp_path: Path) -> None:
    """A budget left less output: the call goes on for minutes, and nobody waits for it or is kept from leading."""
    answers = Answers(CACHE, tmp_path, asyncio.get_running_loop())
    try:
        here, key = answers.neighbours, Key(1)
        assert here.ahead(key) is None  # type: ignore[arg-type]
        flight = here.lead(key, "fg-x-1", lambda: None)  # type: ignore[arg-type]
        asked = SimpleNamespace(key=key, flight=flight, max_tokens=900, model="m")
        call: Any = SimpleNamespace(
            asked=asked, pump=Pump(), model_used="m", request=SimpleNamespace(max_tokens=100),
            snapshot=SimpleNamespace(cache=CACHE),
        )  # fmt: skip
        cache.tap(call, answers)
        assert (flight.stage, here.flights) == (Stage.FAILED, {})
        assert taken_elsewhere(tmp_path / "flights", key.find)
    finally:
        answers.close()


def taken_elsewhere(folder: Path, find: bytes) -> bool:
    """Whether another process gets the claim."""
    command = [sys.executable, "-c", HOLDER, str(folder), find.hex()]
    done = subprocess.run(command, input=b"\n", stdout=subprocess.PIPE, check=True)
    return done.stdout == b"[0]\n"
