"""`python -m bench.profile`: whose work the CPU time of a call is, by sampling (perf) all processes of a server.

Not how fast it is: a run under perf is a little slower. What a server used in it (CPU per call, as the load suite
counts it) is split by where the samples lie: the kernel, the server's native code, the event loop and the parser of
answers, the interpreter, our compiled code, the C library, the pattern matcher; whatever the control plane does is its
own. Writes bench/profile.json; bench.render puts the table on the page and says of each goal that was missed where the
time of its load goes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import gateway, nginx, wrk
from bench.load.processes import Server, cpu_between
from bench.load.rounds import PATH, note, shot_of, try_once
from bench.load.rows import ROWS, Target
from bench.lock import BusyError, only_one
from bench.owners import OWNERS, Shares, owner_of
from bench.probe import message
from bench.section import Section
from bench.source import source
from bench.streams import port_of, streams

HERTZ = 997
"""Samples a second of CPU time: a prime, so that they do not fall in step with the workers' timers."""

STREAMS, EVENTS_PER_S = 1_000, 50

HITS_AS = "small-200"
"""`hits` are this row's calls, answered by the exact cache with nothing else switched on."""

SAMPLE = re.compile(r"^\s*(\d+)\s+[0-9a-f]+\s+\((.*)\)$")
"""A line of `perf script -F pid,ip,dso`."""


@dataclass(frozen=True)
class Load:
    """One thing that is profiled; `name` is what goals call it: a row of the load suite and what is switched on."""

    row: str
    target: Target

    @property
    def name(self) -> str:
        return f"{self.row}/{self.target}"


LOADS = (
    Load("small-64", "nginx"),
    Load("small-64", "fastgate"),
    Load("small-200", "fastgate"),
    Load("small-200", "budgeted"),
    Load("small-200", "screened"),
    Load("small-200", "cached"),
    Load("hits", "fastgate"),
    Load("streams", "nginx"),
    Load("streams", "fastgate"),
)
"""What is compared with nginx, and what has goals of its own."""


@contextmanager
def sampled(server: Server, path: Path) -> Iterator[None]:
    """perf on all processes of the server, from here to the block's end."""
    pids = ",".join(str(process.pid) for process in server.family())
    command = ["perf", "record", "-q", "-F", str(HERTZ), "-o", str(path), "-p", pids]
    perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        perf.send_signal(signal.SIGINT)
        _, said = perf.communicate(timeout=60)
    if not path.exists():
        raise RuntimeError(f"perf took no samples: {said.decode(errors='replace').strip()[-300:]}")


