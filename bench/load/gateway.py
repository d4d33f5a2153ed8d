"""fastgate as it is served, in a folder of its own, with so much switched on as a target says; and the simulator."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from pathlib import Path
from typing import Any

from bench.load.certificate import Certificate
from bench.load.ports import free_port
from bench.load.processes import Server
from bench.load.rows import Target
from fastgate.journal.format import Position, segments_of
from fastgate.journal.reader import JournalReader

KEY = "sk-bench-loopback-0123456789abcdef"
DIRECTORY = """\
orgs: [{id: acme, name: Acme}]
cost_centers: [{id: CC-1001, owner: lead@acme.example}]
teams: [{id: platform, org: acme, cost_center: CC-1001}]
users: [{id: alice, team: platform, email: alice@acme.example}]
keys: [{id: alice-laptop, user: alice, secret: %s, models: ["claude-*"]}]
"""


BUDGETS = """\
budgets:
  - {id: org-month, level: org, of: acme, period: month, usd: 50000000}
  - {id: team-month, level: team, of: platform, period: month, usd: 40000000}
  - {id: user-week, level: user, of: alice, period: week, usd: 30000000}
  - {id: key-day, level: key, of: alice-laptop, period: day, usd: 20000000}
  - {id: center-total, level: tag, of: cost_center=CC-1001, org: acme, period: total, usd: 10000000}
"""


def gateway(
    folder: Path, upstream: str, workers: int, target: Target = "fastgate", tls: Certificate | None = None
) -> Server:
    """One gateway before `upstream`, its state in `folder`."""
    folder.mkdir(parents=True)
    port, control = free_port(), free_port()
    config: dict[str, Any] = {
        "version": 1,
        "listen": f"127.0.0.1:{port}",
        "control": {"listen": f"127.0.0.1:{control}"},
        "workers": workers,
        "state": str(folder / "state"),
        "directory": "directory.yaml",
        "endpoints": [{"name": "mock", "kind": "anthropic", "base_url": upstream, "api_key": "bench-provider-key"}],
    }
    full = target in ("screened", "guarded", "cached")
    config["guards"] = [{"use": name, "action": "log"} for name in built_in_guards()] if full else []
    if target == "cached":
        config["cache"] = {"exact": {"enabled": True, "namespace": "org"}}
    if tls is not None:
        config["tls"] = {"cert": str(tls.cert), "key": str(tls.key)}
    budgets = "" if target in ("fastgate", "screened") else BUDGETS
    (folder / "directory.yaml").write_text(DIRECTORY % json.dumps(KEY) + budgets)
    path = folder / "fastgate.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML
    command = [sys.executable, "-m", "fastgate.cli", "serve", "-c", str(path)]
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    return Server(target, url, command, folder / "fastgate.log", ready="/readyz", tls=tls)


def bare(folder: Path, upstream: str, workers: int) -> Server:
    """Our server and our pump alone (bench.load.bare)."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "bench.load.bare", "--port", str(port), "--upstream", upstream]
    return Server("bare", f"http://127.0.0.1:{port}", [*command, "--workers", str(workers)], folder / "bare.log")


def built_in_guards() -> list[str]:
    """The families that look at requests without a setting of their own."""
    from fastgate.guards.rule import REQUEST, load_scanners

    scanners = load_scanners().items()
    return [name for name, scanner in scanners if any(set(REQUEST) & set(rule.kinds) for rule in scanner.rules)]


def simulator(folder: Path, workers: int, scenario: str = "plain") -> Server:
    """The scripted provider, with its fixed answer or another scenario, for streams."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "fastgate.sim", "--port", str(port), "--scenario", scenario]
    command += ["--workers", str(workers), "--no-memory-log"]
    return Server("mock", f"http://127.0.0.1:{port}", command, folder / "simulate.log", ready="/__sim/health")


def recorded_calls(folder: Path) -> int:
    """How many calls a gateway that has ended left in its journal. The last record of each worker states its number, so
    it does not matter that older segments may be gone."""
    reader = JournalReader(folder / "state" / "journal")
    total = 0
    for epoch in reader.epochs():
        segments = segments_of(reader.journal_dir, epoch)
        last = deque(reader.records(epoch, Position(segments[-1], 0, 0)), maxlen=1) if segments else ()
        total += sum(record.sequence for record in last)
    return total


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))
