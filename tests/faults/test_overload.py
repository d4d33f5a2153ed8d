"""Overload sheds and does not collapse: an open loop at half to four times what one worker can carry."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.load.gateway import built_in_guards
from bench.load.nginx import fixed_upstream
from bench.overload import GENERATOR_CORES, TIMES, goodput, quantile, run, told
from tests.support.gateway import Gateway, serving
from tests.support.plane import KEY, LIMITS, Plane, body, endpoint
from tests.support.sim import SimProcess, running

PHASE_S = 3.0
ROUNDS = 3
KEPT = 0.7
"""Of the goodput at capacity; one that collapses keeps a tenth. bench.overload wants 0.8, as a median: capacity itself
differs by a seventh from one three seconds to the next on a machine that others keep busy."""
REFUSED_MS = 25.0
"""A refusal's median, on a machine that others may keep busy; bench.overload wants five."""

LONGEST_S = 1.0
"""Of an admitted call, at the 99th percentile: it waits TARGET_NS of a loop that may have to share its processor, and
its connection, its body and its answer come on top. bench.overload wants twice what it is at capacity."""


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimProcess]:
    with running(tmp_path / "sim", "--no-memory-log") as process:
        yield process


def limited(tmp_path: Path, simulator: SimProcess, calls: int) -> Plane:
    limits = msgspec.structs.replace(LIMITS, calls_in_flight=calls)
    return Plane(tmp_path, (endpoint(simulator.url),), limits=limits).start()


def test_calls_beyond_the_limit_are_refused_and_near_it_connections_close(
    tmp_path: Path, simulator: SimProcess
) -> None:
    plane = limited(tmp_path, simulator, 10)
    data = json.dumps(body("[[sim:stall stall_at=4 stall_s=30 tokens=40]]", stream=True)).encode()
    held = []
    try:
        closes = []
        for _ in range(10):
            connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)
            connection.request("POST", "/v1/messages", data, {"x-api-key": KEY})
            answer = connection.getresponse()
            assert answer.status == 200
            closes.append(answer.getheader("connection") == "close")
            held.append((connection, answer))
        assert closes == [False] * 9 + [True]
        refused = plane.message()
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert refused.json()["error"]["type"] == "overloaded_error"
        assert 1 <= int(refused.headers["retry-after"]) <= 4
        assert plane.request("GET", "/healthz").status == 200
        for connection, answer in held:
            answer.close()
            connection.close()
        end = time.monotonic() + 10
        while plane.message().status != 200:
            assert time.monotonic() < end, "not taken again after the others left"
            time.sleep(0.05)
    finally:
        plane.stop()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.promise(
    "P-13",
    bound=f"at 4 times its measured capacity at least {KEPT} of the goodput, and 99 of 100 calls that are taken within "
    f"{LONGEST_S:g} s; calm within 2 s",
)
def test_goodput_holds_at_four_times_capacity(tmp_path: Path) -> None:
    """One worker with every guard on, 128 KB a call; capacity is what a closed loop gets from it. `bench.overload` has
    the strict figures; here they have margins, and a machine that others keep busy gets another round."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed (make peers)")
    guards = ", ".join(f"{{use: {name}, action: log}}" for name in built_in_guards())
    (tmp_path / "gateway").mkdir()
    with (
        fixed_upstream(tmp_path / "mock") as upstream,
        serving(tmp_path / "gateway", upstream.url, more=f"guards: [{guards}]\n") as gateway,
    ):
        run(gateway.url, 0, 1.0, gateway.key)  # warm
        for attempt in range(1, ROUNDS + 1):
            wrong = one_round(gateway)
            print(f"round {attempt}: {'; '.join(wrong) or 'all holds'}")
            if not wrong:
                break
    assert not wrong


def one_round(gateway: Gateway) -> list[str]:
    """What does not hold. What must hold in every round is asserted."""
    closed = run(gateway.url, 0, PHASE_S, gateway.key)
    capacity = goodput(closed)
    found = {times: run(gateway.url, times * capacity, PHASE_S, gateway.key) for times in TIMES}
    time.sleep(2.0)
    found[0.0] = run(gateway.url, TIMES[0] * capacity, PHASE_S, gateway.key)
    for times, result in found.items():
        print(f"{times} x {capacity:.0f}: {told(result)}")
        assert result.other == {}, "every call is answered with 200 or 503"
        assert result.without_retry_after == 0
    one, four, after = found[1.0], found[4.0], found[0.0]
    laws = {
        "nothing was shed at 4 x": bool(four.shed_ms),
        "connections were not closed first": bool(four.closing),
        "goodput fell": goodput(four) >= KEPT * goodput(one),
        "refusals wait": quantile(four.shed_ms, 0.5) <= REFUSED_MS,
        "what waits is not bounded": quantile(four.good_ms, 0.99) <= LONGEST_S * 1e3,
        "it is not calm after 2 s": not after.shed_ms,
        "the generator was slow": four.cores <= GENERATOR_CORES and four.unsent == 0,
    }
    return [law for law, held in laws.items() if not held]
