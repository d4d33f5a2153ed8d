"""Workers killed while they store, and stores that go away: what is kept is what a client got, and calls go on."""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec
import psutil
import pytest

from fastgate.caching.disk import Disk
from tests.support.caching import cache_of, without_closing
from tests.support.plane import CACHE, Plane, endpoint
from tests.support.redis import redis_server
from tests.support.sim import SimProcess, running

pytestmark = pytest.mark.faults

KILLS = 5
REST_S = 2.0
"""After the last: where a worker was killed while it opened the file, that is set aside and another is begun."""


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimProcess]:
    with running(tmp_path_factory.mktemp("sim")) as process:
        yield process


def worker_pids(plane: Plane) -> list[int]:
    assert plane.process is not None
    return [child.pid for child in psutil.Process(plane.process.pid).children() if "resource" not in child.name()]


def kill_some_worker(plane: Plane) -> None:
    pids = worker_pids(plane)
    if pids:
        os.kill(random.choice(pids), signal.SIGKILL)


def ask_while_workers_die(plane: Plane, wording: str) -> dict[str, bytes]:
    """What clients got in whole answers, by question; the plane is stopped then. `wording` has {lane}, {number}, and
    {ask}, which tells the simulator how long an answer is."""
    got: dict[str, bytes] = {}
    stop = threading.Event()

    def ask(lane: int) -> None:
        number = 0
        while not stop.is_set():
            text = wording.format(ask=f"[[sim:text tokens={50 + number % 400}]]", lane=lane, number=number)
            number += 1
            try:
                answer = plane.message(text, stream=True)
                if answer.status == 200:
                    got[text] = without_closing(answer.body)
            except (OSError, http.client.HTTPException, AssertionError):
                time.sleep(0.05)

    lanes = [threading.Thread(target=ask, args=(lane,)) for lane in range(4)]
    for thread in lanes:
        thread.start()
    for _ in range(KILLS):
        time.sleep(0.35)
        kill_some_worker(plane)
    time.sleep(REST_S)
    stop.set()
    for thread in lanes:
        thread.join()
    plane.stop()
    return got


def test_kill_9_during_stores_leaves_no_entry_that_differs(simulator: SimProcess, tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint(simulator.url),), workers=2, cache=CACHE).start()
    got = ask_while_workers_die(plane, "{ask} {lane}-{number}")
    disk = Disk(plane.state.cache_dir, CACHE.disk_bytes)
    bodies = {entry.body for find, _, _ in disk.heads() if (entry := disk.get(find)) is not None}
    facts = disk.facts()
    disk.close()
    assert facts["damaged"] == 0
    assert len(bodies) > 20, f"{len(bodies)} entries of {len(got)} answers"
    sent = set(got.values())
    unknown = [body for body in bodies if body not in sent]
    assert all(body.endswith(b'data: {"type":"message_stop"}\n\n') for body in unknown), "whole, its client was cut off"
    assert len(unknown) <= 4 * KILLS
    again = Plane(tmp_path, (endpoint(simulator.url),), workers=2, cache=CACHE).start()
    try:
        hits = 0
        for text, body in random.sample(sorted(got.items()), min(40, len(got))):
            answer = again.message(text, stream=True)
            if cache_of(answer) == "hit":
                hits += 1
                assert without_closing(answer.body) == body
        assert hits > 0
    finally:
        again.stop()


def test_workers_share_within_a_second(simulator: SimProcess, tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint(simulator.url),), workers=2, cache=CACHE).start()
    try:
        simulator.fresh()
        plane.message("shared by workers")
        time.sleep(1.0)
        assert {cache_of(plane.message("shared by workers")) for _ in range(20)} == {"hit"}
        assert len(simulator.settled(1)) == 1
    finally:
        plane.stop()


def test_machines_share_a_redis_and_live_without_it(simulator: SimProcess, tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        policy = msgspec.structs.replace(CACHE, store=server.url)
        one, two = (Plane(tmp_path / name, (endpoint(simulator.url),), cache=policy).start() for name in ("a", "b"))
        try:
            simulator.fresh()
            first = one.message("over machines", stream=True)
            time.sleep(0.2)
            second = two.message("over machines", stream=True)
            assert (cache_of(first), cache_of(second)) == ("miss", "hit")
            assert without_closing(first.body) == without_closing(second.body)
            server.stop()
            time.sleep(0.2)
            begun = time.monotonic()
            assert cache_of(one.message("without redis")) == "miss"
            assert cache_of(one.message("without redis")) == "hit", "its own memory"
            assert cache_of(two.message("without redis")) == "miss"
            assert time.monotonic() - begun < 10
            server.start()
            deadline = time.monotonic() + 20
            number = 0
            while True:
                number += 1
                one.message(f"redis again {number}")
                time.sleep(0.1)
                if cache_of(two.message(f"redis again {number}")) == "hit":
                    break
                assert time.monotonic() < deadline
        finally:
            one.stop()
            two.stop()


def test_a_damaged_entry_is_asked_for_again(simulator: SimProcess, tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint(simulator.url),), cache=CACHE).start()
    body = plane.message("to be damaged").body
    plane.stop()
    disk = Disk(plane.state.cache_dir, CACHE.disk_bytes)
    (find,) = (find for find, _, _ in disk.heads())
    with disk._env.begin(write=True, db=disk._entries) as txn:
        blob = bytearray(txn.get(find))
        blob[-5] ^= 1
        txn.put(find, bytes(blob))
    disk.close()
    again = Plane(tmp_path, (endpoint(simulator.url),), cache=CACHE).start()
    try:
        answer = again.message("to be damaged")
        assert cache_of(answer) == "miss"
        assert answer.json()["content"] == msgspec.json.decode(body)["content"]
        assert cache_of(again.message("to be damaged")) == "hit"
    finally:
        again.stop()
    disk = Disk(plane.state.cache_dir, CACHE.disk_bytes)
    assert (disk.facts()["damaged"], disk.facts()["entries"]) in ((1, 1), (0, 1)), disk.facts()
    disk.close()


@pytest.mark.skipif(find_spec("hnswlib") is None, reason="the semantic extra is not installed")
def test_kill_9_leaves_no_question_with_an_answer_that_was_not_its(simulator: SimProcess, tmp_path: Path) -> None:
    """Reworded, each question gets what the client of the first wording got, byte for byte, or the provider."""
    from tests.support.semantic import CACHE_ON

    plane = Plane(tmp_path, (endpoint(simulator.url),), workers=2, cache=CACHE_ON).start()
    got = ask_while_workers_die(plane, "explain ticket {lane}-{number} {ask}")
    again = Plane(tmp_path, (endpoint(simulator.url),), workers=2, cache=CACHE_ON).start()
    try:
        time.sleep(3.0)  # the log is read meanwhile
        hits = 0
        for text, body in random.sample(sorted(got.items()), min(60, len(got))):
            answer = again.message("please " + text, stream=True)
            if cache_of(answer) == "hit-semantic":
                hits += 1
                assert without_closing(answer.body) == body
        assert hits > 10, f"{hits} hits of {len(got)} answers"
    finally:
        again.stop()
