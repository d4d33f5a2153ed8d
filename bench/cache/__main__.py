"""`python -m bench.cache`: exact hits against a static answer of the same server, interleaved; prints JSON.

A hit pays for identity, digest, headers and journal; the static answer (`/healthz`, sent the same bytes) for the server
and the network alone. Goals: 0.6 of the static rate, p99 at most 8 ms, both at 200 connections.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from bench.load import gateway, payloads, wrk
from bench.lock import only_one

CONNECTIONS = 200

RATE_GOAL, P99_GOAL_MS = 0.6, 8.0


def measure(folder: Path, seconds: float, rounds: int, workers: int, body: str) -> dict[str, object]:
    upstream = gateway.simulator(folder / "upstream", 1)
    with upstream:
        served = gateway.gateway(folder / "gateway", upstream.url, workers)
        path = folder / "gateway" / "fastgate.yaml"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"cache": {}}))
        with served:
            headers = payloads.HEADERS | {"x-api-key": gateway.KEY}
            shot = wrk.Shot.write(folder, body, payloads.body(body, False), headers)
            hit_url, static_url = f"{served.url}/v1/messages?beta=true", f"{served.url}/healthz"
            wrk.run(hit_url, shot, CONNECTIONS, 1.0)  # buys the one answer, and warms up
            hits, statics = [], []
            for _ in range(rounds):
                statics.append(wrk.run(static_url, shot, CONNECTIONS, seconds, method="GET"))
                hits.append(wrk.run(hit_url, shot, CONNECTIONS, seconds))
    ratios = [hit.requests_per_s / static.requests_per_s for hit, static in zip(hits, statics, strict=True)]
    return {
        "body": body,
        "connections": CONNECTIONS,
        "hit_per_s": statistics.median(hit.requests_per_s for hit in hits),
        "static_per_s": statistics.median(static.requests_per_s for static in statics),
        "ratio": statistics.median(ratios),
        "p99_ms": statistics.median(hit.p99_ms for hit in hits),
        "errors": sum(sample.errors for sample in hits),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.cache")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=gateway.usable_cores())
    parser.add_argument("--body", choices=["small", "large"], default="small")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    options = parser.parse_args()
    with only_one(), tempfile.TemporaryDirectory() as folder:
        row = measure(Path(folder), options.seconds, options.rounds, options.workers, options.body)
    print(json.dumps(row, indent=2))
    good = row["errors"] == 0 and row["ratio"] >= RATE_GOAL and row["p99_ms"] <= P99_GOAL_MS  # type: ignore[operator]
    return 0 if good or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
