"""One answer for many, over workers: who follows another worker's call gets it live, whole, and for nothing."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from fastgate.caching.neighbours import FIRST_S
from fastgate.sim.behaviour import Behaviour
from tests.support.caching import without_closing
from tests.support.plane import CACHE, KEY, Plane, body, endpoint
from tests.support.redis import redis_server
from tests.support.sim import SimProcess

WORKERS = 2


@pytest.fixture(scope="module")
def plane(simulator: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    folder = tmp_path_factory.mktemp("neighbours")
    made = Plane(folder, (endpoint(simulator.url),), workers=WORKERS, cache=CACHE)
    yield made.start()
    made.stop()


class Lane:
    """A client's kept connection, and so always the same worker's."""

    def __init__(self, plane: Plane) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
        self.response: http.client.HTTPResponse | None = None
        try:
            self.connection.request("POST", "/v1/messages", "{}", {"x-api-key": KEY})
            answer = self.connection.getresponse()
        except OSError:
            self.connection.close()
            raise
        answer.read()
        self.worker = answer.headers["x-fastgate-call-id"].split("-")[1]  # of a refusal too

    def ask(self, text: str, stream: bool = False, **changes: Any) -> Lane:
        sent = json.dumps(body(text, stream, **changes))
        self.connection.request("POST", "/v1/messages", sent, {"x-api-key": KEY})
        return self

    def head(self) -> Lane:
        self.response = self.connection.getresponse()
        self.cache = self.response.headers["x-fastgate-cache"]
        self.status = self.response.status
        return self

    def read(self, least: bool = False) -> bytes:
        """The rest of the answer, or what is there of it."""
        assert self.response is not None
        return self.response.read1(65536) if least else self.response.read()

    def whole(self) -> bytes:
        return self.head().read()

    def leave(self) -> None:
        if self.response is not None:
            self.response.close()
        self.connection.close()

    @classmethod
    def after_a_death(cls, plane: Plane) -> Lane:
        """Connections that the dead worker had not taken yet are reset."""
        while True:
            try:
                return cls(plane)
            except OSError:
                time.sleep(0.02)


@pytest.fixture
def lanes(plane: Plane, simulator: SimProcess) -> Iterator[list[Lane]]:
    yield from one_to_each(plane, simulator)


def one_to_each(plane: Plane, simulator: SimProcess) -> Iterator[list[Lane]]:
    """A connection to each worker."""
    found: dict[str, Lane] = {}
    others = []
    deadline = time.monotonic() + 20
    while len(found) < WORKERS:
        assert time.monotonic() < deadline, "the kernel gives one worker all connections"
        lane = Lane(plane)
        if lane.worker in found:
            others.append(lane)
        else:
            found[lane.worker] = lane
    simulator.fresh()
    yield list(found.values())
    simulator.unscript()
    for lane in [*found.values(), *others]:
        lane.leave()
    plane.wait_idle()


@pytest.mark.parametrize(
    ("first_streams", "second_streams"), [(True, True), (True, False), (False, True), (False,) * 2]
)
def test_workers_buy_once(
    plane: Plane, lanes: list[Lane], simulator: SimProcess, first_streams: bool, second_streams: bool
) -> None:
    first, second = lanes
    before = plane.recorded()
    text = f"[[sim:text gap_ms=10 tokens=60 stall_head_s=0.3]] {first_streams} {second_streams}"
    first.ask(text, first_streams)
    time.sleep(0.1)
    second.ask(text, second_streams)
    bought, given = first.whole(), second.whole()
    assert (first.cache, second.cache) == ("miss", "hit-inflight")
    if first_streams and second_streams:
        assert without_closing(bought) == without_closing(given)
    elif not first_streams and not second_streams:
        assert bought == given
    else:
        assert b"end_turn" in given
    assert len(simulator.settled(1)) == 1
    records = {record.cache: record for record in plane.settled(before + 2)[before:]}
    assert records["miss"].cost_nano == records["hit-inflight"].saved_nano > 0
    assert records["hit-inflight"].cost_nano == 0
    assert second.ask(text, second_streams).whole()
    assert second.cache == "hit"


def test_a_stream_is_followed_live(lanes: list[Lane], simulator: SimProcess) -> None:
    first, second = lanes
    text = "[[sim:text gap_ms=40 tokens=100]] live over workers"
    first.ask(text, True).head()
    time.sleep(0.3)
    begun = time.monotonic()
    second.ask(text, True).head().read(least=True)
    at_first_byte = time.monotonic() - begun
    rest = second.read()
    assert b"message_stop" in rest
    assert at_first_byte < (time.monotonic() - begun) / 2, "the follower waited for the end"
    first.read()
    assert len(simulator.settled(1)) == 1


def test_when_the_first_leaves_the_other_still_gets_it(plane: Plane, lanes: list[Lane], simulator: SimProcess) -> None:
    first, second = lanes
    text = "[[sim:text gap_ms=40 tokens=60]] leaving over workers"
    first.ask(text, True).head()
    second.ask(text, True).head()
    time.sleep(0.2)
    first.leave()
    assert b"message_stop" in second.read()
    (call,) = simulator.settled(1)
    assert call.ended is not None
    assert call.ended.outcome == "complete"


def test_when_all_leave_the_upstream_is_let_go(plane: Plane, lanes: list[Lane], simulator: SimProcess) -> None:
    first, second = lanes
    text = "[[sim:text gap_ms=50 tokens=400]] all leave over workers"
    first.ask(text, True).head()
    second.ask(text, True).head()
    time.sleep(0.1)
    first.leave()
    time.sleep(0.2)
    second.leave()
    (call,) = simulator.settled(1)
    assert call.ended is not None
    assert call.ended.outcome == "client_gone"


def test_when_the_upstream_fails_each_falls_back_by_itself(lanes: list[Lane], simulator: SimProcess) -> None:
    first, second = lanes
    simulator.script(Behaviour(status=529, stall_head_s=0.3), n=1)
    first.ask("falls back over workers")
    time.sleep(0.1)
    second.ask("falls back over workers")
    first.whole(), second.whole()
    assert (first.status, second.status, second.cache) == (529, 200, "miss")
    assert len(simulator.settled(2)) == 2


def test_a_stream_that_breaks_off_breaks_off_for_all(lanes: list[Lane], simulator: SimProcess) -> None:
    first, second = lanes
    text = "[[sim:text gap_ms=50 tokens=40 cut=fin cut_event=12]] broken over workers"
    first.ask(text, True).head()
    second.ask(text, True).head()
    for lane in lanes:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            lane.read()
    assert len(simulator.settled(1)) == 1


def test_a_crowd_on_all_workers_pays_once(plane: Plane, lanes: list[Lane], simulator: SimProcess) -> None:
    """All at the same moment, so that most ask for the claim at once."""
    ready, got = threading.Barrier(24), []
    lock = threading.Lock()

    def ask() -> None:
        lane = Lane(plane)
        ready.wait()
        whole = lane.ask("[[sim:text stall_head_s=0.3 tokens=40]] crowd over workers").whole()
        with lock:
            got.append((lane.cache, whole))
        lane.leave()

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(simulator.settled(1)) == 1
    assert sorted({cache for cache, _ in got}) == ["hit-inflight", "miss"]
    assert len({whole for _, whole in got}) == 1


def process_of(plane: Plane, lane: Lane) -> psutil.Process:
    """The worker of a connection: who holds its flight table."""
    assert plane.process is not None
    for child in psutil.Process(plane.process.pid).children(recursive=True):
        if any(lane.worker in file.path for file in child.memory_maps(grouped=True)):
            return child
    raise AssertionError("no process of that epoch")


def test_a_worker_that_hangs_costs_a_moment_and_no_more(plane: Plane, lanes: list[Lane], simulator: SimProcess) -> None:
    first, second = lanes
    first.ask("[[sim:text stall_head_s=2]] hangs")
    time.sleep(0.2)
    hung = process_of(plane, first)
    hung.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        second.ask("[[sim:text stall_head_s=2]] hangs").whole()
        took_s = time.monotonic() - begun
    finally:
        hung.send_signal(signal.SIGCONT)
    assert (second.status, second.cache) == (200, "miss")
    assert FIRST_S < took_s - 2.0 < FIRST_S + 1.0
    first.whole()
    assert len(simulator.settled(2)) == 2


def test_beside_a_worker_that_hangs_the_others_still_buy_once(
    plane: Plane, lanes: list[Lane], simulator: SimProcess
) -> None:
    """Whatever keeps the claim's answer from them: one of them buys in its place, and the rest follow that one."""
    first, second = lanes
    text = "[[sim:text stall_head_s=1]] hangs before a crowd"
    crowd = [second]
    while len(crowd) < 6:
        lane = Lane(plane)
        if lane.worker == second.worker:
            crowd.append(lane)
        else:
            lane.leave()
    first.ask(text)
    time.sleep(0.2)
    hung = process_of(plane, first)
    hung.send_signal(signal.SIGSTOP)
    try:
        for lane in crowd:
            lane.ask(text)
        answers = [lane.whole() for lane in crowd]
    finally:
        hung.send_signal(signal.SIGCONT)
    first.whole()
    assert sorted(lane.cache for lane in crowd) == ["hit-inflight"] * 5 + ["miss"]
    assert len(set(answers)) == 1
    assert len(simulator.settled(2)) == 2
    for lane in crowd[1:]:
        lane.leave()


