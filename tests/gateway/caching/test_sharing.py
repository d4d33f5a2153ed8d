"""One answer for many: the same question at the same time is bought once, whoever leaves and whatever fails."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.support.caching import THIRD_KEY, cache_of, set_policy, without_closing
from tests.support.plane import KEY, Answer, Plane, body
from tests.support.sim import SimProcess


def crowd(plane: Plane, text: str, count: int, **changes: Any) -> list[Answer]:
    """The same call `count` times at once; the first has a head start."""
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(plane.message(text, **changes))) for _ in range(count)]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 0:
            time.sleep(0.1)
    for thread in threads:
        thread.join()
    return sorted(answers, key=lambda answer: cache_of(answer) != "miss")


@pytest.mark.parametrize("stream", [False, True])
def test_a_crowd_pays_once(plane: Plane, simulator: SimProcess, stream: bool) -> None:
    before = plane.recorded()
    answers = crowd(plane, f"[[sim:text gap_ms=20 tokens=60 stall_head_s=0.3]] {stream}", 6, stream=stream)
    assert [cache_of(answer) for answer in answers] == ["miss"] + ["hit-inflight"] * 5
    bodies = {without_closing(answer.body) if stream else answer.body for answer in answers}
    assert len(bodies) == 1
    assert len(simulator.settled(1)) == 1
    records = sorted(plane.settled(before + 6)[before:], key=lambda record: record.cost_nano)
    paid = records[-1].cost_nano
    assert paid > 0
    assert [(r.cost_nano, r.saved_nano, r.cache) for r in records[:5]] == [(0, paid, "hit-inflight")] * 5


def test_followers_get_the_stream_as_it_comes(plane: Plane, simulator: SimProcess) -> None:
    text = "[[sim:text gap_ms=60 tokens=100]] live"
    first = threading.Thread(target=lambda: plane.message(text, stream=True))
    first.start()
    time.sleep(0.5)
    begun = time.monotonic()
    got = Stream(plane, text)
    at_first_byte = time.monotonic() - begun
    rest = got.rest()
    took = time.monotonic() - begun
    first.join()
    assert b"message_stop" in rest
    assert at_first_byte < took / 2, "the follower waited for the end"
    assert len(simulator.settled(1)) == 1


class Stream:
    """One streamed call on a socket of its own: `rest` reads it to its end, `leave` hangs up."""

    def __init__(self, plane: Plane, text: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
        self.connection.request("POST", "/v1/messages", json.dumps(body(text, True)), {"x-api-key": KEY})
        self.response = self.connection.getresponse()
        self.got = self.response.read1(65536)

    def rest(self) -> bytes:
        try:
            return self.got + self.response.read()
        finally:
            self.leave()

    def leave(self) -> None:
        self.response.close()
        self.connection.close()


def test_when_the_first_leaves_the_others_still_get_it(plane: Plane, simulator: SimProcess) -> None:
    before = plane.recorded()
    text = "[[sim:text gap_ms=50 tokens=60]] leaving"
    first = Stream(plane, text)
    answers: list[Answer] = []
    second = threading.Thread(target=lambda: answers.append(plane.message(text, stream=True)))
    second.start()
    time.sleep(0.3)
    first.leave()
    second.join()
    assert b"message_stop" in answers[0].body
    (call,) = simulator.settled(1)
    assert call.ended is not None
    assert call.ended.outcome == "complete"
    records = {record.cache: record for record in plane.settled(before + 2)[before:]}
    assert records["miss"].outcome == "client_gone"
    assert records["miss"].cost_nano == records["hit-inflight"].saved_nano > 0
    assert cache_of(plane.message(text, stream=True)) == "hit", "it was complete, and is kept"


def test_when_all_leave_the_upstream_is_let_go(plane: Plane, simulator: SimProcess) -> None:
    text = "[[sim:text gap_ms=50 tokens=400]] all leave"
    first, second = Stream(plane, text), Stream(plane, text)
    time.sleep(0.2)
    first.leave()
    time.sleep(0.3)
    second.leave()
    (call,) = simulator.settled(1)
    assert call.ended is not None
    assert call.ended.outcome == "client_gone"


def test_when_the_upstream_fails_each_falls_back_by_itself(plane: Plane, simulator: SimProcess) -> None:
    simulator.script(Behaviour(status=529, stall_head_s=0.4), n=1)
    answers = crowd(plane, "falls back", 3)
    assert sorted(answer.status for answer in answers) == [200, 200, 529]
    assert len(simulator.settled(3)) == 3
    assert {cache_of(answer) for answer in answers} == {"miss"}


def test_a_stream_that_breaks_off_breaks_off_for_all(plane: Plane, simulator: SimProcess) -> None:
    text = "[[sim:text gap_ms=50 tokens=40 cut=fin cut_event=12]] broken"
    first, second = Stream(plane, text), Stream(plane, text)
    for stream in (first, second):
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            stream.rest()
    assert len(simulator.settled(1)) == 1


def test_no_flight_without_leave(plane: Plane, simulator: SimProcess) -> None:
    set_policy(plane, in_flight=False)
    answers = crowd(plane, "[[sim:stall stall_head_s=0.4]] alone", 2)
    assert [cache_of(answer) for answer in answers] == ["miss", "miss"]
    assert len(simulator.settled(2)) == 2


def test_a_crowd_of_another_team_pays_for_itself(plane: Plane, simulator: SimProcess) -> None:
    text = "[[sim:stall stall_head_s=0.4]] two teams"
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda key=key: answers.append(plane.message(text, key=key)))
               for key in (KEY, THIRD_KEY)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [cache_of(answer) for answer in answers] == ["miss", "miss"]
