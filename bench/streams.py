"""`python -m bench.streams`: what a thousand open streams cost, and what they do to the next call.

A thousand streams run through one server at a time, fastgate and nginx in turn, at several rates of events. Meanwhile
single calls go through it and past it, one after the other: what the first words of an answer take longer through it
is what it adds. Then streams that are open and silent: what each keeps resident. Writes bench/streams.json for
bench.render.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.figures import median, spread
from bench.floor import floor_us
from bench.load import gateway, nginx
from bench.load.processes import Server, cpu_between, environ, kernel_between
from bench.load.rounds import note
from bench.lock import BusyError, only_one
from bench.probe import Probe, message
from bench.section import Goal, Section
from bench.source import source

EVENTS_PER_S = (10, 25, 50)
"""Of each stream. 50 is the promise's; the lower ones leave the cores time, so that they say what the server adds."""

WARM_UP_S = 1.0
PROBES_PER_S = 100
IDLE_STREAMS = 2_000
STALL_S = 600

FIRST_TOKEN_MS, EVENT_US, RESIDENT_KIB = 1.0, 2.0, 40.0
"""The goals: what is added to the time to the first token (p99), the CPU of one relayed event, an idle stream."""


class Streams:
    """A process that holds streams open and counts their events (bench.stream_client)."""

    def __init__(self, port: int, count: int, body: bytes) -> None:
        command = [sys.executable, "-m", "bench.stream_client", str(port), str(count), gateway.KEY]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ())
        assert self.process.stdin is not None
        self.process.stdin.write(body + b"\n")

    def events(self) -> int:
        """How many events have come so far. RuntimeError where a stream was refused or has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline() or b'{"fault": "the client has ended"}')
        if "fault" in told:
            raise RuntimeError(f"streams: {told['fault']}")
        return int(told["events"])

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def streams(port: int, count: int, body: bytes) -> Iterator[Streams]:
    opened = Streams(port, count, body)
    try:
        opened.events()  # once all have begun
        yield opened
    finally:
        opened.close()


@dataclass
class Run:
    """What one server did at one rate, a sample a round. Times of first tokens in ms, all rounds together."""

    through: list[float] = field(default_factory=list)
    past: list[float] = field(default_factory=list)
    event_us: list[float] = field(default_factory=list)
    kernel_us: list[float] = field(default_factory=list)
    """Of `event_us` what the kernel worked."""

    events_per_s: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    """The machine's cores, all together: 1 is no time left."""

    @property
    def added_ms(self) -> float:
        """What the server adds to the time to the first token, at p99."""
        return p99(self.through) - p99(self.past)

    @property
    def added_p50_ms(self) -> float:
        return median(self.through) - median(self.past)

    @property
    def cores(self) -> float:
        """What the events take of one core."""
        return median(self.events_per_s) * median(self.event_us) / 1e6


Runs = dict[tuple[str, int], Run]
"""By server and events a second of each stream."""


def flow(run: Run, server: Server, upstream: Server, count: int, rate: int, seconds: float) -> None:
    """One round of one server with `count` streams of `rate` events a second each."""
    body = message(f"[[sim:text gap_ms={1000 // rate}]]")
    with streams(port_of(server), count, body) as opened:
        time.sleep(WARM_UP_S)
        probes = (Probe(port_of(server), gateway.KEY), run.through), (Probe(port_of(upstream), gateway.KEY), run.past)
        before, events, idle, begun = server.cpu_s(), opened.events(), idle_s(), time.monotonic()
        turn = 0
        while (now := time.monotonic()) < begun + seconds:
            for probe, times in probes if turn % 2 else probes[::-1]:
                times.append(probe.first_token_ms())
            turn += 1
            time.sleep(max(0.0, 2 / PROBES_PER_S - (time.monotonic() - now)))
        events, after, took = opened.events() - events, server.cpu_s(), time.monotonic() - begun
        run.event_us.append(cpu_between(before, after)[0] / events * 1e6)
        run.kernel_us.append(kernel_between(before, after) / events * 1e6)
        run.events_per_s.append(events / took)
        run.busy.append(1 - (idle_s() - idle) / took / gateway.usable_cores())
        for probe, _ in probes:
            probe.close()


def idle_s() -> float:
    """Seconds that all cores together had nothing to do since the machine began."""
    times = psutil.cpu_times()
    return float(times.idle + times.iowait)


