"""Streams that are given again at the pace at which they came."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from tests.support.caching import cache_of, set_policy, without_closing
from tests.support.plane import KEY, Plane, body
from tests.support.sim import SimProcess

GAP_S = 0.05

BUSY_S = 1.0
"""What a busy machine may add."""

TEXT = "[[sim:text gap_ms=50 tokens=50 stall_head_s=0.5]]"


def timed(plane: Plane, text: str, leave_after: int = 10**6) -> tuple[str, bytes, list[float]]:
    """What the cache header says, the stream, and when each piece of it came, in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
    begun, got, times = time.monotonic(), b"", []
    connection.request("POST", "/v1/messages", json.dumps(body(text, True)), {"x-api-key": KEY})
    response = connection.getresponse()
    while len(times) < leave_after and (piece := response.read1(65536)):
        got += piece
        times.append(time.monotonic() - begun)
    response.close()
    connection.close()
    return response.headers["x-fastgate-cache"], got, times


@contextmanager
def limited(plane: Plane, **changes: Any) -> Iterator[None]:
    """Other limits in force."""
    limits = plane.limits
    try:
        plane.limits = msgspec.structs.replace(limits, **changes)
        plane.publish()
        plane.wait_adopted()
        yield
    finally:
        plane.limits = limits
        plane.publish()
        plane.wait_adopted()


def test_a_stream_comes_again_at_its_pace(plane: Plane, simulator: SimProcess) -> None:
    set_policy(plane, paced=True)
    first, bought, slow = timed(plane, f"{TEXT} paced")
    again, given, replayed = timed(plane, f"{TEXT} paced")
    assert (first, again) == ("miss", "hit")
    assert without_closing(bought) == without_closing(given)
    assert replayed[0] < slow[0] * 0.8, "but for the wait before its first piece"
    took, takes = slow[-1] - slow[0], replayed[-1] - replayed[0]
    assert took > 4 * GAP_S
    assert took * 0.8 < takes < took * 1.5 + BUSY_S
    assert sum(later - earlier > GAP_S / 2 for earlier, later in pairwise(replayed)) > 3, "piece by piece"
    record = plane.settled(2)[-1]
    assert (record.cache, record.cost_nano, record.response_bytes) == ("hit", 0, len(without_closing(given)))
    begun = time.monotonic()
    assert cache_of(plane.message(f"{TEXT} paced")) == "hit"
    assert time.monotonic() - begun < takes, "a whole message has no pace"


def test_who_leaves_ends_it(plane: Plane, simulator: SimProcess) -> None:
    set_policy(plane, paced=True)
    timed(plane, f"{TEXT} left")
    before = plane.recorded()
    assert timed(plane, f"{TEXT} left", leave_after=2)[0] == "hit"
    (record,) = plane.settled(before + 1)[before:]
    assert (record.cache, record.outcome, record.cost_nano) == ("hit", "client_gone", 0)


@pytest.mark.parametrize("kept", [False, True], ids=["kept without", "now without"])
def test_without_a_pace_it_comes_at_once(plane: Plane, simulator: SimProcess, kept: bool) -> None:
    set_policy(plane, paced=kept)
    slow = timed(plane, f"{TEXT} {kept}")[2]
    set_policy(plane, paced=not kept)
    cache, _, times = timed(plane, f"{TEXT} {kept}")
    assert cache == "hit"
    assert times[-1] < slow[-1] / 2


def test_a_silence_longer_than_a_ping_has_pings(plane: Plane, simulator: SimProcess) -> None:
    set_policy(plane, paced=True)
    text = "[[sim:text gap_ms=500 tokens=3]] silent"
    with limited(plane, ping_s=0.2):
        _, bought, _ = timed(plane, text)
        cache, given, _ = timed(plane, text)
    assert cache == "hit"
    assert given.count(b"event: ping") > 0
    assert given.count(b"event: content_block_delta") == bought.count(b"event: content_block_delta")


@pytest.mark.parametrize("why", ["drain", "total_s"])
def test_the_rest_comes_at_once_when_the_time_is_over(plane: Plane, simulator: SimProcess, why: str) -> None:
    """Between two pieces: its worker drains, or the call has lasted for as long as it may."""
    set_policy(plane, paced=True)
    text = f"[[sim:text gap_ms=700 tokens=3]] {why}"
    _, bought, slow = timed(plane, text)
    assert slow[-1] - slow[0] > 1.3
    before = plane.recorded()
    drain = threading.Timer(0.3, setattr, (plane.board, "draining", True))
    try:
        with limited(plane, **({"total_s": 0.3} if why == "total_s" else {})):
            if why == "drain":
                drain.start()
            cache, given, times = timed(plane, text)
    finally:
        drain.cancel()
        plane.board.draining = False
    assert (cache, without_closing(given)) == ("hit", without_closing(bought))
    assert 0.25 < times[-1] < slow[-1] - slow[0], "and not after the next piece"
    (record,) = plane.settled(before + 1)[before:]
    assert (record.outcome, record.response_bytes) == ("ok", len(without_closing(given)))
