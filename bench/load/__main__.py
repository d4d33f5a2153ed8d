"""`python -m bench.load`: runs the load suite, or loads a deployment of your own with `--target URL --key KEY`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.load import gateway, payloads, report, wrk
from bench.load.rounds import PATH, Plan, Result, measure, note
from bench.load.rows import ROWS, Row
from bench.lock import BusyError, only_one
from bench.machine import facts

FREE_BYTES = 8 * 2**30
"""A full run journals some millions of calls of about 1 KB each, twice with the usage table."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="only this row (repeatable)")
    parser.add_argument("--seconds", type=float, default=10, help="length of one run  [10]")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each row and target  [5]")
    parser.add_argument("--workers", type=int, default=gateway.usable_cores(), help="fastgate's workers  [cores]")
    parser.add_argument("--mock-workers", type=int, default=1, help="processes of the simulator  [1]")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s: shows that it runs, measures nothing")
    parser.add_argument("--without-gateway", action="store_true", help="only nginx and the upstreams")
    parser.add_argument("--out", type=Path, help="write the samples to this JSON file")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--target", help="load this deployment instead; the calls are real and may cost money")
    parser.add_argument("--key", default="", help="its key")
    parser.add_argument("--model", default=payloads.MODEL, help=f"its model  [{payloads.MODEL}]")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.rounds = 2, 1
    if chosen.seconds < 1 or chosen.rounds < 1:
        parser.error("--seconds and --rounds are at least 1")
    if chosen.target and not chosen.key:
        parser.error("--target needs --key")
    return chosen


def main() -> int:
    chosen = options()
    missing = [name for name in ("wrk", *([] if chosen.target else ["nginx"])) if not shutil.which(name)]
    if missing:
        sys.stderr.write(f"{' and '.join(missing)} not found: apt-get install {' '.join(missing)}\n")
        return 2
    rows = [row for row in ROWS if not chosen.row or row.name in chosen.row]
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            return load_target(chosen, rows, Path(folder)) if chosen.target else run_suite(chosen, rows, Path(folder))
    except (BusyError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def run_suite(chosen: argparse.Namespace, rows: list[Row], folder: Path) -> int:
    if not chosen.quick and shutil.disk_usage(folder).free < FREE_BYTES:
        raise RuntimeError(
            f"less than {FREE_BYTES >> 30} GiB free for the journal of a full run; set TMPDIR, or --quick"
        )
    plan = Plan(chosen.seconds, chosen.rounds, chosen.workers, chosen.mock_workers, not chosen.without_gateway)
    results, faults = measure(rows, plan, folder)
    document = {"machine": facts(), "plan": asdict(plan), "results": [asdict(r) for r in results], "faults": faults}
    return conclude(chosen, document)


def conclude(chosen: argparse.Namespace, document: dict[str, Any]) -> int:
    """Prints the table and the verdicts, writes the file; the exit status."""
    if chosen.out:
        chosen.out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    found = report.lines(document["results"])
    print(report.as_text(found))
    print()
    missed = 0
    for verdict in report.verdicts(found):
        missed += not verdict.met
        print(f"{'met   ' if verdict.met else 'MISSED'}  {verdict.text}")
    for fault in document["faults"]:
        print(f"FAULT   {fault}")
    if sentence := report.headline(found):
        print(f"\n{sentence}")
    return 1 if document["faults"] or (missed and chosen.check) else 0


def load_target(chosen: argparse.Namespace, rows: list[Row], folder: Path) -> int:
    """The rows against one address, without anything to compare with."""
    base = chosen.target.rstrip("/").removesuffix("/v1")
    results = []
    for row in rows:
        body = payloads.body(row.body, row.stream).replace(payloads.MODEL.encode(), chosen.model.encode(), 1)
        shot = wrk.Shot.write(folder, row.name, body, payloads.HEADERS | {"x-api-key": chosen.key})
        result = Result(row.name, "target")
        for turn in range(chosen.rounds):
            sample = wrk.run(base + PATH, shot, row.connections, chosen.seconds)
            result.take(sample)
            note(f"{turn + 1}/{chosen.rounds} {row.name:10} {sample.requests_per_s:10,.0f}/s, {sample.errors} errors")
        results.append(result)
    faults = [fault for result in results if (fault := result.fault())]
    document = {"machine": facts(), "plan": {"target": base}, "results": [asdict(r) for r in results], "faults": faults}
    return conclude(chosen, document)


if __name__ == "__main__":
    sys.exit(main())