@pytest.mark.parametrize("streaming", [False, True])
def test_a_claim_ends_with_its_worker(plane: Plane, lanes: list[Lane], simulator: SimProcess, streaming: bool) -> None:
    first, second = lanes
    text = f"[[sim:text gap_ms=30 tokens=60 stall_head_s={0 if streaming else 0.5}]] killed {streaming}"
    first.ask(text, True)
    if streaming:
        first.head()
    time.sleep(0.1)
    second.ask(text, True)
    if streaming:
        second.head()
    time.sleep(0.1)
    os.kill(process_of(plane, first).pid, signal.SIGKILL)
    if streaming:
        assert second.cache == "hit-inflight"
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            second.read()
        again = Lane.after_a_death(plane)
        assert b"message_stop" in again.ask(text, True).whole(), "nobody waits for the dead"
        assert again.cache == "miss"
        again.leave()
    else:
        assert b"message_stop" in second.whole()
        assert second.cache == "miss", "it bought for itself"
    assert len(simulator.settled(2)) == 2
    (plane.state.flight_dir / f"{first.worker}.flight").unlink()  # no control plane runs here that would


def test_workers_with_a_redis_buy_once(simulator: SimProcess, tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        policy = msgspec.structs.replace(CACHE, store=server.url)
        plane = Plane(tmp_path / "plane", (endpoint(simulator.url),), workers=WORKERS, cache=policy).start()
        try:
            for lanes in one_to_each(plane, simulator):
                test_workers_buy_once(plane, lanes, simulator, first_streams=True, second_streams=True)
        finally:
            plane.stop()
