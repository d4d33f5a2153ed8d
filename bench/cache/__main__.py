"""`python -m bench.cache`: exact hits against a static answer of the same server, and what each tier costs; writes
bench/cache.json and bench/cache-tiers.json.

A hit pays for identity, digest, headers and journal; the static answer (`/healthz`, sent the same bytes) for the server
and the network alone. Rounds are interleaved, so that a machine that drifts slows all of them. Goals: 0.6 of the static
rate, p99 at most 8 ms, both at 200 connections, small bodies, with the cache alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.cache import tiers
from bench.figures import median, paired_ratio, spread
from bench.load import gateway, payloads, wrk
from bench.load.rounds import PATH, note
from bench.load.rows import Target
from bench.lock import BusyError, only_one
from bench.section import Goal, Section

CONNECTIONS = 200

RATE_GOAL, P99_GOAL_MS = 0.6, 8.0

KINDS: dict[str, tuple[Target, str]] = {
    "hit, small body": ("fastgate", "small"),
    "hit, large body": ("fastgate", "large"),
    "hit, small body, everything on": ("cached", "small"),
}
"""What is on beside the cache, as bench.load names it, and the body."""

GOAL = "hit, small body"


@dataclass
class Found:
    """Samples a round: of the hits, and of the static answer in the same moment."""

    hits: list[wrk.Sample] = field(default_factory=list)
    statics: list[wrk.Sample] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return paired_ratio([s.requests_per_s for s in self.hits], [s.requests_per_s for s in self.statics])


def measure(folder: Path, seconds: float, rounds: int, workers: int) -> dict[str, Found]:
    found = {}
    with gateway.simulator(folder / "upstream", 1) as upstream:
        for number, (name, (target, body)) in enumerate(KINDS.items()):
            found[name] = of_kind(folder / str(number), upstream.url, workers, target, body, seconds, rounds)
            note(f"{name}: {found[name].ratio:.2f} of a static answer")
    return found


def of_kind(folder: Path, upstream: str, workers: int, target: Target, body: str, seconds: float, rounds: int) -> Found:
    served = gateway.gateway(folder, upstream, workers, target)
    path = folder / "fastgate.yaml"
    path.write_text(json.dumps({"cache": {}} | json.loads(path.read_text())))
    found = Found()
    with served:
        shot = wrk.Shot.write(folder, body, payloads.body(body, False), payloads.HEADERS | {"x-api-key": gateway.KEY})
        wrk.run(served.url + PATH, shot, CONNECTIONS, 1.0)  # buys the one answer, and warms up
        for _ in range(rounds):
            found.statics.append(wrk.run(f"{served.url}/healthz", shot, CONNECTIONS, seconds, method="GET"))
            found.hits.append(wrk.run(served.url + PATH, shot, CONNECTIONS, seconds))
    return found


def section(found: dict[str, Found]) -> Section:
    rows = [
        [
            name,
            f"{median([hit.requests_per_s for hit in one.hits]):,.0f}",
            f"±{spread([hit.requests_per_s for hit in one.hits]) * 50:.0f} %",
            f"{median([static.requests_per_s for static in one.statics]):,.0f}",
            f"{one.ratio:.2f}",
            f"{median([hit.p50_ms for hit in one.hits]):.2f}",
            f"{median([hit.p99_ms for hit in one.hits]):.2f}",
            str(sum(hit.errors for hit in one.hits)),
        ]
        for name, one in found.items()
    ]
    main = found[GOAL]
    p99_ms = median([hit.p99_ms for hit in main.hits])
    goals = [
        Goal(
            f"exact hit at {main.ratio:.2f} of a static answer's rate (>= {RATE_GOAL})",
            main.ratio >= RATE_GOAL,
            "hits/fastgate",
        ),
        Goal(f"its p99 is {p99_ms:.1f} ms (<= {P99_GOAL_MS:.0f} ms)", p99_ms <= P99_GOAL_MS, "hits/fastgate"),
        Goal("no errors", not any(hit.errors for one in found.values() for hit in one.hits)),
    ]
    about = (
        f"The same request again and again over {CONNECTIONS} connections, answered by the exact cache from a worker's "
        "memory, against `/healthz` of the same server. Everything on: budgets at five levels and every built-in guard."
        " That of the large body is no floor: `/healthz` answers without reading it, and closes the connection; a hit "
        "reads 730 KB, validates them and makes their mark."
    )
    columns = ("answer", "requests/s", "spread", "static/s", "of static", "p50 ms", "p99 ms", "errors")
    return Section("Exact cache", about, columns, rows, goals)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cache", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run  [5]")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind  [3]")
    parser.add_argument("--workers", type=int, default=gateway.usable_cores())
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--tiers", action="store_true", help="only what each tier costs")
    chosen = parser.parse_args()
    if not shutil.which("wrk"):
        sys.stderr.write("wrk not found: make peers\n")
        return 2
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            tiers.section(tiers.measure(Path(folder) / "tiers")).write("cache-tiers")
            if chosen.tiers:
                return 0
            result = section(measure(Path(folder), chosen.seconds, chosen.rounds, chosen.workers))
    except (BusyError, RuntimeError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result.write("cache")
    for goal in result.goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for goal in result.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