def counted(path: Path, control: set[int]) -> Counter[str]:
    """How many samples lie in whose code."""
    command = ["perf", "script", "-i", str(path), "-F", "pid,ip,dso"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"})
    found: Counter[str] = Counter()
    for line in out.stdout.splitlines():
        if match := SAMPLE.match(line):
            found["control plane" if int(match[1]) in control else owner_of(match[2])] += 1
    if not found:
        raise RuntimeError("perf's samples could not be read")
    return found


def profiled(server: Server, path: Path, drive: Callable[[], int]) -> Shares:
    """The server's CPU for each of the calls (or events) that `drive` says it did, in µs by whose work it was."""
    with sampled(server, path):
        time.sleep(0.3)  # perf attaches to every thread first
        before = server.cpu_s()
        done = drive()
        after = server.cpu_s()
    samples = counted(path, {pid for pid, used in after.items() if used.control})
    each_us = cpu_between(before, after)[0] / done * 1e6 / samples.total()
    return {owner: samples[owner] * each_us for owner in OWNERS if samples[owner]}


def of_calls(load: Load, folder: Path, seconds: float) -> Shares:
    """A row of the load suite, driven by wrk."""
    row = next(row for row in ROWS if row.name == (HITS_AS if load.row == "hits" else load.row))
    with nginx.fixed_upstream(folder / "mock") as upstream, served(load, folder, upstream) as server:
        shot = shot_of(row, folder)
        try_once(server, row)
        wrk.run(server.url + PATH, shot, row.connections, 1.0)
        return profiled(
            server, folder / "perf.data", lambda: wrk.run(server.url + PATH, shot, row.connections, seconds).requests
        )


def of_events(load: Load, folder: Path, seconds: float) -> Shares:
    """Open streams, for each event."""
    body = message(f"[[sim:text gap_ms={1000 // EVENTS_PER_S}]]")
    with (
        source(folder / "mock") as upstream,
        served(load, folder, upstream) as server,
        streams(port_of(server), STREAMS, body) as opened,
    ):

        def drive() -> int:
            before = opened.events()
            time.sleep(seconds)
            return opened.events() - before

        return profiled(server, folder / "perf.data", drive)


def served(load: Load, folder: Path, upstream: Server) -> Server:
    """The server of a load, not started; of streams with one worker, as bench.streams has it."""
    if load.target == "nginx":
        return nginx.reverse_proxy(folder / "proxy", upstream.url, stream=load.row == "streams")
    workers = 1 if load.row == "streams" else gateway.usable_cores()
    ours = gateway.gateway(folder / "gateway", upstream.url, workers, load.target)
    if load.row == "hits":
        path = folder / "gateway" / "fastgate.yaml"
        path.write_text(json.dumps({"cache": {}} | json.loads(path.read_text())))  # as bench.cache has it
    return ours


def measure(folder: Path, loads: list[Load], seconds: float) -> dict[str, Shares]:
    found = {}
    for load in loads:
        place = folder / load.row / load.target
        place.mkdir(parents=True)
        shares = (of_events if load.row == "streams" else of_calls)(load, place, seconds)
        found[load.name] = shares
        note(f"{load.name:20} {sum(shares.values()):6.1f} µs: " + ", ".join(f"{k} {v:.1f}" for k, v in shares.items()))
    return found


def section(found: dict[str, Shares]) -> Section:
    columns = ["", *(f"{name.replace('/', ', ')}" for name in found)]
    rows = [[owner, *(cell(shares, owner) for shares in found.values())] for owner in OWNERS]
    rows.append(["all", *(f"{sum(shares.values()):.1f}" for shares in found.values())])
    about = (
        "Whose work the CPU time of a call is, in µs and as a share, sampled by perf from all processes of a server "
        f"while the load runs. `hits` come from the exact cache; `streams` is {STREAMS:,} open streams of "
        f"{EVENTS_PER_S} events a second, and its µs are those of one event. The kernel's part is the reading, writing "
        "and waking that was asked of it. *Server*: Granian with hyper and tokio. *Event loop*: uvloop, and httptools, "
        "which reads providers' answers. *Interpreter*: CPython with its own modules and msgspec; our coroutines run "
        "there, and objects that our compiled code asks for are made there. *Ours*: rooms and `_core`, compiled."
    )
    return Section("Where the time goes", about, columns, rows)


def cell(shares: Shares, owner: str) -> str:
    part = shares.get(owner, 0.0)
    return f"{part:.1f} ({part / sum(shares.values()) * 100:.0f} %)" if part else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="length of one run  [3]")
    parser.add_argument("--load", action="append", choices=[load.name for load in LOADS], help="only this (repeatable)")
    parser.add_argument("--dry", action="store_true", help="print and write nothing")
    chosen = parser.parse_args()
    missing = [name for name in ("wrk", "nginx", "perf") if not shutil.which(name)]
    if missing:
        sys.stderr.write(f"{' and '.join(missing)} not found: make peers; perf is in Debian's linux-perf\n")
        return 2
    loads = [load for load in LOADS if not chosen.load or load.name in chosen.load]
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            found = measure(Path(folder), loads, chosen.seconds)
    except (BusyError, RuntimeError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not chosen.dry:
        section(found).write("profile", shares=found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
