"""bench.streams: its clients see what the upstream sends, and say so where they do not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bench.probe import Probe, message
from bench.streams import Run, Streams, section, streams
from tests.support.sim import SimProcess, running

FLOW = message("[[sim:text gap_ms=10 tokens=4000]]")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimProcess]:
    with running(tmp_path_factory.mktemp("sim"), "--scenario", "text") as simulator:
        yield simulator


def test_streams_are_open_and_counted(simulator: SimProcess) -> None:
    with streams(simulator.port, 5, FLOW) as opened:
        first = opened.events()
        time.sleep(0.2)
        assert opened.events() > first > 0


def count_until_fault(opened: Streams) -> None:
    while True:
        opened.events()
        time.sleep(0.02)


def test_a_stream_that_ends_is_a_fault(simulator: SimProcess) -> None:
    with (
        streams(simulator.port, 2, message("[[sim:cut cut=rst cut_event=9]]")) as opened,
        pytest.raises(RuntimeError, match="a stream has ended"),
    ):
        count_until_fault(opened)


def test_refused_streams_are_a_fault(simulator: SimProcess) -> None:
    with (
        pytest.raises(RuntimeError, match=r"a stream was refused: .*HTTP/1\.1 529 "),
        streams(simulator.port, 2, message("[[sim:error status=529]]")),
    ):
        pytest.fail("no stream is open")


def test_the_first_token_is_that_of_the_first_delta(simulator: SimProcess) -> None:
    probe = Probe(simulator.port, "any")
    try:
        assert min(probe.first_token_ms() for _ in range(5)) < 1_000
    finally:
        probe.close()


def test_goals_are_judged_by_what_was_measured() -> None:
    times = [1.0] * 100
    runs = {name: Run(times, times, [1.5], [50_000.0]) for name in ("nginx", "fastgate")}
    assert [goal.met for goal in section(runs, 39.0, 1_000).goals] == [True, True, True]
    runs["fastgate"] = Run([2.5] * 100, times, [2.5], [50_000.0])
    assert [goal.met for goal in section(runs, 41.0, 1_000).goals] == [False, False, False]
