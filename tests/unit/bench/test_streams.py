"""bench.streams: its clients see what the upstream sends, and say so where they do not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.floor import floor_us
from bench.probe import Probe, message
from bench.source import BLOCK, DELTA, START, STOP, source
from bench.streams import EVENTS_PER_S, Run, Runs, Streams, port_of, section, streams
from fastgate._core.meter import Meter
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


def test_the_source_answers_as_the_simulator_does(tmp_path: Path) -> None:
    with source(tmp_path / "source") as upstream:
        port = port_of(upstream)
        probe = Probe(port, "any")
        assert min(probe.first_token_ms() for _ in range(5)) < 1_000
        probe.close()
        with streams(port, 20, message("[[sim:text gap_ms=20]]")) as opened:
            first, begun = opened.events(), time.monotonic()
            time.sleep(0.5)
            rate = (opened.events() - first) / (time.monotonic() - begun)
            assert rate == pytest.approx(20 * 50, rel=0.3)
        with streams(port, 3, message("[[sim:stall]]")) as opened:
            first = opened.events()
            time.sleep(0.1)
            assert opened.events() == first == 3 * 3  # its beginning, and the first words


def test_a_call_of_the_source_is_one_that_the_meter_reads() -> None:
    meter = Meter.of(stream=True)
    stream = b"".join((START, BLOCK, DELTA, DELTA, STOP))
    events = b"".join(part for part in stream.split(b"\r\n") if part.startswith(b"event: "))
    meter.feed_bytes(events)
    assert (meter.stopped, meter.errored, meter.usage.output_tokens) == (True, False, 8)


def test_the_floor_is_a_time_of_two_system_calls() -> None:
    assert 0.2 < floor_us(repeats=500) < 200


def test_goals_are_judged_by_what_was_measured() -> None:
    def runs(through_ms: float, event_us: float) -> Runs:
        run = Run([through_ms] * 100, [1.0] * 100, [event_us], [event_us / 2], [50_000.0], [0.5])
        return {(name, rate): run for name in ("nginx", "fastgate") for rate in EVENTS_PER_S}

    assert [goal.met for goal in section(runs(2.0, 2.0), 40.0, 2.0, 1_000).goals] == [True] * 5
    missed = section(runs(2.1, 2.1), 41.0, 2.0, 1_000).goals
    assert [goal.met for goal in missed] == [False] * 5
    assert missed[0].text.startswith("first token beside 10 events/s, 50 % busy: p99 1.10 ms later")
