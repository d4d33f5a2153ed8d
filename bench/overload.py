"""`python -m bench.overload`: what becomes of calls when more come than the gateway can serve.

The gateway has one worker on one core, with its supervisor and control plane; the generator (bench.open_loop) and the
upstream have another. Each call says 128 KB that no guard has seen before, so that it costs the gateway several times
what it costs the generator, and it is the gateway that is slow: its capacity is what a closed loop gets out of it. Then
an open loop brings half of that, all of it, twice and four times as much, and half again. Rounds are interleaved.
Writes bench/overload.json for bench.render.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import open_loop
from bench.figures import median
from bench.load import gateway, nginx
from bench.load.processes import Server, environ
from bench.load.rounds import note
from bench.lock import BusyError, only_one
from bench.open_loop import Result
from bench.section import Goal, Section

TEXT_BYTES = 131_072
TIMES = (0.5, 1.0, 2.0, 4.0)

GOODPUT, SHED_MS, ADMITTED, CALM_S = 0.80, 5.0, 2.0, 2.0
"""Goals: goodput at four times capacity to that at capacity; a shed answer's time; an admitted call's p99 to that at
capacity; and how soon after an overload nothing of it is left."""

GENERATOR_LATE_MS = 5.0
GENERATOR_CORES = 0.8
"""Beyond either the generator would be what is measured."""

WAIT_S = 120.0
"""For one run of the generator to end."""


@dataclass
class Found:
    """One round."""

    capacity: float
    """Calls a second."""
    at: dict[float, Result]
    after: Result
    """Half of capacity, from `CALM_S` after the end of four times capacity on."""


def pin(server: Server, core: int) -> None:
    """All of its threads; those that they start follow."""
    for process in server.family():
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {core})


def run(
    url: str,
    rate: float,
    seconds: float,
    key: str = gateway.KEY,
    core: int | None = None,
    text_bytes: int = TEXT_BYTES,
) -> Result:
    """What a generator finds, on `core` where that is given; `rate` 0: a closed loop. RuntimeError where it fails."""
    words = [url.rpartition(":")[2], key, str(text_bytes), f"{rate:.1f}", str(seconds)]
    bound = [] if core is None else ["taskset", "-c", str(core)]
    with tempfile.NamedTemporaryFile() as found:
        command = [*bound, sys.executable, "-m", "bench.open_loop", *words, found.name]
        out = subprocess.run(command, check=False, capture_output=True, env=environ(), timeout=seconds + WAIT_S)
        if out.returncode != 0:
            raise RuntimeError(f"the generator failed: {out.stderr.decode().strip()[-500:]}")
        return Result(**json.loads(found.read()))


def measure(folder: Path, seconds: float, rounds: int, cores: tuple[int, int]) -> list[Found]:
    with (
        nginx.fixed_upstream(folder / "mock") as upstream,
        gateway.gateway(folder / "gateway", upstream.url, 1, "screened") as ours,
    ):
        pin(upstream, cores[1])
        pin(ours, cores[0])
        run(ours.url, 0, 1.0, core=cores[1])  # warm
        return [one_round(ours.url, cores[1], seconds, number) for number in range(1, rounds + 1)]


def one_round(url: str, core: int, seconds: float, number: int) -> Found:
    alone = run(url, 0, seconds, core=core)
    capacity = len(alone.good_ms) / alone.seconds
    note(f"{number} capacity {capacity:,.0f}/s, generator {alone.cores:.2f} of a core")
    at = {}
    for times in TIMES:
        at[times] = run(url, times * capacity, seconds, core=core)
        note(f"{number} {times} x: {told(at[times])}")
    time.sleep(CALM_S)
    after = run(url, TIMES[0] * capacity, seconds, core=core)
    note(f"{number} after: {told(after)}")
    return Found(capacity, at, after)


def told(result: Result) -> str:
    return (
        f"good {len(result.good_ms) / result.seconds:,.0f}/s p99 {quantile(result.good_ms, 0.99):.1f} ms, shed "
        f"{len(result.shed_ms) / result.seconds:,.0f}/s p50 {quantile(result.shed_ms, 0.5):.2f} ms p99 "
        f"{quantile(result.shed_ms, 0.99):.2f} ms, closing {result.closing}, other {result.other}, generator "
        f"{result.cores:.2f} of a core, {result.late_ms:.1f} ms late"
    )


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] if times else 0.0


def goodput(result: Result) -> float:
    return len(result.good_ms) / result.seconds


def section(found: list[Found]) -> Section:
    rows = []
    for title, results in [
        *((f"{times:g} x", [each.at[times] for each in found]) for times in TIMES),
        ("0.5 x, after", [each.after for each in found]),
    ]:
        rows.append(
            [
                title,
                f"{median([goodput(result) for result in results]):,.0f}",
                f"{median([quantile(result.good_ms, 0.5) for result in results]):.1f}",
                f"{median([quantile(result.good_ms, 0.99) for result in results]):.1f}",
                f"{median([len(result.shed_ms) / result.seconds for result in results]):,.0f}",
                f"{median([quantile(result.shed_ms, 0.5) for result in results]):.2f}",
                f"{median([quantile(result.shed_ms, 0.99) for result in results]):.2f}",
                f"{sum(sum(result.other.values()) for result in results)}",
                f"{median([result.cores for result in results]):.2f}",
                f"{median([result.late_ms for result in results]):.2f}",
            ]
        )
    columns = ("load", "good/s", "p50 ms", "p99 ms", "shed/s", "shed p50 ms", "shed p99 ms", "other", "gen. cores",
               "gen. late ms")  # fmt: skip
    capacity = median([each.capacity for each in found])
    about = (
        f"An open loop of calls with {TEXT_BYTES // 1024} KB of text that no guard has seen, every built-in guard on, "
        f"against one worker on one core; generator and upstream on another. Capacity ({capacity:,.0f} calls a second) "
        f"is what a closed loop of {open_loop.CLOSED} connections gets. Times are those that a client sees, from the "
        "moment that a call was due; *shed* is 503 with `retry-after`; *other* is any other end of a call. The "
        "generator's own CPU and lateness (p99) show whether it was what is slow."
    )
    return Section("Overload", about, columns, rows, goals(found))


def goals(found: list[Found]) -> list[Goal]:
    four, one = [each.at[4.0] for each in found], [each.at[1.0] for each in found]
    kept = median([goodput(each.at[4.0]) / goodput(each.at[1.0]) for each in found])
    shed = median([quantile(result.shed_ms, 0.5) for result in four])
    p99 = median([quantile(result.good_ms, 0.99) for result in four])
    p99_one = median([quantile(result.good_ms, 0.99) for result in one])
    silent = sum(result.without_retry_after for each in found for result in each.at.values())
    calm = sum(len(each.after.shed_ms) + sum(each.after.other.values()) for each in found)
    idle = max(result.cores for result in four)
    late = median([result.late_ms for result in four])
    return [
        Goal(f"goodput at 4 x is {kept:.2f} of that at capacity (>= {GOODPUT})", kept >= GOODPUT),
        Goal(f"a call that is shed at 4 x has its answer in {shed:.1f} ms, median (< {SHED_MS:g})", shed < SHED_MS),
        Goal(
            f"p99 of an admitted call at 4 x is {p99:.0f} ms, at capacity {p99_one:.0f} ms (<= {ADMITTED:g} times)",
            p99 <= ADMITTED * p99_one,
        ),
        Goal(f"every shed answer has retry-after: {silent} without", silent == 0),
        Goal(f"{CALM_S:g} s after 4 x all is calm: {calm} calls at 0.5 x shed or failed", calm == 0),
        Goal(
            f"the generator was not what is slow: {idle:.2f} of a core (<= {GENERATOR_CORES}), {late:.1f} ms late "
            f"(<= {GENERATOR_LATE_MS:g})",
            idle <= GENERATOR_CORES and late <= GENERATOR_LATE_MS,
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="length of one run  [5]")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind  [3]")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    chosen = parser.parse_args()
    missing = [name for name in ("nginx", "taskset") if not shutil.which(name)]
    cores = sorted(os.sched_getaffinity(0))[:2]
    if missing or len(cores) < 2:
        sys.stderr.write(f"{' and '.join(missing) or 'a second core'} not found\n")
        return 2
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            result = section(measure(Path(folder), chosen.seconds, chosen.rounds, (cores[0], cores[1])))
    except (BusyError, RuntimeError, statistics.StatisticsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result.write("overload")
    for goal in result.goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for goal in result.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
