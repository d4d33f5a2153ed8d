"""Rate and concurrency limits over two workers: exact where they say so, retryable, freed by the end of a call."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastgate.journal.flight import peek
from fastgate.snapshot import RateRow
from tests.support.plane import KEY, OTHER_KEY, Answer, Plane, endpoint
from tests.support.sim import SimProcess

SLOW = "[[sim:fault stall_head_s=1.5]]"


@pytest.fixture(scope="module")
def plane(simulator: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    made = Plane(tmp_path_factory.mktemp("plane"), (endpoint(simulator.url),), workers=2).start()
    yield made
    made.stop()


def put(plane: Plane, *rows: RateRow) -> None:
    """New limits, in force in both workers. Every test limits its own subjects: buckets outlive a test."""
    plane.rates = rows
    plane.publish()
    deadline = time.monotonic() + 5
    while {peek(path).generation for path in plane.state.flight_dir.glob("*.flight")} != {plane.generation}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def together(plane: Plane, count: int, text: str = "hello", key: str = KEY) -> list[Answer]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: plane.message(text, key=key), range(count)))


def test_requests_a_minute_are_exact_over_the_workers(plane: Plane) -> None:
    put(plane, RateRow("user", "alice", 12, None, None))
    answers = together(plane, 30)
    assert Counter(answer.status for answer in answers) == {200: 12, 429: 18}
    refusal = next(answer for answer in answers if answer.status == 429)
    error = refusal.json()["error"]
    assert error["type"] == "rate_limit_error"
    wait_s = int(refusal.headers["retry-after"])
    assert 1 <= wait_s <= 5
    assert error["message"] == f"Rate limit: user alice may make 12 requests a minute. Try again in {wait_s} s."
    assert "x-should-retry" not in refusal.headers
    assert plane.message(key=OTHER_KEY, model="claude-haiku-4-5").status == 200
    counted = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "hello"}]}
    assert plane.request("POST", "/v1/messages/count_tokens", counted, x_api_key=KEY).status != 429
    put(plane)
    assert plane.message().status == 200


def test_parallel_calls_are_exact_over_the_workers_and_free_when_calls_end(plane: Plane) -> None:
    put(plane, RateRow("key", "alice-laptop", None, None, 3))
    answers = together(plane, 12, SLOW)
    assert Counter(answer.status for answer in answers) == {200: 3, 429: 9}
    refusal = next(answer for answer in answers if answer.status == 429)
    assert refusal.headers["retry-after"] == "2"
    assert "key alice-laptop may make 3 calls at a time" in refusal.json()["error"]["message"]
    plane.wait_idle()
    assert [answer.status for answer in together(plane, 3)] == [200] * 3
    put(plane)


def test_tokens_count_when_a_call_is_over_and_close_the_gate(plane: Plane) -> None:
    put(plane, RateRow("team", "platform", None, 40, None))
    first = plane.message("hello " * 100)
    assert first.status == 200
    used = first.json()["usage"]
    assert used["input_tokens"] + used["output_tokens"] > 40
    refusal = plane.message()
    assert refusal.status == 429
    assert 1 <= int(refusal.headers["retry-after"]) <= 60
    assert "team platform may make 40 tokens a minute" in refusal.json()["error"]["message"]
    put(plane)


def test_the_default_is_of_every_key_and_a_keys_own_limit_stands_before_it(plane: Plane) -> None:
    put(plane, RateRow("key", "", None, None, 1), RateRow("key", "bob-laptop", None, None, 0))
    assert Counter(answer.status for answer in together(plane, 4, SLOW)) == {200: 1, 429: 3}
    plane.wait_idle()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(plane.message, SLOW, key=OTHER_KEY, model="claude-haiku-4-5") for _ in range(4)]
    assert [call.result().status for call in calls] == [200] * 4
    put(plane)


def test_calls_that_are_refused_elsewhere_or_fail_give_their_place_back(plane: Plane) -> None:
    put(plane, RateRow("user", "alice", None, None, 1))
    for _ in range(3):
        assert plane.message("[[sim:fault status=400]]").status == 400
        assert plane.message(model="no-such-model-at-all").status != 429
    assert plane.message().status == 200
    put(plane)


@pytest.mark.faults
def test_a_killed_workers_calls_are_freed_when_its_successor_starts(simulator: SimProcess, tmp_path: Path) -> None:
    plane = Plane(tmp_path, (endpoint(simulator.url),))
    plane.rates = (RateRow("user", "alice", None, None, 1),)
    plane.publish()
    plane.start()
    try:
        held = threading.Thread(target=lambda: _ignore(lambda: plane.message("[[sim:fault stall_head_s=20]]")))
        held.start()
        deadline = time.monotonic() + 5
        while not any(peek(path).in_flight for path in plane.state.flight_dir.glob("*.flight")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert plane.message().status == 429
        [worker] = [peek(path).pid for path in plane.state.flight_dir.glob("*.flight") if peek(path).in_flight]
        os.kill(worker, signal.SIGKILL)
        held.join(10)
        deadline = time.monotonic() + 10
        while _ignore(lambda: plane.message().status) != 200:
            assert time.monotonic() < deadline, plane.log_text()
            time.sleep(0.05)
    finally:
        plane.stop()


def _ignore(call: object) -> object:
    try:
        return call()  # type: ignore[operator]
    except OSError:
        return None
