"""The trace under each policy."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from bench.fleet.policies import Bill, CheapestNaive, Ours, Policy, StickyNone, endpoints
from bench.fleet.provider import Outages
from bench.fleet.trace import trace

DEVELOPERS, HOURS, SEED = 200, 8.0, 20_261_127


def run(developers: int = DEVELOPERS, hours: float = HOURS, seed: int = SEED) -> list[Bill]:
    """The bills of ours, ours without rules, sticky-none and cheapest-naive, in this order."""
    turns = trace(developers, hours, seed)
    outages = Outages([endpoint.name for endpoint in endpoints()], hours, seed)
    bills = []
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        policies: list[Policy] = [
            Ours("ours", at / "ours", outages),
            Ours("ours, without rules", at / "bare", outages, rules=()),
            StickyNone("sticky-none", at / "none", outages),
            CheapestNaive("cheapest-naive", at / "naive", outages),
        ]
        for policy in policies:
            random.seed(seed)  # breakers spread their probes by it
            for turn in turns:
                policy.send(turn)
            bills.append(policy.bill)
    return bills
