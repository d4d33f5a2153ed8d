"""`python -m bench.slow`: what a thousand slow connections (slowhttptest) cost everybody else.

A few well-behaved connections call all the time, first alone, then beside each attack: slow heads, bodies, readers.
Rounds are interleaved, so that a machine that drifts slows all of them. Goal: their p99 beside an attack within 20 % of
what it is alone. Writes bench/slow.json for bench.render.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import median, paired_ratio, spread
from bench.load import gateway, nginx, payloads, wrk
from bench.load.rounds import PATH, note
from bench.lock import BusyError, only_one
from bench.section import Goal, Section

ATTACKS = {
    "alone": [],
    "slow heads": ["-H", "-i", "5"],
    "slow bodies": ["-B", "-i", "5", "-s", "8192", "-t", "POST"],
    "slow readers": ["-X", "-w", "1", "-y", "16", "-n", "5", "-z", "1", "-k", "1"],
}
SLOW_CONNECTIONS = 1_000
HEALTHY_CONNECTIONS = 4
"""Few enough that the machine is not full: a full one would measure the scheduler."""

OPENING_S = 4.0
"""slowhttptest opens its connections at 400 a second; they are all there after this."""

GOAL = 1.20


@contextmanager
def attack(options: list[str], url: str, seconds: float) -> Iterator[None]:
    """slowhttptest with all its connections open; ended with the block."""
    if not options:
        yield
        return
    lasts = str(int(seconds + OPENING_S) + 5)
    command = ["slowhttptest", *options, "-c", str(SLOW_CONNECTIONS), "-r", "400", "-l", lasts, "-p", "3", "-u", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(OPENING_S)
        yield
    finally:
        process.kill()
        process.wait()


def measure(folder: Path, seconds: float, rounds: int) -> dict[str, list[wrk.Sample]]:
    """A sample a round of the healthy calls, alone and beside each attack."""
    found: dict[str, list[wrk.Sample]] = {name: [] for name in ATTACKS}
    with nginx.fixed_upstream(folder / "mock") as upstream:
        served = gateway.gateway(folder / "gateway", upstream.url, gateway.usable_cores())
        with served:
            headers = payloads.HEADERS | {"x-api-key": gateway.KEY}
            shot = wrk.Shot.write(folder, "small", payloads.body("small", False), headers)
            wrk.run(served.url + PATH, shot, HEALTHY_CONNECTIONS, 1.0)
            for turn in range(rounds):
                for name, options in ATTACKS.items():
                    with attack(options, f"{served.url}/v1/messages", seconds):
                        sample = wrk.run(served.url + PATH, shot, HEALTHY_CONNECTIONS, seconds)
                    found[name].append(sample)
                    note(f"{turn + 1}/{rounds} {name:13} p99 {sample.p99_ms:.2f} ms, {sample.requests_per_s:,.0f}/s")
    return found


def section(found: dict[str, list[wrk.Sample]]) -> Section:
    p99 = {name: [sample.p99_ms for sample in samples] for name, samples in found.items()}
    ratios = {name: paired_ratio(times, p99["alone"]) for name, times in p99.items()}
    rows = [
        [
            name,
            f"{median([sample.requests_per_s for sample in samples]):,.0f}",
            f"{median([sample.p50_ms for sample in samples]):.2f}",
            f"{median(p99[name]):.2f}",
            f"±{spread(p99[name]) * 50:.0f} %",
            f"{ratios[name]:.2f}",
            str(sum(sample.errors for sample in samples)),
        ]
        for name, samples in found.items()
    ]
    goals = [
        Goal(f"p99 beside 1,000 {name} is {ratio:.2f} of what it is alone (<= {GOAL})", ratio <= GOAL)
        for name, ratio in ratios.items()
        if name != "alone"
    ]
    about = (
        f"{HEALTHY_CONNECTIONS} connections that call one after the other, alone and beside {SLOW_CONNECTIONS:,} "
        "connections of slowhttptest, which runs on the same cores: part of what it costs is its own work."
    )
    columns = ("beside", "requests/s", "p50 ms", "p99 ms", "spread", "p99 of alone", "errors")
    return Section("Beside slow connections", about, columns, rows, goals)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.slow", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="length of one run  [8]")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind  [3]")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    chosen = parser.parse_args()
    missing = [name for name in ("wrk", "nginx", "slowhttptest") if not shutil.which(name)]
    if missing:
        sys.stderr.write(f"{' and '.join(missing)} not found: make peers\n")
        return 2
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            result = section(measure(Path(folder), chosen.seconds, chosen.rounds))
    except (BusyError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result.write("slow")
    for goal in result.goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for goal in result.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
