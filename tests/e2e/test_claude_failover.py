"""The real Claude Code while a third of the attempts fail, in every way, and an endpoint goes away for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from fastgate.sim.scenario import EDIT_MARK
from tests.e2e.test_claude_clouds import Way
from tests.gateway.test_retries import FAULTS
from tests.support.claude import Claude
from tests.support.clouds import bedrock, vertex
from tests.support.plane import LIMITS, Plane, endpoint
from tests.support.sim import SimProcess, running

pytestmark = pytest.mark.e2e

MADE = {"anthropic": endpoint, "bedrock": bedrock, "vertex": vertex}

WAYS = [
    ("anthropic", "anthropic", "anthropic"), ("anthropic", "bedrock", "vertex"), ("bedrock", "anthropic", "bedrock"),
    ("vertex", "vertex", "anthropic"),
]  # fmt: skip
"""The client's dialect, the kind of the endpoint that goes away, and of the one that stays."""

TURNS = 4
"""Of each loop, and each of them meets a fault at either endpoint."""


@dataclass
class Pair:
    way: Way
    going: SimProcess
    staying: SimProcess


@pytest.fixture(params=WAYS, ids="-".join)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    front, first, second = request.param
    with (
        running(tmp_path / "going", "--dialect", first) as going,
        running(tmp_path / "staying", "--dialect", second) as staying,
    ):
        endpoints = (
            MADE[first](going.url, "going", api_key="token"),
            MADE[second](staying.url, "staying", api_key="token"),
        )
        limits = msgspec.structs.replace(LIMITS, attempts=6, first_byte_s=1.5, idle_s=1.5)
        (tmp_path / "plane").mkdir()
        plane = Plane(tmp_path / "plane", endpoints, limits=limits).start()
        yield Pair(Way(front, first, going, plane), going, staying)
        plane.stop()


@pytest.mark.promise(
    "P-06", bound="0 errors shown by Claude Code: a third of attempts fail in 11 ways, an endpoint goes away"
)
def test_the_loop_ends_well_whatever_fails_and_whoever_goes(pair: Pair, tmp_path: Path) -> None:
    faults = list(FAULTS.values())
    loops = -(-len(faults) // TURNS)
    for number in range(loops):
        claude = Claude(tmp_path / f"home{number}", pair.way.plane.url, {}, pair.way.environment())
        notes = claude.project / "notes.txt"
        notes.write_text("first line\nsecond line\n")
        for turn, fault in enumerate(faults[number * TURNS : (number + 1) * TURNS]):
            pair.going.script(fault, turn=turn)
            pair.staying.script(fault, turn=turn)
        last = number == loops - 1
        leaving = threading.Thread(target=leave, args=(pair.going, len(pair.going.calls()) + 2))
        if last:
            leaving.start()
        run = claude.run("please edit notes.txt")
        assert notes.read_text() == f"first line{EDIT_MARK}\nsecond line\n", run
        assert run.code == 0 and f"first line{EDIT_MARK}" in run.out and "Error" not in run.out, run
        if last:
            leaving.join()
    pair.way.plane.wait_idle()
    records = [record for record in pair.way.plane.records() if record.stream]
    assert len(records) == 4 * loops and all(record.outcome == "ok" and record.cost_nano > 0 for record in records)
    attempts = [attempt for record in records for attempt in record.attempts]
    assert sum(attempt.error != "" for attempt in attempts) >= 0.3 * len(attempts)
    assert {attempt.endpoint for attempt in attempts} == {"going", "staying"}
    assert records[-1].endpoint == "staying"
    assert pair.going.process.poll() is not None, "it has gone for good"


def leave(simulator: SimProcess, after: int) -> None:
    """Stop once so many calls have come."""
    deadline = time.monotonic() + 60
    while len(simulator.calls("*")) < after and time.monotonic() < deadline:
        time.sleep(0.02)
    simulator.stop()
