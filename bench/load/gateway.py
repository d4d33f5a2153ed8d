"""fastgate as it is served, in a folder of its own: identity, prices, headers and journal on; and the simulator."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from pathlib import Path

from bench.load.processes import Server, free_port
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


def gateway(folder: Path, upstream: str, workers: int) -> Server:
    """One gateway before `upstream`, its state in `folder`."""
    folder.mkdir(parents=True)
    port, control = free_port(), free_port()
    config = {
        "version": 1,
        "listen": f"127.0.0.1:{port}",
        "control": {"listen": f"127.0.0.1:{control}"},
        "workers": workers,
        "state": str(folder / "state"),
        "directory": "directory.yaml",
        "endpoints": [{"name": "mock", "kind": "anthropic", "base_url": upstream, "api_key": "bench-provider-key"}],
    }
    (folder / "directory.yaml").write_text(DIRECTORY % json.dumps(KEY))
    path = folder / "fastgate.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML
    command = [sys.executable, "-m", "fastgate.cli", "serve", "-c", str(path)]
    return Server("fastgate", f"http://127.0.0.1:{port}", command, folder / "fastgate.log", ready="/readyz")


def simulator(folder: Path, workers: int) -> Server:
    """The scripted provider with its fixed answer, for streams."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "fastgate.sim", "--port", str(port), "--scenario", "plain"]
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