def idle_kib(server: Server) -> float:
    """What an open, silent stream keeps resident in the server's processes."""

    def resident() -> int:
        return sum(process.memory_info().rss for process in server.family())

    before = resident()
    with streams(port_of(server), IDLE_STREAMS, message(f"[[sim:stall stall_at=3 stall_s={STALL_S}]]")):
        return (resident() - before) / IDLE_STREAMS / 1024


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def measure(folder: Path, count: int, seconds: float, rounds: int) -> tuple[Runs, float]:
    """A Run for each server and rate, and what an idle stream costs fastgate."""
    runs: Runs = {(name, rate): Run() for rate in EVENTS_PER_S for name in ("nginx", "fastgate")}
    with (
        source(folder / "mock") as upstream,
        nginx.reverse_proxy(folder / "proxy", upstream.url, stream=True) as proxy,
        gateway.gateway(folder / "gateway", upstream.url, 1) as ours,
    ):
        for turn in range(rounds):
            for rate in EVENTS_PER_S:
                for server in (proxy, ours) if turn % 2 else (ours, proxy):
                    said = runs[server.name, rate]
                    flow(said, server, upstream, count, rate, seconds)
                    figures = f"{said.event_us[-1]:.1f} µs of CPU an event, machine {said.busy[-1] * 100:.0f} % busy"
                    note(f"{turn + 1}/{rounds} {rate}/s {server.name:9} {figures}")
        kib = idle_kib(ours)
        note(f"{kib:.1f} KiB an idle stream")
    return runs, kib


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def section(runs: Runs, kib: float, floor: float, count: int) -> Section:
    rows = [
        [
            name,
            str(rate),
            f"{median(run.events_per_s):,.0f}",
            f"{median(run.busy) * 100:.0f} %",
            f"{median(run.event_us):.2f}",
            f"±{spread(run.event_us) * 50:.0f} %",
            f"{median(run.kernel_us):.2f}",
            f"{median(run.past):.2f}",
            f"{median(run.through):.2f}",
            f"{p99(run.past):.2f}",
            f"{p99(run.through):.2f}",
        ]
        for (name, rate), run in runs.items()
    ]
    goals = [first_token(runs, rate) for rate in EVENTS_PER_S]
    most = max(EVENTS_PER_S)
    ours, theirs = runs["fastgate", most], runs["nginx", most]
    event_us = median(ours.event_us)
    goals += [
        Goal(
            f"CPU of a relayed event: {event_us:.2f} µs (<= {EVENT_US:g}); nginx {median(theirs.event_us):.2f}, of "
            f"which the kernel {median(theirs.kernel_us):.2f}",
            event_us <= EVENT_US,
            "streams/fastgate",
            f"A read and a write alone take {floor:.2f} µs, the goal's whole; the rest of the kernel's part is waking "
            "the next process, for nginx as well",
        ),
        Goal(f"an idle stream keeps {kib:.1f} KiB resident (<= {RESIDENT_KIB:g})", kib <= RESIDENT_KIB),
    ]
    about = (
        f"{count:,} open streams through one worker, and single calls meanwhile, in turn through the server and past "
        "it to the upstream. CPU is that of all processes of a server, the kernel's work for them included. "
        f"{len(ours.through)} calls each way and rate. Clients and upstream use the same cores: *busy* says how much "
        "of them all is used, and where it comes near 100 % a first token waits for a core and not for a server. One "
        f"read and one write of the size of an event, in a loop that does nothing else and waits for nothing, take "
        f"{floor:.2f} µs here: the goal of {EVENT_US:g} µs for an event is what these two system calls alone cost. "
        "Waiting for readiness, waking the reader and caches that others have used since come on top for everybody: "
        f"nginx, which does nothing but read and write, has the kernel work {median(theirs.kernel_us):.2f} µs an event."
    )
    columns = (
        "through", "events/s of a stream", "events/s", "busy", "CPU µs/event", "spread", "of it kernel",
        "first token past it, p50 ms", "through it, p50 ms", "past it, p99 ms", "through it, p99 ms",
    )  # fmt: skip
    return Section("Open streams", about, columns, rows, goals)


def first_token(runs: Runs, rate: int) -> Goal:
    """What is added to the first token beside streams of that rate."""
    ours, theirs = runs["fastgate", rate], runs["nginx", rate]
    return Goal(
        f"first token beside {rate} events/s, {median(ours.busy) * 100:.0f} % busy: p99 {ours.added_ms:.2f} ms later "
        f"(<= {FIRST_TOKEN_MS:g}); nginx {theirs.added_ms:.2f} at {median(theirs.busy) * 100:.0f} %",
        ours.added_ms <= FIRST_TOKEN_MS,
        why=f"At p50 it is {ours.added_p50_ms:.2f} ms, nginx {theirs.added_p50_ms:.2f}. A first token waits behind the "
        f"events that its worker and the cores have in hand; these alone take {ours.cores * 100:.0f} % of one core",
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000, help="open streams  [1000]")
    parser.add_argument("--seconds", type=float, default=4, help="length of one run  [4]")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server  [3]")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    chosen = parser.parse_args()
    if not shutil.which("nginx"):
        sys.stderr.write("nginx not found: make peers\n")
        return 2
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            runs, kib = measure(Path(folder), chosen.streams, chosen.seconds, chosen.rounds)
    except (BusyError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result = section(runs, kib, floor_us(), chosen.streams)
    result.write("streams")
    for goal in result.goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for goal in result.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
