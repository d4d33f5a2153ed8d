"""`python -m bench.micro`: microseconds a call of each compiled function; `--only TEXT` picks some, `--out FILE` keeps
the figures for bench.render."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import timeit
from dataclasses import asdict, dataclass
from pathlib import Path

import bench.micro.guards
import bench.micro.routing  # noqa: F401 - both register their cases
from bench.figures import median, spread
from bench.lock import BusyError, only_one
from bench.machine import facts
from bench.micro.cases import CASES, Case

REPEATS = 7


@dataclass(frozen=True)
class Timing:
    """Microseconds a call: the best of the repeats, which other work on the machine disturbs least, and the median."""

    module: str
    name: str
    best_us: float
    median_us: float
    spread: float


def measure(case: Case, seconds: float) -> Timing:
    """Repeats loops of `seconds` each."""
    with tempfile.TemporaryDirectory(prefix="fastgate-micro-") as folder:
        timer = timeit.Timer(case.prepare(Path(folder)))
        loops, took = timer.autorange()
        loops = max(1, round(loops * seconds / took))
        runs = [run / loops * 1e6 for run in timer.repeat(REPEATS, loops)]
    return Timing(case.module, case.name, min(runs), median(runs), spread(runs))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose module or name contains this")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of one repeat  [0.3]")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    chosen = parser.parse_args()
    timings = []
    try:
        with only_one():
            print(f"{'':50}{'best µs':>10}{'median µs':>12}{'spread':>9}")
            for case in CASES:
                if chosen.only not in f"{case.module} {case.name}":
                    continue
                timing = measure(case, chosen.seconds)
                timings.append(timing)
                label = f"{case.module}: {case.name}"
                print(
                    f"{label:50}{timing.best_us:10.3f}{timing.median_us:12.3f}{timing.spread * 100:8.0f}%", flush=True
                )
    except BusyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if chosen.out:
        document = {"machine": facts(), "timings": [asdict(timing) for timing in timings]}
        chosen.out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
